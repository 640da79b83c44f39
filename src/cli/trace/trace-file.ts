// The file of a recording: an object of the trace event format, written in parts, so that the memory
// of a long recording does not grow.
import { closeSync, openSync, writeSync } from 'node:fs'
import type { TraceEvent } from '../../trace/format.js'

const PART = 65_536

export class TraceFile {
  readonly #fd: number
  #text: string
  #first = true

  /**
   * Creates or replaces a file.
   *
   * @param about - What viewers show of the whole trace.
   * @throws The error of the system.
   */
  constructor(path: string, about: object) {
    this.#fd = openSync(path, 'w')
    this.#text = `{"displayTimeUnit":"ms","otherData":${JSON.stringify(about)},\n"traceEvents":[\n`
    this.flush()
  }

  append(events: readonly TraceEvent[]): void {
    for (const event of events) {
      this.#text += `${this.#first ? '' : ',\n'}${JSON.stringify(event)}`
      this.#first = false
    }
    if (this.#text.length > PART) this.flush()
  }

  flush(): void {
    const bytes = Buffer.from(this.#text)
    this.#text = ''
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at)
  }

  /** `totals`: what is known at the end only. */
  close(totals: object): void {
    this.#text += `\n],\n"totals":${JSON.stringify(totals)}}\n`
    this.flush()
    closeSync(this.#fd)
  }
}
