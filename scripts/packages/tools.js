// The tools in this folder, which only the test of the packages needs: they are many times what the library needs.
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { npm } from '../run.js'
import { say } from '../setup.js'

/** Where they are installed. */
export const tools = import.meta.dirname

/** Where their programs are. */
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

export async function installTools() {
  const installed = tool('.package-lock.json')
  const isCurrent =
    existsSync(installed) && statSync(installed).mtimeMs > statSync(join(tools, 'package-lock.json')).mtimeMs
  if (isCurrent) return
  say('Installing the tools (npm ci in scripts/packages)')
  await npm('ci', '--prefix', tools, '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error')
}
