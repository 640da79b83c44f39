// npm run smoke: tests the built package in one of the runtimes that can load it
// (__test__/runtimes/smoke.js).
import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readArguments, usageError } from './lib/arguments.js'
import { attempt, endLike, npm, root } from './lib/run.js'
import { fail, say, setup } from './lib/setup.js'

/**
 * @typedef {{ packageName?: string, scope?: string, args: string[] }} Runtime the npm package, and the scope of the packages with its programs
 */

/** @type {Record<string, Runtime>} */
const RUNTIMES = {
  node: { args: [] },
  bun: { packageName: 'bun@1.4.5', scope: '@oven', args: [] },
  deno: { packageName: 'deno@2.9.6', scope: '@deno', args: ['run', '-A'] },
  electron: { packageName: 'electron@45.4.1', args: ['--no-sandbox'] },
}

const TIME_LIMIT = 90_000 // ms for all checks, which take a second
const EXIT_LIMIT = 40_000 // ms after which no process of the checks is left, even if they failed

const HELP = `
npm run smoke -- [--runtime ${Object.keys(RUNTIMES).join('|')}]   node unless given
`

const { values } = readArguments(HELP, { runtime: { type: 'string', default: 'node' } })
const runtime =
  RUNTIMES[values.runtime] ??
  usageError(`--runtime takes one of ${Object.keys(RUNTIMES).join(', ')}, not "${values.runtime}".`, HELP)

await setup()
const program = await programOf(runtime)
const { RWLock } = await import('../dist/index.js')
const folder = mkdtempSync(join(tmpdir(), 'process-rwlock-smoke-'))
const name = `process-rwlock-smoke/${randomUUID()}`
const script = fileURLToPath(new URL('__test__/runtimes/smoke.js', root))
try {
  const args = [...runtime.args, script, 'main', name, join(folder, 'counter')]
  const end = await attempt(program, args, { timeout: TIME_LIMIT, killSignal: 'SIGKILL' })
  if (end.code !== 0 || end.signal) {
    console.error(`The checks ended with ${end.signal ?? `code ${end.code}`}.`)
    process.exitCode = 1
    if (end.signal === 'SIGINT' || end.signal === 'SIGTERM') await endLike(end)
  }
} finally {
  await removeLock()
  rmSync(folder, { recursive: true, force: true })
}

/**
 * The path of the program. Installs it from npm if necessary.
 *
 * @param {Runtime} runtime
 */
async function programOf({ packageName, scope }) {
  if (packageName === undefined) return process.execPath
  const prefix = fileURLToPath(new URL(`.cache/${packageName}/`, root))
  const modules = join(prefix, 'node_modules')
  if (!existsSync(modules)) {
    say(`Installing ${packageName}`)
    mkdirSync(prefix, { recursive: true })
    await npm(
      ...['install', '--prefix', prefix, '--no-save', '--no-package-lock', '--ignore-scripts'],
      ...['--no-audit', '--no-fund', '--loglevel=error', packageName],
    )
  }
  // Electron downloads its program at the first request for its path.
  if (scope === undefined) return createRequire(join(modules, 'x.js'))('electron')
  // npm may install programs for several processors and C libraries.
  const files = readdirSync(join(modules, scope), { recursive: true, encoding: 'utf8' })
  const programs = files.filter((file) => /^(bun|deno)(\.exe)?$/.test(basename(file)))
  const working = programs
    .map((file) => join(modules, scope, file))
    .find((file) => spawnSync(file, ['--version']).status === 0)
  return working ?? fail(`${packageName} has no program for this machine.`)
}

/** Removes the lock of the checks, as soon as all of their processes have exited. */
async function removeLock() {
  const deadline = performance.now() + EXIT_LIMIT
  for (;;) {
    try {
      return RWLock.remove(name)
    } catch (error) {
      if (error.code !== 'ERR_LOCK_BUSY' || performance.now() > deadline) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}
