import type { Stats } from 'node:fs'
import { clearTimeout, setTimeout } from 'node:timers' // not the global ones, which a test may replace
import { codeOf, ignoring, sleep } from '../file/disk.js'
import type { Steps } from '../file/steps.js'
import { compromised, locked } from './errors.js'
import type { Checked } from './options.js'
import type { Place } from './place.js'

/** The longest pause between two attempts to make the directory, in ms. */
const MAX_PAUSE = 100
/** The pause after an update that failed, in ms. */
const RETRY_PAUSE = 1000

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
  /** When that was, by the clock that `stale` is compared with. */
  #updated = 0

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
  }

  /** Updates it until `remove()`. `lose` is called with the error if it is lost. */
  keepFresh(lose: (error: Error) => void): void {
    this.#updateAfter(this.#options.update, lose)
  }

  remove(): void {
    clearTimeout(this.#timer)
    if (made.delete(this) && this.#isOwn()) this.#remove()
  }

  /** Whether a process has updated it recently. */
  isFresh(): boolean {
    const stats = this.#stats()
    return stats !== undefined && this.#isRecent(stats)
  }

  /** Whether `stale` has not passed since the update. */
  #isRecent({ mtimeMs }: Stats): boolean {
    return mtimeMs >= Date.now() - this.#options.stale
  }

  #tryMake(): boolean {
    const { fs } = this.#options
    for (const isLast of [false, true]) {
      try {
        fs.mkdirSync(this.#place.directory)
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error
        const stats = this.#stats()
        if (isLast || (stats !== undefined && this.#isRecent(stats))) return false
        // Of a dead process. Without `stats` it was removed meanwhile, and may be made again by now.
        if (stats !== undefined) this.#remove()
        continue
      }
      try {
        this.#own = this.#stats()
        this.#updated = Date.now()
        return true
      } catch (error) {
        this.#remove()
        throw error
      }
    }
    return false
  }

  #updateAfter(pause: number, lose: (error: Error) => void): void {
    this.#timer = setTimeout(() => this.#update(lose), pause).unref()
  }

  #update(lose: (error: Error) => void): void {
    const { fs, stale, update } = this.#options
    const { file, directory } = this.#place
    let cause: unknown
    try {
      if (this.#isOwn()) {
        const now = new Date()
        fs.utimesSync(directory, now, now)
        this.#updated = now.getTime()
        this.#own = this.#stats()
        this.#updateAfter(update, lose)
        return
      }
    } catch (error) {
      // Perhaps the next attempt succeeds.
      if (codeOf(error) !== 'ENOENT' && Date.now() <= this.#updated + stale) {
        this.#updateAfter(RETRY_PAUSE, lose)
        return
      }
      cause = error
    }
    made.delete(this) // it is not removed
    lose(compromised(file, directory, cause))
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
