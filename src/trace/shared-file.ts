// The file of PROCESS_RWLOCK_TRACE. Threads and processes append to it, each event by one call of
// the system, so that a process that is killed leaves what it has done, and no half line: the system
// stops it only between two pages of the file, and no line crosses a page unless another process
// appends at that moment. It is a JSON array without its `]`, which the format allows: nobody can
// know that it is the last to write.
import { closeSync, fstatSync, linkSync, openSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { threadId } from 'node:worker_threads'
import type { Metadata, TraceEvent } from './format.js'

/** How each of these files begins. */
const START = '[\n{"name":"process_name","ph":"M"'

/** The smallest page of a system, in bytes. */
const PAGE = 4096

/** A file that threads and processes append to. */
export class SharedFile {
  readonly path: string
  readonly #fd: number

  /**
   * Opens a file, and creates it with `first` if there is none.
   *
   * @throws The error of the system; an error if another program wrote the file.
   */
  constructor(path: string, first: Metadata) {
    this.path = path
    const created = create(path, `[\n${JSON.stringify(first)}`)
    if (!created) checkStart(path)
    this.#fd = openSync(path, 'a')
    if (!created) this.append([first])
  }

  /** @throws The error of the system. */
  append(events: readonly TraceEvent[]): void {
    const lines = events.map((event) => `,\n${JSON.stringify(event)}`).join('')
    const text = Buffer.concat([this.#gapBefore(Buffer.byteLength(lines)), Buffer.from(lines)])
    if (writeSync(this.#fd, text) < text.length) throw new Error('there is no space for it')
  }

  close(): void {
    closeSync(this.#fd)
  }

  /** Blanks to the end of the page, if the text would cross it: JSON ignores them. */
  #gapBefore(length: number): Buffer {
    const room = PAGE - (fstatSync(this.#fd).size % PAGE)
    return Buffer.alloc(length > room && length <= PAGE ? room : 0, ' ')
  }
}

/** Creates a file that has its text from the beginning. Returns `false` if it exists. */
function create(path: string, text: string): boolean {
  const draft = `${path}.${process.pid}-${threadId}.new`
  // Of a killed process that had the same number; or a link of somebody else.
  rmSync(draft, { force: true })
  writeFileSync(draft, text, { flag: 'wx' })
  try {
    linkSync(draft, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(draft)
  }
}

function checkStart(path: string): void {
  const fd = openSync(path, 'r')
  try {
    const start = Buffer.alloc(START.length)
    readSync(fd, start, 0, start.length, 0)
    if (!start.equals(Buffer.from(START)))
      throw new Error('it exists, and is no such trace: remove it, or choose another file')
  } finally {
    closeSync(fd)
  }
}
