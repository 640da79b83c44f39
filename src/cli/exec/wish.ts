import type { ModeName } from '../../modes.js'
import { UsageError } from '../usage-error.js'
import type { Values } from './options.js'

/** What the options ask for. */
export interface Wish {
  mode: ModeName
  /** In ms; `undefined`: no limit. */
  timeout: number | undefined
  label: string | undefined
  /** The exit code if the lock is not granted. */
  conflictExitCode: number
  quiet: boolean
}

/** @throws {@link UsageError} */
export function wishOf(values: Values): Wish {
  return {
    mode: modeOf(values),
    timeout: timeoutOf(values),
    label: values.label,
    conflictExitCode: exitCodeOf(values['conflict-exit-code'] ?? '1'),
    quiet: values.quiet ?? false,
  }
}

function modeOf(values: Values): ModeName {
  const [mode = 'write', other] = (['read', 'upgradable', 'write'] as const).filter((each) => values[each])
  if (other !== undefined) throw new UsageError(`--${mode} and --${other} exclude each other`)
  return mode
}

function timeoutOf({ timeout, 'no-wait': noWait }: Values): number | undefined {
  if (noWait) {
    if (timeout !== undefined) throw new UsageError('--no-wait and --timeout exclude each other')
    return 0
  }
  if (timeout === undefined) return undefined
  const seconds = /^\d+(\.\d*)?$|^\.\d+$/.test(timeout) ? Number(timeout) : Number.NaN
  if (Number.isNaN(seconds)) throw new UsageError(`--timeout takes a number of seconds, not "${timeout}"`)
  return seconds * 1000
}

function exitCodeOf(text: string): number {
  const code = /^\d{1,3}$/.test(text) ? Number(text) : 256
  if (code > 255) throw new UsageError(`--conflict-exit-code takes a number from 0 to 255, not "${text}"`)
  return code
}
