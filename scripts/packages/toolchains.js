// The tools that load, compile or bundle the package in the projects of users.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { root } from '../lib/run.js'
import { next } from './next.js'
import { programs } from './tools.js'

const tsc = join(fileURLToPath(root), 'node_modules/typescript/bin/tsc')

/** @typedef {import('./fixture.js').FixtureProject} FixtureProject */

/**
 * @typedef {object} Toolchain
 * @property {string} name
 * @property {string} [since] the oldest Node.js that the tool supports, if newer than the oldest that this package supports
 * @property {boolean} [slow] on the newest Node.js only, except with --full
 * @property {boolean} [extra] only with --full
 * @property {(fixture: FixtureProject, node: string) => Promise<unknown>} run
 */

/** @type {Toolchain[]} */
export const toolchains = [
  {
    name: 'import and require()',
    async run(fixture, node) {
      await fixture.waits(node, 'main.mjs')
      await fixture.waits(node, 'main.cjs')
    },
  },
  {
    name: 'Jest',
    run: (fixture, node) => fixture.run(node, programs.jest, '--rootDir', 'jest', '--runInBand'),
  },
  {
    name: 'Jest, ES modules',
    run: (fixture, node) =>
      fixture.run(
        ...[node, '--no-warnings', '--experimental-vm-modules', programs.jest],
        ...['--rootDir', 'jest-esm', '--runInBand'],
      ),
  },
  {
    name: 'Vitest',
    since: '22',
    run: (fixture, node) => fixture.run(node, programs.vitest, 'run', '--root', 'vitest'),
  },
  {
    name: 'tsx',
    async run(fixture, node) {
      await fixture.waits(node, programs.tsx, 'typescript/main.mts')
      await fixture.waits(node, programs.tsx, 'typescript/main.cts')
    },
  },
  // With TypeScript 6, the last that it supports: TypeScript 7 lacks the functions that it calls.
  { name: 'ts-node', run: (fixture, node) => fixture.waits(node, programs.tsNode, 'typescript/main.cts') },
  ...['node16', 'node18', 'nodenext'].map((module) => ({
    name: `TypeScript, ${module}`,
    async run(/** @type {FixtureProject} */ fixture, /** @type {string} */ node) {
      await fixture.run(
        process.execPath,
        tsc,
        '--project',
        '.',
        '--module',
        module,
        '--outDir',
        `out-${module}`,
      )
      await fixture.waits(node, `out-${module}/typescript/main.mjs`)
      await fixture.waits(node, `out-${module}/typescript/main.cjs`)
    },
  })),
  ...['esbuild', 'webpack'].map((bundler) => ({
    name: `${bundler}, external`,
    async run(/** @type {FixtureProject} */ fixture, /** @type {string} */ node) {
      for (const [entry, format] of [
        ['main.mjs', 'esm'],
        ['main.cjs', 'cjs'],
      ]) {
        const bundle = `out-${bundler}/${entry}`
        await fixture.run(node, `bundle/${bundler}.mjs`, entry, format, bundle, 'process-rwlock')
        await fixture.waits(node, bundle)
      }
    },
  })),
  ...['esbuild', 'webpack', 'rollup', 'vite'].map((bundler) => ({
    name: `${bundler}, bundled`,
    async run(/** @type {FixtureProject} */ fixture, /** @type {string} */ node) {
      for (const [entry, format, bundle] of [
        ['swallowed.mjs', 'esm', 'import.mjs'],
        ['swallowed.mjs', 'cjs', 'import.cjs'],
        ['swallowed.cjs', 'esm', 'require.mjs'],
        ['swallowed.cjs', 'cjs', 'require.cjs'],
      ]) {
        const file = `out-${bundler}-bundled/${bundle}`
        await fixture.run(node, `bundle/${bundler}.mjs`, entry, format, file)
        await reportsBundling(fixture, node, file)
      }
    },
  })),
  {
    name: 'ncc, bundled',
    async run(fixture, node) {
      for (const format of ['mjs', 'cjs']) {
        const folder = `out-ncc-${format}`
        await fixture.run(node, programs.ncc, 'build', `swallowed.${format}`, '-o', folder, '-q')
        await reportsBundling(fixture, node, `${folder}/index.${format}`)
      }
    },
  },
  { name: 'Next.js', slow: true, run: (fixture, node) => next(fixture, node, []) },
  { name: 'Next.js, webpack', extra: true, run: (fixture, node) => next(fixture, node, ['--webpack']) },
]

/** @param {FixtureProject} fixture @param {string} node @param {string} bundle */
async function reportsBundling(fixture, node, bundle) {
  const printed = await fixture.run(node, 'load.mjs', bundle)
  if (!/^LockError ERR_LOCK_UNSUPPORTED: process-rwlock was bundled.* external/m.test(printed)) {
    throw new Error(`${bundle}: ${printed}`)
  }
}
