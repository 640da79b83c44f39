import type { Metadata, Row } from './format.js'

/** The rows that one thread can have: the number of a row contains that of its thread. */
const MOST = 100_000

/**
 * The rows of a thread. The spans of a row follow each other or are nested. A thread can wait for
 * locks and hold locks at the same time, and then has several rows.
 */
export class Rows {
  readonly #pid: number
  readonly #threadId: number
  /** Free rows in ascending order. */
  readonly #free: number[] = []
  readonly #endOf: number[] = []

  constructor(pid: number, threadId: number) {
    this.#pid = pid
    this.#threadId = threadId
  }

  /** The first row, for marks. `added` gets its description if it is new. */
  first(added: (description: Metadata[]) => void): Row {
    const row = this.#row(0)
    if (this.#endOf.length === 0) {
      added(this.#describe(0, row))
      this.#endOf.push(0)
      this.#free.push(0)
    }
    return row
  }

  /**
   * A row for a span that begins at `ts`, and from when on it is free. `added` gets the description
   * of a new row.
   */
  take(ts: number, added: (description: Metadata[]) => void): { row: Row; from: number } {
    const index = this.#free.shift() ?? this.#endOf.length
    const row = this.#row(index)
    if (index === this.#endOf.length) added(this.#describe(index, row))
    const from = Math.max(ts, this.#endOf[index] ?? 0)
    this.#endOf[index] = from
    return { row, from }
  }

  /** The last span of a row has ended. */
  free({ tid }: Row, ts: number): void {
    const index = (tid - 1) % MOST
    this.#endOf[index] = ts
    const place = this.#free.findIndex((other) => other > index)
    if (place === -1) this.#free.push(index)
    else this.#free.splice(place, 0, index)
  }

  /** From 1: viewers take 0 for the idle thread of the system. */
  #row(index: number): Row {
    return { pid: this.#pid, tid: this.#threadId * MOST + index + 1 }
  }

  #describe(index: number, { pid, tid }: Row): Metadata[] {
    const thread = this.#threadId === 0 ? 'main thread' : `worker ${this.#threadId}`
    const name = index === 0 ? thread : `${thread} (${index + 1})`
    return [
      { name: 'thread_name', ph: 'M', pid, tid, args: { name } },
      { name: 'thread_sort_index', ph: 'M', pid, tid, args: { sort_index: tid } },
    ]
  }
}
