// What the checks look at. Each thing is looked up once, when a check needs it.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Survey } from '../../shared-memory/survey.js'
import { type LockReport, reportsOf } from '../report.js'
import type { FoundLock, LockSource } from '../source.js'

export class Machine {
  readonly platform: NodeJS.Platform = process.platform
  /** The user id; -1 on Windows. */
  readonly user: number = process.geteuid?.() ?? -1
  readonly env: NodeJS.ProcessEnv
  /** The paths of the locks that were asked for. */
  readonly paths: readonly string[]
  /** Where the files of the system begin: tests have others. */
  readonly root: string = '/'
  /** Other locks than those of this machine. */
  readonly #source: LockSource | undefined
  #survey: Survey | undefined
  #reports: Promise<LockReport[]> | undefined

  constructor(env: NodeJS.ProcessEnv, paths: readonly string[], source?: LockSource) {
    this.env = env
    this.paths = paths
    this.#source = source
  }

  /** Loads the part of the package that needs the addon, which may be missing. */
  load(): typeof import('../../shared-memory/survey.js') {
    return require('../../shared-memory/survey.js')
  }

  /** @throws as `survey()`. */
  survey(): Survey {
    this.#survey ??= this.load().survey()
    return this.#survey
  }

  /** The named locks, and those of {@link paths} that exist. */
  locks(): FoundLock[] {
    const named = this.survey().locks.toSorted((a, b) => ((a.name ?? a.file) < (b.name ?? b.file) ? -1 : 1))
    return [...named, ...this.paths.flatMap((path) => this.#atPath(path))]
  }

  /** The same locks, or those of the source, with their processes. */
  reports(): Promise<LockReport[]> {
    this.#reports ??= this.#reported()
    return this.#reports
  }

  async #reported(): Promise<LockReport[]> {
    return reportsOf((await this.#source?.list()) ?? this.locks())
  }

  /** What is wrong with a path is told by the check of the paths. */
  #atPath(path: string): FoundLock[] {
    try {
      const found = this.load().examine({ path })
      return found === null ? [] : [found]
    } catch {
      return []
    }
  }

  /** The content of a file of the system; `undefined` if it cannot be read. */
  read(file: string): string | undefined {
    try {
      return readFileSync(join(this.root, file), 'utf8')
    } catch {
      return undefined
    }
  }

  /** The names in a folder of the system; `undefined` if it cannot be read. */
  folder(path: string): string[] | undefined {
    try {
      return readdirSync(join(this.root, path))
    } catch {
      return undefined
    }
  }
}
