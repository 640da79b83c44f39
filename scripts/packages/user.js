import { mkdtempSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { npmProgram } from '../lib/run.js'
import { output } from './output.js'

/** A user with a separate home directory, whose package managers use only the given registry. */
export class User {
  #home

  /** @param {string} directory @param {string} registry */
  constructor(directory, registry) {
    this.#home = mkdtempSync(join(directory, 'home-'))
    this.registry = registry
    const { host } = new URL(registry)
    // npm does not publish without a token. The registry accepts any.
    writeFileSync(join(this.#home, '.npmrc'), `registry=${registry}\n//${host}/:_authToken=none\n`)
    const env = Object.entries(process.env).filter(([name]) => !/^(npm|pnpm|yarn|xdg)_/i.test(name))
    this.env = {
      ...Object.fromEntries(env),
      HOME: this.#home,
      USERPROFILE: this.#home,
      LOCALAPPDATA: this.#home,
      NPM_CONFIG_USERCONFIG: join(this.#home, '.npmrc'),
      NPM_CONFIG_CACHE: join(this.#home, 'npm-cache'),
      NPM_CONFIG_AUDIT: 'false',
      NPM_CONFIG_FUND: 'false',
      NPM_CONFIG_UPDATE_NOTIFIER: 'false',
      YARN_REGISTRY: registry,
      YARN_CACHE_FOLDER: join(this.#home, 'yarn-cache'),
      PATH: dirname(process.execPath) + delimiter + process.env.PATH,
    }
  }

  /** @param {string[]} args @param {string} [cwd] */
  async npm(args, cwd = this.#home) {
    const { command, first, shell } = npmProgram()
    return output(command, [...first, ...args], { cwd, env: this.env, shell })
  }

  /** @param {import('./projects.js').Project | undefined} project */
  newProject(project) {
    const folder = mkdtempSync(join(this.#home, 'project-'))
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'project', ...project?.manifest }))
    writeFileSync(join(folder, project?.file ?? 'main.js'), project?.source ?? '')
    return folder
  }
}
