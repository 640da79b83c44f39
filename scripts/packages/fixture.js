// A project that has the programs of programs/. Within this folder, they find the tools that are installed here.
import { cpSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { output } from './output.js'

const PROGRAMS = join(import.meta.dirname, 'programs')
const BOUND = 120_000 // ms for one program: a build of Next.js takes 15 s of a free machine

/** What the programs print that wait for a lock. */
const GRANTED = /\bgranted\b/

export class Workshop {
  /** @param {string} folder @param {NodeJS.ProcessEnv} env */
  constructor(folder, env) {
    this.folder = folder
    this.env = { ...env, NO_COLOR: '1', CI: '1', NEXT_TELEMETRY_DISABLED: '1' }
  }

  fill() {
    cpSync(PROGRAMS, this.folder, { recursive: true })
    writeFileSync(join(this.folder, 'package.json'), '{ "name": "workshop", "private": true }')
  }

  close() {
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 })
  }

  /**
   * What a program printed.
   *
   * @param {string} node
   * @param {...string} args
   */
  run(node, ...args) {
    return output(node, args, { cwd: this.folder, env: this.env, timeout: BOUND })
  }

  /**
   * Fails unless the program waited for a lock, was granted it and printed so.
   *
   * @param {string} node
   * @param {...string} args
   */
  async waits(node, ...args) {
    const printed = await this.run(node, ...args)
    if (!GRANTED.test(printed)) throw new Error(`it printed\n${printed}`)
  }
}
