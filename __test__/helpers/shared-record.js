// A record on a shared page, read and written without atomic operations: two holds that must not
// overlap tear it, lose a write, or are detected by the counters next to it.
import { mapPage } from './shared-page.js'

const BYTES = 8192
const WORDS = 64
/** Counters of the holds in each role, and flags for the actors. */
const MARKS = { read: 0, upgradable: 1, write: 2, readers: 3, go: 4, stop: 5 }

/** @typedef {'read' | 'upgradable' | 'write'} Role */

export class SharedRecord {
  /** The violations that it has found. @type {string[]} */
  violations = []
  /** The largest number of actors that read at the same time. */
  overlap = 0
  /** @type {Int32Array} */
  #marks
  /** @type {Float64Array} */
  #words
  #bit
  #reading = 0

  /**
   * @param {string} path
   * @param {number} [actor] 0 to 30, one for each process or thread
   */
  constructor(path, actor = 0) {
    const page = mapPage(path, BYTES)
    this.#marks = new Int32Array(page.buffer, page.byteOffset, 16)
    this.#words = new Float64Array(page.buffer, page.byteOffset + BYTES / 2, WORDS)
    this.#bit = 1 << actor
  }

  /** The number of writes. */
  get value() {
    return this.#words[0]
  }

  /** Begins a hold, or changes its role, and checks the roles of the others. @param {Role} role */
  enter(role) {
    Atomics.add(this.#marks, MARKS[role], 1)
    const { read, upgradable, write } = this.inside
    const met = `met ${read} readers, ${upgradable} upgradables, ${write} writers, itself included`
    if (role === 'write' && (read > 0 || upgradable > 0 || write > 1)) this.#violation(`a writer ${met}`)
    if (role === 'read' && write > 0) this.#violation(`a reader ${met}`)
    if (role === 'upgradable' && (write > 0 || upgradable > 1)) this.#violation(`an upgradable ${met}`)
    if (role !== 'read') return
    if (this.#reading++ === 0) Atomics.or(this.#marks, MARKS.readers, this.#bit)
    this.overlap = Math.max(this.overlap, ones(Atomics.load(this.#marks, MARKS.readers)))
  }

  /** Must be called while the lock is still held. @param {Role} role */
  leave(role) {
    if (role === 'read' && --this.#reading === 0) Atomics.and(this.#marks, MARKS.readers, ~this.#bit)
    Atomics.sub(this.#marks, MARKS[role], 1)
  }

  get inside() {
    const count = (/** @type {Role} */ role) => Atomics.load(this.#marks, MARKS[role])
    return { read: count('read'), upgradable: count('upgradable'), write: count('write') }
  }

  /**
   * Reads the record; all words must be of one write.
   *
   * @param {number} [expected] that write, if it is known
   */
  check(expected = this.#words[0]) {
    const at = this.#words.findIndex((word) => word !== expected)
    if (at >= 0) this.#violation(`word ${at} is ${this.#words[at]} where ${expected} should be`)
    return expected
  }

  /** Whether a write is incomplete. */
  get torn() {
    return this.#words.some((word) => word !== this.#words[0])
  }

  /** A copy of all words. */
  copy() {
    return this.#words.slice()
  }

  /** Completes the write of a dead writer. */
  repair() {
    this.#words.fill(Math.max(...this.#words))
  }

  /**
   * Writes the next value, in two steps with `between` between them.
   *
   * @param {() => unknown} between
   */
  async write(between) {
    const next = this.check() + 1
    this.#words.fill(next, 0, WORDS / 2)
    await between()
    this.#words.fill(next, WORDS / 2)
    return this.check(next)
  }

  /** Like `write`, but synchronous. @param {() => void} between */
  writeSync(between) {
    const next = this.check() + 1
    this.#words.fill(next, 0, WORDS / 2)
    between()
    this.#words.fill(next, WORDS / 2)
    return this.check(next)
  }

  go() {
    Atomics.store(this.#marks, MARKS.go, 1)
  }

  stop() {
    Atomics.store(this.#marks, MARKS.stop, 1)
  }

  get started() {
    return Atomics.load(this.#marks, MARKS.go) !== 0
  }

  get stopped() {
    return Atomics.load(this.#marks, MARKS.stop) !== 0
  }

  #violation(what) {
    if (this.violations.length < 5) this.violations.push(what)
  }
}

/** @param {number} bits */
function ones(bits) {
  let count = 0
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++
  return count
}
