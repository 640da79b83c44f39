// npm run test:packages: makes the packages as for a release, inspects them, publishes them to a
// registry on this machine, and installs them from there: into empty projects, which run the first
// example of README.md, and into one project in which test runners, compilers, bundlers and
// frameworks use programs that wait for a lock.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { mutants } from '../../verify/mutants/lists/packages.js'
import { tryMutants } from '../../verify/mutants/run.js'
import { readArguments, usageError } from '../lib/arguments.js'
import { notPrinted } from '../lib/code-blocks.js'
import { MAJORS, nodeOf } from '../lib/node-versions.js'
import { endLike, root, SIGNALS } from '../lib/run.js'
import { addonName, setup } from '../lib/setup.js'
import { problemsOf, stage, stageAddon, TARGETS, tarballsOf } from '../release/pack.js'
import { commandLine } from './command-line.js'
import { dropIn } from './drop-in.js'
import { FixtureProject } from './fixture.js'
import { attw, files, foldersAreGenerated, publint } from './inspect.js'
import { managers } from './managers.js'
import { output } from './output.js'
import { projects } from './projects.js'
import { startRegistry } from './registry.js'
import { toolchains } from './toolchains.js'
import { installTools, tools } from './tools.js'
import { User } from './user.js'

const checkout = fileURLToPath(root)
const target = addonName().split('.')[1] ?? ''
const HELP = `
npm run test:packages -- [--full] [--node 20,22]   --full: each tool on every Node.js that it supports, instead of the
                                                   oldest and the newest; --node: only these versions
npm run test:packages -- --mutants [PART]          breaks the packages in one way at a time (whose name contains PART): a
                                                   check must find each
`

const { values, positionals } = readArguments(
  HELP,
  { full: { type: 'boolean', default: false }, node: { type: 'string' }, mutants: { type: 'boolean' } },
  { positionals: true },
)
const part = values.mutants ? (positionals[0] ?? '') : undefined
const isFull = values.full
const majors = values.node?.split(',') ?? MAJORS
const unknown = majors.find((major) => !MAJORS.includes(major))
if (unknown !== undefined) usageError(`--node takes some of ${MAJORS.join(', ')}, not "${unknown}".`, HELP)

async function runOnce() {
  const failures = await check(nodes)
  if (failures.size === 0) console.log('The packages work.')
  // Again, where the end of the output has them.
  for (const [name, message] of failures) console.log(`failed: ${name}\n${message}`)
  process.exitCode = failures.size === 0 ? 0 : 1
}

/** @param {string} part of their names */
function runMutants(part) {
  const own = { major: process.versions.node.split('.')[0] ?? '', program: process.execPath }
  return tryMutants({
    mutants,
    part,
    find: async ({ name, foundBy, change }) => {
      console.log(`\n# ${name}`)
      const failures = await check([own], { change, only: foundBy })
      return failures.has(foundBy) ? foundBy : undefined
    },
  })
}

/**
 * @typedef {{ major: string, program: string }} Node
 *
 * @param {Node[]} nodes oldest first
 * @param {object} [options]
 * @param {(staged: string) => void} [options.change] breaks what was staged
 * @param {string} [options.only] the one check to run
 * @returns {Promise<Map<string, string>>} the checks that failed, and their messages
 */
async function check(nodes, { change, only } = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'process-rwlock-packages-'))
  const checks = new Checks(only)
  /** @param {NodeJS.Signals} signal */
  const interrupted = (signal) => {
    checks.interrupted = signal
  }
  for (const signal of SIGNALS) process.once(signal, interrupted)
  try {
    const staged = join(directory, 'staged')
    mkdirSync(staged)
    stage(staged)
    change?.(staged)
    await checks.run('contents', () => {
      const problems = problemsOf(staged)
      if (problems.length > 0) throw new Error(problems.join('\n'))
    })
    await checks.run('generated folders', foldersAreGenerated)
    const tarballs = await tarballsOf(staged, join(directory, 'tarballs'))
    for (const { name, file, contents } of tarballs) {
      await checks.run(`files of ${name}`, () => files(name, file, contents))
      await checks.run(`publint of ${name}`, () => publint(name, file))
    }
    const library = tarballs.find(({ name }) => name === 'process-rwlock')?.file ?? ''
    await checks.run('attw', () => attw(library))
    if (checks.isDone) return checks.failures
    const registry = await startRegistry(mkdtempSync(join(directory, 'registry-')))
    try {
      const user = new User(directory, registry.url)
      await checks.run('publish', () => publishAll(user, directory, tarballs), { isNeeded: true })
      for (const project of projects) {
        await checks.run(project.name, () => installAndRun(user, project, nodes))
      }
      await checks.run('without optional dependencies', () => withoutAddon(user))
      await checks.run('command line', () => commandLine(user))
      await checks.run('in place of proper-lockfile', () => dropIn(user, someOf(nodes)))
      for (const manager of managers) {
        await checks.run(manager.name, () => otherManager(user, manager, someOf(nodes)))
      }
      if (!checks.isDone) await testTools(checks, user, nodes)
    } finally {
      await registry.close()
    }
  } finally {
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
    for (const signal of SIGNALS) process.off(signal, interrupted)
  }
  return checks.failures
}

/**
 * Publishes the built packages, and for each other platform a package whose addon is an empty text.
 * So the package managers choose between all platforms, as after a release.
 *
 * @param {User} user
 * @param {string} directory
 * @param {{ name: string, file: string }[]} tarballs
 */
async function publishAll(user, directory, tarballs) {
  const packages = tarballs.map(({ file }) => file)
  for (const target of TARGETS) {
    const name = `process-rwlock-${target}`
    if (tarballs.some((tarball) => tarball.name === name)) continue
    const folder = join(directory, name)
    stageAddon(folder, target)
    writeFileSync(join(folder, `process-rwlock.${target}.node`), 'no addon')
    packages.push(folder)
  }
  for (const its of packages) await user.npm(['publish', its, '--ignore-scripts'])
}

/**
 * @param {User} user
 * @param {import('./projects.js').Project} project
 * @param {Node[]} nodes
 */
async function installAndRun(user, project, nodes) {
  const folder = user.newProject(project)
  await user.npm(['install', 'process-rwlock', '--ignore-scripts'], folder)
  await user.npm(['ls', '--all'], folder)
  const installed = readdirSync(join(folder, 'node_modules')).filter((name) => !name.startsWith('.'))
  const expected = ['process-rwlock', `process-rwlock-${target}`]
  if (installed.join() !== expected.join()) throw new Error(`npm installed ${installed.join(', ')}`)
  if (project.compile) await compile(folder, project.file, project.compile)
  for (const { program } of nodes) await runExample(user, folder, project.source, program)
}

/** @param {string} folder @param {string} file @param {string[]} options */
async function compile(folder, file, options) {
  await output(
    process.execPath,
    [
      ...[
        join(checkout, 'node_modules/typescript/bin/tsc'),
        file,
        '--strict',
        '--target',
        'es2022',
        ...options,
      ],
      ...['--types', 'node', '--typeRoots', join(checkout, 'node_modules/@types')],
    ],
    { cwd: folder },
  )
}

/** @param {User} user @param {string} folder @param {string} source @param {string} node */
async function runExample(user, folder, source, node) {
  const printed = await output(node, ['main.js'], { cwd: folder, env: user.env })
  const missing = notPrinted(source, printed)
  if (missing !== undefined) throw new Error(`it printed, without ${missing}:\n${printed}`)
  if (/warning/i.test(printed)) throw new Error(`it printed a warning:\n${printed}`)
}

/**
 * @param {Checks} checks
 * @param {User} user
 * @param {Node[]} nodes
 */
async function testTools(checks, user, nodes) {
  const fixture = new FixtureProject(mkdtempSync(join(tools, 'fixture-')), user.env)
  try {
    const fill = async () => {
      fixture.fill()
      await user.npm(['install', 'process-rwlock', '--ignore-scripts'], fixture.folder)
    }
    await checks.run('one project for all tools', fill, { isNeeded: true })
    for (const { name, since = '0', slow, run } of toolchains.filter(({ extra }) => isFull || !extra)) {
      const supported = nodes.filter(({ major }) => Number(major) >= Number(since))
      const some = slow && !isFull ? supported.slice(-1) : someOf(supported)
      await checks.run(name, async () => {
        for (const { program } of some) await run(fixture, program)
        return `Node.js ${some.map(({ major }) => major).join(', ')}`
      })
    }
  } finally {
    fixture.close()
  }
}

/** @param {Node[]} nodes */
function someOf(nodes) {
  return isFull ? nodes : nodes.filter((_, index) => index === 0 || index === nodes.length - 1)
}

/** @param {User} user */
async function withoutAddon(user) {
  const folder = user.newProject(projects[0])
  await user.npm(['install', 'process-rwlock', '--ignore-scripts', '--omit=optional'], folder)
  const error = await output(process.execPath, ['main.js'], { cwd: folder, env: user.env }).catch(
    (error) => error,
  )
  const text = String(error.message ?? error)
  for (const part of ['ERR_LOCK_UNSUPPORTED', `process-rwlock-${target}`, '--omit=optional']) {
    if (!text.includes(part)) throw new Error(`the error does not mention ${part}:\n${text}`)
  }
}

/**
 * @param {User} user
 * @param {import('./managers.js').Manager} manager
 * @param {Node[]} nodes
 */
async function otherManager(user, { program, add, settings, run }, nodes) {
  const folder = user.newProject(projects[0])
  const fixture = new FixtureProject(folder, user.env)
  fixture.fill()
  for (const [name, text] of Object.entries(settings?.(user) ?? {})) writeFileSync(join(folder, name), text)
  for (const node of nodes) {
    await fixture.run(node.program, program, ...add, 'process-rwlock')
    for (const file of ['main.mjs', 'main.cjs']) await fixture.waits(node.program, ...run(file))
  }
  return `Node.js ${nodes.map(({ major }) => major).join(', ')}`
}

/** Ends the run; all finally blocks clean up. */
class Interrupted extends Error {
  /** @param {NodeJS.Signals} signal */
  constructor(signal) {
    super(`ended by ${signal}`)
    this.signal = signal
  }
}

class Checks {
  /** The names of those that failed, and the ends of their messages. @type {Map<string, string>} */
  failures = new Map()
  /** @type {NodeJS.Signals | undefined} */
  interrupted

  /** @param {string} [only] the only check to run, after those that it needs */
  constructor(only) {
    this.only = only
    this.isDone = false
  }

  /**
   * @param {string} name
   * @param {() => unknown} body may return a text to print
   * @param {{ isNeeded?: boolean }} [options] whether other checks need it
   */
  async run(name, body, { isNeeded = false } = {}) {
    const isOnly = name === this.only
    if (this.only !== undefined && !isOnly && !isNeeded) return
    if (isOnly) this.isDone = true
    const begun = performance.now()
    const took = () => `(${((performance.now() - begun) / 1000).toFixed(1)} s)`
    try {
      if (this.interrupted) throw new Interrupted(this.interrupted)
      const text = await body()
      console.log(`    ok  ${name}${text ? `: ${text}` : ''} ${took()}`)
    } catch (error) {
      if (this.interrupted) throw new Interrupted(this.interrupted)
      const message = String(error.message).trimEnd().replace(/^/gm, '        ')
      this.failures.set(name, message.split('\n').slice(-10).join('\n'))
      console.log(`FAILED  ${name} ${took()}\n${message}`)
    }
  }
}

await setup()
await installTools()
/** @type {Node[]} */
const nodes = []
for (const major of majors) nodes.push({ major, program: await nodeOf(major) })

try {
  if (part !== undefined) await runMutants(part)
  else await runOnce()
} catch (error) {
  if (!(error instanceof Interrupted)) throw error
  await endLike({ code: null, signal: error.signal })
}
