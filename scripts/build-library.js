// npm run build:ts: compiles src/ to dist/. The library is CommonJS. Each entry has an ES module in
// front of it, so that `import` and `require()` give the same objects.
import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readArguments } from './lib/arguments.js'
import { installFolder } from './lib/install-files.js'
import { root } from './lib/run.js'
import { installDependencies } from './lib/setup.js'
import { manPage } from './man-page.js'

/**
 * The modules of src/ that users load: `process-rwlock` is index, `process-rwlock/<name>` is the
 * module with that name.
 */
export const ENTRIES = ['index', 'file', 'leader', 'postgres', 'proper-lockfile', 'web-locks']

const checkout = fileURLToPath(root)

/** @param {string} dist an empty folder */
export function buildLibrary(dist) {
  const tsc = join(checkout, 'node_modules/typescript/bin/tsc')
  const args = [tsc, '-p', join(checkout, 'tsconfig.json'), '--outDir', dist]
  const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`the library does not compile\n${stdout}`)
  copyFileSync(join(checkout, 'src/package.json'), join(dist, 'package.json'))
  chmodSync(join(dist, 'cli/main.js'), 0o755)
  for (const name of ENTRIES) {
    const front = frontOf(name, readFileSync(join(dist, `${name}.js`), 'utf8'))
    writeFileSync(join(dist, `${name}.mjs`), front.code)
    writeFileSync(join(dist, `${name}.d.mts`), front.types)
  }
  writeManPage(dist)
}

/** Into `man/` of the library, where package.json points to. @param {string} dist */
function writeManPage(dist) {
  const load = createRequire(join(dist, 'index.js'))
  const { allCommands } = load('./cli/commands.js')
  const { optionsOf } = load('./cli/arguments.js')
  const { MEANINGS } = load('./cli/exit-codes.js')
  const { version } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8'))
  mkdirSync(join(dist, 'man'))
  const page = manPage(allCommands(), optionsOf, MEANINGS, version)
  writeFileSync(join(dist, 'man/process-rwlock.1'), page)
}

/**
 * The ES module in front of a CommonJS module. It lists the names, so that bundlers know them, too.
 *
 * @param {string} name
 * @param {string} code as tsc emits it
 */
export function frontOf(name, code) {
  const names = new Set([...code.matchAll(/\bexports\.(\w+) = /g)].map(([, exported]) => exported))
  // In Node.js, the default import of a CommonJS module is `module.exports`.
  const ofDefault = names.delete('default')
    ? `import exports from './${name}.js'\nexport default exports.default\n`
    : ''
  return {
    code: `import './addons.mjs'\n${ofDefault}export { ${[...names].sort().join(', ')} } from './${name}.js'\n`,
    types: `${ofDefault}export * from './${name}.js'\n`,
  }
}

/**
 * The fields of package.json that list the entries.
 *
 * @param {string[]} [entries]
 */
export function manifestOf(entries = ENTRIES) {
  const others = entries.filter((name) => name !== 'index')
  return {
    exports: {
      ...Object.fromEntries(
        entries.map((name) => [
          name === 'index' ? '.' : `./${name}`,
          {
            import: { types: `./dist/${name}.d.mts`, default: `./dist/${name}.mjs` },
            default: { types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` },
          },
        ]),
      ),
      './package.json': './package.json',
    },
    // For tools that do not know `exports`, such as TypeScript with `moduleResolution: node10`.
    main: './dist/index.js',
    types: './dist/index.d.ts',
    typesVersions:
      others.length === 0
        ? undefined
        : { '*': Object.fromEntries(others.map((name) => [name, [`./dist/${name}.d.ts`]])) },
  }
}

/** Updates package.json to the list of entries. */
function updateManifest() {
  const file = join(checkout, 'package.json')
  const before = readFileSync(file, 'utf8')
  const after = `${JSON.stringify({ ...JSON.parse(before), ...manifestOf() }, null, 2)}\n`
  if (after !== before) writeFileSync(file, after)
}

if (process.argv[1] === import.meta.filename) {
  readArguments('npm run build:ts   compiles src/ to dist/, and updates the entries of package.json', {})
  await installDependencies()
  const built = mkdtempSync(join(tmpdir(), 'process-rwlock-dist-'))
  try {
    buildLibrary(built)
    installFolder(built, join(checkout, 'dist'))
    updateManifest()
  } catch (error) {
    console.error(error.message)
    process.exitCode = 1
  } finally {
    rmSync(built, { recursive: true })
  }
}
