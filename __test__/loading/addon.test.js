// The errors of the package if its addon is missing, wrong or broken.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, posix } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { ENTRIES, frontOf } from '../../scripts/build-library.js'
import { addonName } from '../../scripts/lib/setup.js'
import { linuxTest, tempDir, test } from '../helpers/index.js'

const root = fileURLToPath(new URL('../../', import.meta.url))
const { version, napi } = createRequire(import.meta.url)('../../package.json')

const GLIBC = '7f1000-7f2000 r-xp 00028000 fe:01 1234    /usr/lib/x86_64-linux-gnu/libc.so.6\n'
const OLD_GLIBC = '7f1000-7f2000 r-xp 00028000 fe:01 1234    /lib/x86_64-linux-gnu/libc-2.31.so\n'
const ALPINE = '7f1000-7f2000 r-xp 00014000 fe:01 1234    /lib/ld-musl-x86_64.so.1\n'
const VOID_MUSL = '7f1000-7f2000 r-xp 00014000 fe:01 1234    /usr/lib/libc.so\n'
const STATIC = '7f1000-7f2000 r-xp 00014000 fe:01 1234    /usr/bin/node\n'

/**
 * The package as npm installs it, without the package of its addon.
 *
 * @param {import('ava').ExecutionContext<any>} t
 */
function install(t) {
  const directory = join(tempDir(t), 'node_modules', 'process-rwlock')
  mkdirSync(directory, { recursive: true })
  cpSync(join(root, 'dist'), join(directory, 'dist'), { recursive: true })
  cpSync(join(root, 'package.json'), join(directory, 'package.json'))
  return directory
}

/**
 * Adds the package of an addon.
 *
 * @param {string} directory
 * @param {string} target
 * @param {{ version?: string, addon?: Buffer | string }} [options]
 */
function addPackage(directory, target, { version: its = version, addon = 'not an addon' } = {}) {
  const name = `process-rwlock-${target}`
  const main = `process-rwlock.${target}.node`
  const there = join(directory, '..', name)
  mkdirSync(there)
  writeFileSync(join(there, 'package.json'), JSON.stringify({ name, version: its, main }))
  writeFileSync(join(there, main), addon)
}

/** The platform of this process, as in the name of its package. @param {string} directory */
function thisTarget(directory) {
  const [{ message }] = load(directory, THIS)
  return /^process-rwlock-(\S+) /.exec(message)?.[1] ?? ''
}

/** @param {string} directory @param {...import('./programs/loads-as-other-system.js').System} systems */
function load(directory, ...systems) {
  const program = fileURLToPath(new URL('programs/loads-as-other-system.js', import.meta.url))
  const { stdout, stderr } = spawnSync(process.execPath, [program, directory, JSON.stringify(systems)], {
    encoding: 'utf8',
  })
  try {
    return JSON.parse(stdout)
  } catch {
    throw new Error(`it printed no outcomes: ${stdout}${stderr}`)
  }
}

const THIS = {}
const LINUX = { platform: 'linux', arch: 'x64', maps: GLIBC }
const UNSUPPORTED = { name: 'LockError', code: 'ERR_LOCK_UNSUPPORTED' }

test('the error names the missing package for each platform, and what to do', (t) => {
  /** @type {[string, import('./programs/loads-as-other-system.js').System][]} */
  const systems = [
    ['linux-x64-gnu', LINUX],
    ['linux-x64-gnu', { ...LINUX, maps: OLD_GLIBC }],
    ['linux-x64-gnu', { ...LINUX, maps: GLIBC.replace('\n', ' (deleted)\n') }],
    ['linux-x64-musl', { ...LINUX, maps: ALPINE.replace('\n', ' (deleted)\n') }],
    ['linux-arm64-gnu', { ...LINUX, arch: 'arm64' }],
    ['linux-x64-musl', { ...LINUX, maps: ALPINE }],
    ['linux-x64-musl', { ...LINUX, maps: VOID_MUSL }],
    ['linux-arm64-musl', { ...LINUX, arch: 'arm64', maps: ALPINE }],
    ['darwin-x64', { platform: 'darwin', arch: 'x64' }],
    ['darwin-arm64', { platform: 'darwin', arch: 'arm64' }],
    ['win32-x64-msvc', { platform: 'win32', arch: 'x64' }],
    ['win32-arm64-msvc', { platform: 'win32', arch: 'arm64' }],
  ]
  t.is(new Set(systems.map(([target]) => target)).size, napi.targets.length)

  const outcomes = load(install(t), ...systems.map(([, system]) => system))
  for (const [index, [target]] of systems.entries()) {
    const { message, ...rest } = outcomes[index]
    t.like(rest, UNSUPPORTED)
    t.true(message.startsWith(`process-rwlock-${target} ${version}, the build `), message)
    t.regex(message, /is not installed\. .*delete node_modules and package-lock\.json.*--omit=optional/)
    t.regex(message, /npm\/cli\/issues\/4828.*from source: https:/)
  }
})

test('node_modules from another system are recognized', (t) => {
  const directory = install(t)
  addPackage(directory, 'darwin-arm64')
  const [{ message, ...rest }] = load(directory, LINUX)
  t.like(rest, UNSUPPORTED)
  t.regex(message, /linux-x64-gnu, is not installed, but the build for darwin-arm64 is: .* on another system/)
})

test('the error names a platform without a build, and the platforms with one', (t) => {
  const systems = [
    { platform: 'freebsd', arch: 'x64' },
    { platform: 'win32', arch: 'ia32' },
    { ...LINUX, arch: 'arm' },
    { ...LINUX, arch: 'riscv64', maps: ALPINE },
  ]
  const targets = ['freebsd-x64', 'win32-ia32-msvc', 'linux-arm-gnu', 'linux-riscv64-musl']
  const outcomes = load(install(t), ...systems)
  for (const [index, target] of targets.entries()) {
    const { message, ...rest } = outcomes[index]
    t.like(rest, UNSUPPORTED)
    t.true(message.startsWith(`process-rwlock has no build for ${target}, only for linux-x64-gnu, `), message)
    t.regex(message, /from source: https:/)
  }
})

test('an addon of another version is refused', (t) => {
  const directory = install(t)
  addPackage(directory, 'linux-x64-gnu', { version: '0.0.9' })
  const [{ message, ...rest }] = load(directory, LINUX)
  t.like(rest, UNSUPPORTED)
  t.true(
    message.includes(`process-rwlock ${version} was installed with process-rwlock-linux-x64-gnu 0.0.9`),
    message,
  )
  t.regex(message, /delete node_modules/)
})

test('the error says why an addon cannot be loaded', (t) => {
  const directory = install(t)
  addPackage(directory, 'linux-x64-gnu')
  const [{ message, ...rest }] = load(directory, LINUX)
  t.like(rest, { ...UNSUPPORTED, cause: 'ERR_DLOPEN_FAILED' })
  t.regex(message, /is installed, but cannot be loaded: .*process-rwlock\.linux-x64-gnu\.node/)
})

linuxTest('the error names the libc version that an addon needs', (t) => {
  const directory = install(t)
  const target = thisTarget(directory)
  if (!target.endsWith('-gnu')) {
    t.pass('musl knows no versions')
    return
  }
  const addon = readFileSync(join(root, `process-rwlock.${target}.node`))
  const needed = addon.indexOf('GLIBC_2.')
  t.true(needed > 0)
  addon.write('GLIBC_9.', needed)
  addPackage(directory, target, { addon })
  const [{ message, ...rest }] = load(directory, THIS)
  t.like(rest, UNSUPPORTED)
  t.regex(message, /cannot be loaded: .*GLIBC_9\./)
})

test('without /proc, the libc is found from the program file, or else from the report of Node.js', (t) => {
  const directory = install(t)
  const program = (/** @type {string} */ interpreter) => {
    const file = join(directory, `of-${interpreter}`)
    writeFileSync(file, `\x7fELF…\0/lib64/${interpreter}\0…${'x'.repeat(5000)}`)
    return file
  }
  const gnu = program('ld-linux-x86-64.so.2')
  const musl = program('ld-musl-x86_64.so.1')
  const header = { glibcVersionRuntime: '2.36' }
  const without = join(directory, 'none')
  /** @type {[string, import('./programs/loads-as-other-system.js').System][]} */
  const systems = [
    ['gnu', { program: gnu, report: null }],
    ['musl', { program: musl, report: { header } }],
    ['musl', { maps: STATIC, program: musl, report: { header } }],
    ['gnu', { program: without, report: { header } }],
    ['musl', { program: without, report: { header: {}, sharedObjects: ['/lib/ld-musl-x86_64.so.1'] } }],
    ['gnu', { maps: GLIBC, program: musl, report: null }],
  ]
  const outcomes = load(directory, ...systems.map(([, system]) => ({ ...LINUX, maps: null, ...system })))
  for (const [index, [libc]] of systems.entries()) {
    t.regex(outcomes[index].message, new RegExp(`^process-rwlock-linux-x64-${libc} `), `${index}`)
  }
})

linuxTest('if the libc is unknown, the installed package is tried', (t) => {
  const unknown = { platform: 'linux', maps: null, program: '/nowhere', report: null }
  const directory = install(t)
  const [{ message: none }] = load(directory, { ...unknown, arch: 'x64' })
  t.regex(none, /^process-rwlock-linux-x64-gnu .* is not installed, nor is process-rwlock-linux-x64-musl\. /)
  const [{ message: noBuild }] = load(directory, { ...unknown, arch: 'riscv64' })
  t.regex(noBuild, /^process-rwlock has no build for linux-riscv64-gnu, only /)

  const own = thisTarget(directory)
  const addon = readFileSync(join(root, `process-rwlock.${own}.node`))
  for (const libc of ['gnu', 'musl']) {
    const there = install(t)
    const target = own.replace(/gnu|musl/, libc)
    const other = own.replace(/gnu|musl/, libc === 'gnu' ? 'musl' : 'gnu')
    addPackage(there, target, { addon })
    t.deepEqual(load(there, unknown), [{ loaded: true }], `only ${libc} is installed`)
    addPackage(there, other)
    t.deepEqual(load(there, unknown), [{ loaded: true }], `both are installed, and ${libc} works`)
    writeFileSync(join(there, `../process-rwlock-${target}/process-rwlock.${target}.node`), 'broken')
    const [{ message, ...rest }] = load(there, unknown)
    t.like(rest, { ...UNSUPPORTED, cause: 'ERR_DLOPEN_FAILED' })
    t.regex(message, /-gnu .* cannot be loaded: .*\nprocess-rwlock-linux-.*-musl .* cannot be loaded: /)
  }
})

test('the scripts and the library use the same platform names', (t) => {
  t.is(addonName(), `process-rwlock.${thisTarget(install(t))}.node`)
})

test('under --permission, the error names the missing permission', (t) => {
  const directory = install(t)
  const target = thisTarget(directory)
  addPackage(directory, target, { addon: readFileSync(join(root, `process-rwlock.${target}.node`)) })
  const modules = join(directory, '..')
  const program = join(modules, '../main.cjs')
  writeFileSync(
    program,
    `try { new (require('process-rwlock').RWLock)().close(); console.log('works') }
    catch ({ code, message }) { console.log(code, message) }`,
  )
  const permission = process.versions.node.startsWith('20.') ? '--experimental-permission' : '--permission'
  /** @param {...string} options */
  const run = (...options) => {
    const args = ['--no-warnings', ...options, program]
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    return stdout + stderr
  }
  const allow = (/** @type {string} */ path) => `--allow-fs-read=${path}`
  const reads = [allow(program), allow(modules)]
  const narrow = [allow(program), allow(directory)]

  t.is(run(permission, ...reads, '--allow-addons'), 'works\n')
  t.regex(run(permission, ...reads), /^ERR_LOCK_UNSUPPORTED .* with --permission, add --allow-addons/)
  t.regex(run('--no-addons'), /^ERR_LOCK_UNSUPPORTED .* remove --no-addons/)
  const denied = run(permission, ...narrow, '--allow-addons')
  // Node.js 20 reports a file without read permission as missing.
  if (permission === '--permission') {
    t.regex(denied, /^ERR_LOCK_UNSUPPORTED .*--permission, which forbids reading .*: add --allow-fs-read=/)
    t.true(denied.includes(`add --allow-fs-read=${modules}`), denied)
  } else {
    t.regex(denied, /^ERR_LOCK_UNSUPPORTED /)
  }
})

test('the error says that the package was bundled', (t) => {
  const directory = install(t)
  writeFileSync(join(directory, 'package.json'), '{ "name": "my-app", "type": "module" }')
  const [{ message, ...rest }] = load(directory, LINUX)
  t.like(rest, UNSUPPORTED)
  t.regex(message, /process-rwlock was bundled.* external/)
})

test('no built-in module is imported before a bundle is recognized, because bundles may lack them', (t) => {
  const code = (/** @type {string} */ file) => readFileSync(join(root, 'dist', file), 'utf8')
  const required = (/** @type {string} */ file) =>
    [...code(file).matchAll(/\brequire\("(.*?)"\)/g)].map(([, its = '']) => its)
  const first = 'shared-memory/binding.js'
  const reached = (/** @type {string} */ start) => {
    const files = [start]
    for (const file of files) {
      for (const other of required(file)) {
        const its = posix.join(posix.dirname(file), other)
        if (other.startsWith('.') && !files.includes(its)) files.push(its)
      }
    }
    return files
  }
  const withAddon = ENTRIES.filter((entry) => reached(`${entry}.js`).includes(first))
  t.deepEqual(
    withAddon,
    ENTRIES.filter((entry) => entry !== 'postgres'),
  )
  for (const entry of withAddon) t.is(required(`${entry}.js`)[0], `./${first}`)
  const files = reached(first)
  for (const file of files) for (const other of required(file)) t.regex(other, /^\.\.?\//, file)
  t.true(files.length > 1)
})

test('import() and require() of the package throw the same LockError', (t) => {
  const directory = install(t)
  const program = (/** @type {string} */ how) => `
    Object.defineProperty(process, 'platform', { value: 'aix' })
    const show = ({ name, code }) => console.log(name, code)
    ${how}`
  const ways = {
    'import.mjs': "await import('process-rwlock').catch(show)",
    'import.cjs': "import('process-rwlock').catch(show)",
    'require.cjs': "try { require('process-rwlock') } catch (error) { show(error) }",
  }
  for (const [name, how] of Object.entries(ways)) {
    const file = join(directory, '../..', name)
    writeFileSync(file, program(how))
    const { stdout, stderr } = spawnSync(process.execPath, [file], { encoding: 'utf8' })
    t.is(stdout, 'LockError ERR_LOCK_UNSUPPORTED\n', `${name}: ${stderr}`)
  }
})

test('import and require() of each entry give the same objects', async (t) => {
  const require = createRequire(import.meta.url)
  for (const entry of ENTRIES) {
    const name = entry === 'index' ? 'process-rwlock' : `process-rwlock/${entry}`
    const required = require(name)
    const imported = await import(name)
    t.deepEqual(Object.keys(imported).sort(), Object.keys(required).sort(), name)
    // The exports that Node.js finds in the CommonJS module without running it.
    const found = await import(new URL(`../../dist/${entry}.js`, import.meta.url).href)
    for (const key of Object.keys(required)) {
      t.is(imported[key], required[key], key)
      if (key !== 'default') t.is(found[key], required[key], key)
    }
  }
})

test('the ES module has the same default export as the CommonJS module', async (t) => {
  const directory = tempDir(t)
  const code =
    'exports.two = exports.one = void 0;\nexports.one = 1;\nexports.two = 2;\nexports.default = { one: 1 };\n'
  writeFileSync(join(directory, 'some.js'), `"use strict";\n${code}`)
  writeFileSync(join(directory, 'addons.mjs'), '')
  writeFileSync(join(directory, 'some.mjs'), frontOf('some', code).code)
  const imported = await import(pathToFileURL(join(directory, 'some.mjs')).href)
  t.deepEqual({ ...imported }, { default: { one: 1 }, one: 1, two: 2 })
})

test('the package loads together with the package of its addon', (t) => {
  const directory = install(t)
  const target = thisTarget(directory)
  addPackage(directory, target, { addon: readFileSync(join(root, `process-rwlock.${target}.node`)) })
  t.deepEqual(load(directory, THIS), [{ loaded: true }])
})
