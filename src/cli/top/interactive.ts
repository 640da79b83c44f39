// `top` on a terminal.

import { checkRef } from '../../shared-memory/options.js'
import type { RWLockRef } from '../../types.js'
import type { LockReport } from '../report.js'
import type { LockSource } from '../source.js'
import { detailsOf } from './details.js'
import { pressed } from './keys.js'
import { changed, firstModel, type Model } from './model.js'
import type { SortKey } from './order.js'
import { Paint } from './paint.js'
import { keyOf, type Look } from './sampler.js'
import type { Source } from './source.js'
import { Terminal } from './terminal.js'
import type { Frame } from './view/frame.js'
import { roomOf, screen } from './view/screen.js'
import { watch } from './watch.js'

export interface Interactive {
  source: Source
  locks: LockSource
  /** In ms. */
  interval: number
  /** How many looks to take; no limit by default. */
  frames: number
  sort: SortKey
  /** The lock that is shown at first, if it is a single one; else the list is. */
  only: RWLockRef | undefined
  colours: boolean
  unicode: boolean
  stdin: NodeJS.ReadStream
  stdout: NodeJS.WriteStream
}

/** Runs until the user quits. */
export async function interactive(options: Interactive): Promise<void> {
  const end = new AbortController()
  const shown = new Shown(options, end)
  shown.terminal.open()
  try {
    let frames = 0
    for await (const { look, time, failure } of watch(options.source, { ...options, signal: end.signal })) {
      if (failure) shown.fail(failure.message)
      else await shown.update(look, time)
      if (++frames >= options.frames) break
    }
  } finally {
    end.abort()
    shown.terminal.close()
  }
}

class Shown {
  readonly terminal: Terminal
  readonly #options: Interactive
  readonly #paint: Paint
  readonly #end: AbortController
  #model: Model
  #last: { look: Look; time: Date } | undefined
  #failure: string | null = null
  #report: LockReport | null = null

  constructor(options: Interactive, end: AbortController) {
    this.#options = options
    this.#end = end
    this.#paint = new Paint(options.colours)
    const { sort, only, stdin, stdout } = options
    this.#model = { ...firstModel(sort), ...(only && { page: 'lock', chosen: keyOf(checkRef(only)) }) }
    this.terminal = new Terminal(stdin, stdout, {
      key: (key) => this.#press(key),
      redraw: () => {
        this.#paint.forget()
        this.#draw()
      },
    })
  }

  async update(look: Look, time: Date): Promise<void> {
    this.#failure = null
    if (this.#model.paused) return
    this.#last = { look, time }
    await this.#lookInto()
    this.#draw()
  }

  fail(message: string): void {
    this.#failure = message
    this.#draw()
  }

  #press(key: Parameters<typeof pressed>[0]): void {
    const { action, signal } = pressed(key) ?? {}
    if (signal) this.terminal.raise(signal)
    if (action === 'quit') this.#end.abort()
    if (action === undefined || this.#last === undefined) return
    const frame = this.#frame(this.#last)
    this.#model = changed(this.#model, action, frame.look.samples, roomOf(frame))
    this.#draw()
    if (action === 'open') this.#lookInto().then(() => this.#draw())
  }

  /** Finds out more about the lock that the user looks into. */
  async #lookInto(): Promise<void> {
    const { page, chosen } = this.#model
    const lock = this.#last?.look.samples.find(({ key }) => key === chosen)?.snapshot
    if (page !== 'lock' || lock === undefined) return
    this.#report = await detailsOf(
      lock.path === undefined ? { name: lock.name ?? '' } : { path: lock.path },
      this.#options.locks,
    )
  }

  #draw(): void {
    if (this.#last === undefined || this.#end.signal.aborted || this.terminal.isBusy) return
    const frame = this.#frame(this.#last)
    this.terminal.write(this.#paint.update(screen(frame), frame))
  }

  #frame(last: { look: Look; time: Date }): Frame {
    const { interval, unicode } = this.#options
    const [failure, report] = [this.#failure, this.#report]
    return { ...last, ...this.terminal.size, interval, unicode, model: this.#model, failure, report }
  }
}
