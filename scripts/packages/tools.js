// The tools that are installed in this folder. Only the test of the packages needs them.
import { join } from 'node:path'
import * as each from '../lib/install-tools.js'

/** The folder in which they are installed. */
export const tools = import.meta.dirname

/** The paths of their programs. */
export const programs = {
  attw: tool('@arethetypeswrong/cli/dist/index.js'),
  jest: tool('jest/bin/jest.js'),
  ncc: tool('@vercel/ncc/dist/ncc/cli.js'),
  next: tool('next/dist/bin/next'),
  pnpm: tool('pnpm/bin/pnpm.cjs'),
  publint: tool('publint/src/cli.js'),
  tsNode: tool('ts-node/dist/bin.js'),
  tsx: tool('tsx/dist/cli.mjs'),
  vitest: tool('vitest/vitest.mjs'),
  yarn: tool('yarn/bin/yarn.js'),
  yarnBerry: tool('@yarnpkg/cli-dist/bin/yarn.js'),
}

/** @param {string} path */
function tool(path) {
  return join(tools, 'node_modules', path)
}

export function installTools() {
  return each.installTools(tools)
}
