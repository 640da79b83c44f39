// Faults in the packages that `npm run test:packages -- --mutants` must find, each by the check `foundBy`.
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { addonName } from '../../../scripts/lib/setup.js'
import { readManifest, TARGETS, writeManifest } from '../../../scripts/release/pack.js'

const target = addonName().split('.')[1] ?? ''
const library = 'process-rwlock'
const addon = `process-rwlock-${target}`
const otherTarget = TARGETS.find((other) => other !== target) ?? ''

/**
 * @typedef {object} Mutant
 * @property {string} name
 * @property {string} foundBy the check that must fail
 * @property {(staged: string) => void} change
 */

/** @type {Mutant[]} */
export const mutants = [
  {
    name: 'the compiled library is left out',
    foundBy: 'ESM',
    change: inManifest(library, (manifest) => {
      manifest.files = manifest.files.filter((file) => file !== 'dist')
    }),
  },
  {
    name: 'the changelog is left out',
    foundBy: `files of ${library}`,
    change: inManifest(library, (manifest) => {
      manifest.files = manifest.files.filter((file) => file !== 'CHANGELOG.md')
    }),
  },
  {
    name: 'the types are left out',
    foundBy: 'TypeScript, nodenext, ESM',
    change: (staged) => rmSync(join(staged, library, 'dist/index.d.ts')),
  },
  {
    name: 'the types are not where package.json says',
    foundBy: 'attw',
    change: inManifest(library, (manifest) => {
      manifest.exports['.'].import.types = './dist/types.d.mts'
    }),
  },
  {
    name: 'process-rwlock/proper-lockfile is not exported',
    foundBy: 'in place of proper-lockfile',
    change: inManifest(library, (manifest) => {
      delete manifest.exports['./proper-lockfile']
    }),
  },
  {
    name: 'there is no command line',
    foundBy: 'command line',
    change: inManifest(library, (manifest) => {
      delete manifest.bin
    }),
  },
  {
    name: 'the manual page is left out',
    foundBy: 'command line',
    change: (staged) => rmSync(join(staged, library, 'dist/man'), { recursive: true }),
  },
  {
    name: 'require() finds nothing',
    foundBy: 'CommonJS',
    change: inManifest(library, (manifest) => {
      delete manifest.exports['.'].default
    }),
  },
  {
    name: 'types come last',
    foundBy: `publint of ${library}`,
    change: inManifest(library, (manifest) => {
      const { types, default: file } = manifest.exports['.'].import
      manifest.exports['.'].import = { default: file, types }
    }),
  },
  {
    name: 'import gets the types of CommonJS',
    foundBy: 'attw',
    change: inManifest(library, (manifest) => {
      manifest.exports['.'].import.types = manifest.exports['.'].default.types
    }),
  },
  {
    name: 'no entry for tools that do not know "exports"',
    foundBy: 'attw',
    change: inManifest(library, (manifest) => {
      delete manifest.main
      delete manifest.types
    }),
  },
  {
    name: 'the compiled library counts as ES modules',
    foundBy: 'CommonJS',
    change: (staged) => rmSync(join(staged, library, 'dist/package.json')),
  },
  {
    name: 'import lacks a name',
    foundBy: 'import and require()',
    change: inFile('index.mjs', ['LockError, ', '']),
  },
  {
    name: 'import and require() give two copies',
    foundBy: 'import and require()',
    change: (staged) => {
      const dist = join(staged, library, 'dist')
      for (const name of ['index', 'rwlock']) cpSync(join(dist, `${name}.js`), join(dist, `${name}-again.js`))
      inFile('index-again.js', ['./rwlock.js', './rwlock-again.js'])(staged)
      inFile('index.mjs', ['./index.js', './index-again.js'])(staged)
    },
  },
  {
    name: 'a bundle is not recognized',
    foundBy: 'webpack, bundled',
    change: inFile('binding.js', ["if (name !== 'process-rwlock')", 'if (false)']),
  },
  {
    name: 'a built-in module is imported before a bundle is recognized',
    foundBy: 'esbuild, bundled',
    change: inFile('index.js', [/require\("[^"]*\/binding\.js"\);/, '']),
  },
  {
    name: 'tools that collect files do not find the addon',
    foundBy: 'Next.js',
    change: inFile('index.mjs', ["import './addons.mjs'\n", '']),
  },
  {
    name: 'the addons are no dependencies',
    foundBy: 'ESM',
    change: inManifest(library, (manifest) => {
      delete manifest.optionalDependencies
    }),
  },
  {
    name: 'an addon of another version is requested',
    foundBy: 'ESM',
    change: inManifest(library, (manifest) => {
      manifest.optionalDependencies[addon] = '0.0.1'
    }),
  },
  {
    name: 'an addon that the loader does not know',
    foundBy: `files of ${library}`,
    change: inManifest(library, (manifest) => {
      manifest.optionalDependencies['process-rwlock-freebsd-x64'] = manifest.version
    }),
  },
  {
    name: 'a script at install',
    foundBy: `files of ${library}`,
    change: inManifest(library, (manifest) => {
      manifest.scripts = { install: 'node-gyp rebuild' }
    }),
  },
  {
    name: 'sources in the package',
    foundBy: `files of ${library}`,
    change: (staged) => writeFileSync(join(staged, library, 'dist/index.ts'), ''),
  },
  {
    name: 'the package of an addon for another system',
    foundBy: 'ESM',
    change: inManifest(addon, (manifest) => {
      manifest.os = ['aix']
    }),
  },
  {
    name: 'the package of an addon with another version',
    foundBy: 'contents',
    change: inManifest(addon, (manifest) => {
      manifest.version = '0.0.1'
    }),
  },
  {
    name: 'an addon in the package of another platform',
    foundBy: 'contents',
    change: (staged) => {
      const there = join(staged, `process-rwlock-${otherTarget}`)
      cpSync(join(staged, addon), there, { recursive: true })
      cpSync(
        join(staged, addon, `process-rwlock.${target}.node`),
        join(there, `process-rwlock.${otherTarget}.node`),
      )
    },
  },
  {
    name: 'an addon that is too large',
    foundBy: 'contents',
    change: (staged) => {
      const file = join(staged, addon, `process-rwlock.${target}.node`)
      writeFileSync(file, Buffer.concat([readFileSync(file), Buffer.alloc(1_350_000)]))
    },
  },
  {
    name: 'a broken addon',
    foundBy: 'CommonJS',
    change: (staged) => {
      const file = join(staged, addon, `process-rwlock.${target}.node`)
      writeFileSync(file, readFileSync(file).subarray(0, 100_000))
    },
  },
]

/**
 * @param {string} name of a file of the compiled library, in whichever folder it is
 * @param {[from: string | RegExp, to: string]} change of what occurs exactly once
 * @returns {Mutant['change']}
 */
function inFile(name, [from, to]) {
  return (staged) => {
    const dist = join(staged, library, 'dist')
    const found = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter(
      (path) => basename(path) === name,
    )
    if (found.length !== 1) throw new Error(`there are ${found.length} files ${name}`)
    const file = join(dist, found[0] ?? '')
    const text = readFileSync(file, 'utf8')
    if (text.split(from).length !== 2) throw new Error(`it does not occur exactly once in ${name}: ${from}`)
    writeFileSync(
      file,
      text.replace(from, () => to),
    )
  }
}

/**
 * @param {string} name
 * @param {(manifest: any) => void} change
 * @returns {Mutant['change']}
 */
function inManifest(name, change) {
  return (staged) => {
    const manifest = readManifest(join(staged, name))
    change(manifest)
    writeManifest(join(staged, name), manifest)
  }
}
