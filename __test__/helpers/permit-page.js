// What the processes of a test say of the permits that they have, on a page that they share.
import { mapPage } from './shared-page.js'

/** For each process: the permits that it has, and how often it got one. Then the number of kills. */
export class PermitPage {
  /** @type {Int32Array} */
  #words
  #processes

  /** @param {string} path @param {number} processes */
  constructor(path, processes) {
    const { buffer, byteOffset } = mapPage(path, 4096)
    this.#words = new Int32Array(buffer, byteOffset, 2 * processes + 1)
    this.#processes = processes
  }

  /** After the permit was granted. @param {number} place of a process */
  enter(place) {
    // In this order: see held().
    Atomics.add(this.#words, 2 * place + 1, 1)
    Atomics.add(this.#words, 2 * place, 1)
  }

  /** Before the permit is released. @param {number} place */
  leave(place) {
    Atomics.sub(this.#words, 2 * place, 1)
  }

  /** How many permits there were in all. */
  get total() {
    let total = 0
    for (let place = 0; place < this.#processes; place++) total += Atomics.load(this.#words, 2 * place + 1)
    return total
  }

  /**
   * The permits that are held at the same time. `undefined` if that cannot be said, because somebody
   * got a permit meanwhile, or a process is being killed.
   */
  held() {
    const before = this.#changes
    let held = 0
    for (let place = 0; place < this.#processes; place++) held += Atomics.load(this.#words, 2 * place)
    return before !== undefined && this.#changes === before ? held : undefined
  }

  get #changes() {
    const kills = Atomics.load(this.#words, 2 * this.#processes)
    return kills % 2 === 0 ? `${kills} ${this.total}` : undefined
  }

  /**
   * Kills a process. Until then its word says that it has permits, although they are free already.
   *
   * @param {number} place
   * @param {() => Promise<unknown>} kill
   */
  async whileKilling(place, kill) {
    Atomics.add(this.#words, 2 * this.#processes, 1)
    await kill()
    Atomics.store(this.#words, 2 * place, 0)
    Atomics.add(this.#words, 2 * this.#processes, 1)
  }
}
