// `top` whose output is no terminal: one frame at each interval.
import { lineOf } from './json.js'
import { written } from './line.js'
import { firstModel, type Model } from './model.js'
import type { SortKey } from './order.js'
import type { Look } from './sampler.js'
import type { Source } from './source.js'
import { page } from './view/screen.js'
import { watch } from './watch.js'

export interface Printed {
  source: Source
  /** In ms. */
  interval: number
  frames: number
  sort: SortKey
  json: boolean
  unicode: boolean
  /** The width of a line. */
  columns: number
  stdout: NodeJS.WriteStream
}

/** Prints so many frames. The first one comes after an interval, so that it has rates. */
export async function printed(options: Printed): Promise<void> {
  const { source, frames, json, stdout } = options
  const model = firstModel(options.sort)
  let count = -1
  for await (const { look, time, failure } of watch(source, options)) {
    if (failure) throw failure
    if (++count === 0) continue
    const text = json
      ? `${lineOf(look, time, options.interval, options.sort)}\n`
      : textOf(look, time, model, options)
    // Without a listener for errors: `main.ts` ends the program if the reader is gone.
    if (!stdout.write(text)) await new Promise((resolve) => stdout.once('drain', resolve))
    if (count >= frames) break
  }
}

function textOf(look: Look, time: Date, model: Model, { interval, columns, unicode }: Printed): string {
  const unknown = { rows: Infinity, failure: null, report: null }
  const frame = { model, look, time, interval, columns, unicode, ...unknown }
  return `${page(frame)
    .map((line) => written(line, false).trimEnd())
    .join('\n')}\n\n`
}
