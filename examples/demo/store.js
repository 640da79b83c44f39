// The key-value store: one JSON file, rewritten in place. This file does not lock; worker.js does.
import { hash } from 'node:crypto'
import { copyFile, open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * What the file holds: `{"version":7,"entries":{…},"sum":"…"}`. `version` grows by one with every write. `sum` is the
 * checksum of all that stands before it: it shows whether the file is torn.
 *
 * @typedef {{ version: number, entries: Record<string, unknown>, sum: string }} State
 */

const END = { before: Buffer.from(',"sum":"'), sum: 40, after: Buffer.from('"}') }
const END_BYTES = END.before.length + END.sum + END.after.length

export class Store {
  /** The last state read: the file is not parsed again while it has the same checksum. @type {State | undefined} */
  #known

  /** @param {string} directory */
  constructor(directory) {
    this.file = join(directory, 'store.json')
    this.backup = join(directory, 'store.backup.json')
  }

  /** @param {Record<string, unknown>} entries */
  async create(entries) {
    await writeFile(this.file, serialize(1, entries))
  }

  /** The state in the file. Throws if the file is torn, which whoever holds the lock must never see. */
  async read() {
    const bytes = await readFile(this.file)
    const sum = sumOf(bytes)
    if (sum === null) throw new TornFile(`${this.file} is torn`)
    if (sum !== this.#known?.sum) this.#known = /** @type {State} */ (JSON.parse(bytes.toString()))
    return /** @type {State} */ (this.#known)
  }

  /**
   * Makes a backup, then writes over the file in two halves.
   *
   * @param {number} version
   * @param {Record<string, unknown>} entries
   * @param {() => Promise<void>} [halfway] called between the halves
   */
  async write(version, entries, halfway) {
    await copyFile(this.file, this.backup)
    const bytes = serialize(version, entries)
    const middle = bytes.length >> 1
    const file = await open(this.file, 'r+')
    try {
      await file.write(bytes, 0, middle, 0)
      await halfway?.()
      await file.write(bytes, middle, bytes.length - middle, middle)
      await file.truncate(bytes.length)
    } finally {
      await file.close()
    }
  }

  /** After a writer died: restores the backup, unless the file is complete. Returns whether it was torn. */
  async repair() {
    const torn = sumOf(await readFile(this.file)) === null
    if (torn) await copyFile(this.backup, this.file)
    return torn
  }
}

export class TornFile extends Error {}

/** The checksum in a file's bytes, or null if it is not theirs: the file is torn. @param {Buffer} bytes */
export function sumOf(bytes) {
  const rest = bytes.subarray(0, -END_BYTES)
  const sum = bytes.subarray(rest.length + END.before.length, -END.after.length).toString()
  return sum === hash('sha1', rest) ? sum : null
}

/**
 * @param {number} version
 * @param {Record<string, unknown>} entries
 */
function serialize(version, entries) {
  const rest = Buffer.from(JSON.stringify({ version, entries }).slice(0, -1))
  return Buffer.concat([rest, END.before, Buffer.from(hash('sha1', rest)), END.after])
}
