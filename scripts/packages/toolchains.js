// The tools that load, compile or bundle the package in projects of users.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { root } from '../lib/run.js'
import { next } from './next.js'
import { programs } from './tools.js'

const tsc = join(fileURLToPath(root), 'node_modules/typescript/bin/tsc')

/** @typedef {import('./fixture.js').Workshop} Workshop */

/**
 * @typedef {object} Use
 * @property {string} name
 * @property {string} [since] the oldest Node.js that the tool supports, if that is newer than ours
 * @property {boolean} [slow] on the newest Node.js only, unless everything is wanted
 * @property {boolean} [extra] only if everything is wanted
 * @property {(workshop: Workshop, node: string) => Promise<unknown>} run
 */

/** @type {Use[]} */
export const uses = [
  {
    name: 'import and require()',
    async run(workshop, node) {
      await workshop.waits(node, 'main.mjs')
      await workshop.waits(node, 'main.cjs')
    },
  },
  {
    name: 'Jest',
    run: (workshop, node) => workshop.run(node, programs.jest, '--rootDir', 'jest', '--runInBand'),
  },
  {
    name: 'Jest, ES modules',
    run: (workshop, node) =>
      workshop.run(
        ...[node, '--no-warnings', '--experimental-vm-modules', programs.jest],
        ...['--rootDir', 'jest-esm', '--runInBand'],
      ),
  },
  {
    name: 'Vitest',
    since: '22',
    run: (workshop, node) => workshop.run(node, programs.vitest, 'run', '--root', 'vitest'),
  },
  {
    name: 'tsx',
    async run(workshop, node) {
      await workshop.waits(node, programs.tsx, 'typescript/main.mts')
      await workshop.waits(node, programs.tsx, 'typescript/main.cts')
    },
  },
  // With the last TypeScript that it works with, 6: from 7 on there is none of the functions that it calls.
  { name: 'ts-node', run: (workshop, node) => workshop.waits(node, programs.tsNode, 'typescript/main.cts') },
  ...['node16', 'node18', 'nodenext'].map((module) => ({
    name: `TypeScript, ${module}`,
    async run(/** @type {Workshop} */ workshop, /** @type {string} */ node) {
      await workshop.run(
        process.execPath,
        tsc,
        '--project',
        '.',
        '--module',
        module,
        '--outDir',
        `out-${module}`,
      )
      await workshop.waits(node, `out-${module}/typescript/main.mjs`)
      await workshop.waits(node, `out-${module}/typescript/main.cjs`)
    },
  })),
  ...['esbuild', 'webpack'].map((bundler) => ({
    name: `${bundler}, external`,
    async run(/** @type {Workshop} */ workshop, /** @type {string} */ node) {
      for (const [entry, format] of [
        ['main.mjs', 'esm'],
        ['main.cjs', 'cjs'],
      ]) {
        const bundle = `out-${bundler}/${entry}`
        await workshop.run(node, `bundle/${bundler}.mjs`, entry, format, bundle, 'process-rwlock')
        await workshop.waits(node, bundle)
      }
    },
  })),
  ...['esbuild', 'webpack', 'rollup', 'vite'].map((bundler) => ({
    name: `${bundler}, bundled`,
    async run(/** @type {Workshop} */ workshop, /** @type {string} */ node) {
      for (const [entry, format, bundle] of [
        ['swallowed.mjs', 'esm', 'import.mjs'],
        ['swallowed.mjs', 'cjs', 'import.cjs'],
        ['swallowed.cjs', 'esm', 'require.mjs'],
        ['swallowed.cjs', 'cjs', 'require.cjs'],
      ]) {
        const file = `out-${bundler}-bundled/${bundle}`
        await workshop.run(node, `bundle/${bundler}.mjs`, entry, format, file)
        await saysItWasBundled(workshop, node, file)
      }
    },
  })),
  {
    name: 'ncc, bundled',
    async run(workshop, node) {
      for (const format of ['mjs', 'cjs']) {
        const folder = `out-ncc-${format}`
        await workshop.run(node, programs.ncc, 'build', `swallowed.${format}`, '-o', folder, '-q')
        await saysItWasBundled(workshop, node, `${folder}/index.${format}`)
      }
    },
  },
  { name: 'Next.js', slow: true, run: (workshop, node) => next(workshop, node, []) },
  { name: 'Next.js, webpack', extra: true, run: (workshop, node) => next(workshop, node, ['--webpack']) },
]

/** @param {Workshop} workshop @param {string} node @param {string} bundle */
async function saysItWasBundled(workshop, node, bundle) {
  const printed = await workshop.run(node, 'load.mjs', bundle)
  if (!/^LockError ERR_LOCK_UNSUPPORTED: process-rwlock was bundled.* external/m.test(printed)) {
    throw new Error(`${bundle}: ${printed}`)
  }
}
