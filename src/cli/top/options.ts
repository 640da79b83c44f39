import { JSON_OPTION, type ValuesOf } from '../command.js'
import { REF_OPTIONS } from '../ref-options.js'
import { SOURCE_OPTIONS } from '../source.js'
import { UsageError } from '../usage-error.js'
import { SORT_KEYS, type SortKey } from './order.js'

export const options = {
  path: { ...REF_OPTIONS.path, multiple: true },
  file: { ...REF_OPTIONS.file, multiple: true },
  interval: {
    type: 'string',
    short: 'i',
    value: 'S',
    description: 'look at the locks every S seconds; decimals are allowed. The default is 1',
  },
  frames: {
    type: 'string',
    short: 'n',
    value: 'N',
    description: 'end after N frames. The default is no limit',
  },
  sort: {
    type: 'string',
    short: 's',
    value: 'KEY',
    choices: SORT_KEYS,
    description: `the order: ${SORT_KEYS.join(', ')}. The default is wait`,
  },
  ...SOURCE_OPTIONS,
  ...JSON_OPTION,
} as const

export type Values = ValuesOf<typeof options>

/** In ms: more often would cost more than it shows. */
const SHORTEST = 100
/** In ms: the longest that a timer takes. */
const LONGEST = 2 ** 31 - 1

/** @throws {@link UsageError} */
export function wishOf(values: Values): { interval: number; frames: number; sort: SortKey; json: boolean } {
  return {
    interval: intervalOf(values.interval ?? '1'),
    frames: framesOf(values.frames),
    sort: (values.sort as SortKey | undefined) ?? 'wait',
    json: values.json ?? false,
  }
}

function intervalOf(text: string): number {
  const ms = /^\d+(\.\d*)?$|^\.\d+$/.test(text) ? Number(text) * 1000 : Number.NaN
  if (ms >= SHORTEST && ms <= LONGEST) return ms
  throw new UsageError(`--interval takes a number of seconds from ${SHORTEST / 1000} up, not "${text}"`)
}

function framesOf(text: string | undefined): number {
  if (text === undefined) return Infinity
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new UsageError(`--frames takes a number from 1 up, not "${text}"`)
}
