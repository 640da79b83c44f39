import type { Stats } from 'node:fs'
import { clearTimeout, setTimeout } from 'node:timers' // not the global ones, which a test may replace
import { codeOf, ignoring, sleep } from '../file/disk.js'
import type { Steps } from '../file/steps.js'
import { compromised, locked } from './errors.js'
import type { Checked } from './options.js'
import type { Place } from './place.js'

/** The longest pause between two attempts to make the directory, in ms. */
const MAX_PAUSE = 100

/** Those that this process has made. */
const made = new Set<Directory>()
let removesAtExit = false

function removeAtExit(): void {
  if (removesAtExit) return
  removesAtExit = true
  process.on('exit', () => {
    for (const directory of made) ignoring(() => directory.remove())
  })
}

/**
 * The directory `<file>.lock`, which is the lock of proper-lockfile: it exists while the lock is
 * held, and its holder updates its time. It is made only inside the lock of this library, so of the
 * processes that use this library one at a time makes it.
 */
export class Directory {
  readonly #place: Place
  readonly #options: Checked
  #timer: NodeJS.Timeout | undefined
  /** What it was when this process updated it last. */
  #own: Stats | undefined

  constructor(place: Place, options: Checked) {
    this.#place = place
    this.#options = options
  }

  /** Makes it, and waits for a process that has it until `deadline`. @throws `ELOCKED` */
  *make(deadline: number): Steps<void> {
    for (let pause = 1; !this.#tryMake(); pause = Math.min(2 * pause, MAX_PAUSE)) {
      if (performance.now() + pause > deadline) throw locked(this.#place.file)
      yield* sleep(pause)
    }
    made.add(this)
    removeAtExit()
    this.#updateLater()
  }

  remove(): void {
    clearTimeout(this.#timer)
    if (made.delete(this) && this.#isOwn()) this.#remove()
  }

  /** Whether a process has updated it recently. */
  isFresh(): boolean {
    const stats = this.#stats()
    return stats !== undefined && stats.mtimeMs >= Date.now() - this.#options.stale
  }

  #tryMake(): boolean {
    const { fs } = this.#options
    for (const isLast of [false, true]) {
      try {
        fs.mkdirSync(this.#place.directory)
        this.#own = this.#stats()
        return true
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error
      }
      if (isLast || this.isFresh()) break
      this.#remove() // of a dead process
    }
    return false
  }

  #updateLater(): void {
    this.#timer = setTimeout(() => this.#update(), this.#options.update).unref()
  }

  #update(): void {
    const { fs, onCompromised } = this.#options
    const { file, directory } = this.#place
    if (!this.#isOwn()) {
      made.delete(this)
      onCompromised(compromised(file, directory))
      return
    }
    // A failure is not the end: the next update may succeed, or find that it is too late.
    ignoring(() => {
      const now = new Date()
      fs.utimesSync(directory, now, now)
      this.#own = this.#stats()
    })
    this.#updateLater()
  }

  /** Whether it is the one that this process made. */
  #isOwn(): boolean {
    const stats = this.#stats()
    return stats !== undefined && stats.ino === this.#own?.ino && stats.mtimeMs === this.#own.mtimeMs
  }

  #remove(): void {
    ignoring(() => this.#options.fs.rmdirSync(this.#place.directory), ['ENOENT'])
  }

  #stats(): Stats | undefined {
    return ignoring(() => this.#options.fs.statSync(this.#place.directory), ['ENOENT'])
  }
}
