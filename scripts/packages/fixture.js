// A project with the programs of programs/. It is in this folder, so that they find the tools that
// are installed here.
import { cpSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { output } from './output.js'

const PROGRAMS = join(import.meta.dirname, 'programs')
/** The output of the programs that wait for a lock. */
const GRANTED = /\bgranted\b/

export class FixtureProject {
  /** @param {string} folder @param {NodeJS.ProcessEnv} env */
  constructor(folder, env) {
    this.folder = folder
    this.env = { ...env, NO_COLOR: '1', CI: '1', NEXT_TELEMETRY_DISABLED: '1' }
  }

  fill() {
    cpSync(PROGRAMS, this.folder, { recursive: true })
    writeFileSync(join(this.folder, 'package.json'), '{ "name": "fixture", "private": true }')
  }

  close() {
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 })
  }

  /**
   * Runs a program and returns its output.
   *
   * @param {string} node
   * @param {...string} args
   */
  run(node, ...args) {
    return output(node, args, { cwd: this.folder, env: this.env })
  }

  /**
   * Fails unless the program waits for a lock and prints that it was granted.
   *
   * @param {string} node
   * @param {...string} args
   */
  async waits(node, ...args) {
    const printed = await this.run(node, ...args)
    if (!GRANTED.test(printed)) throw new Error(`it printed\n${printed}`)
  }
}
