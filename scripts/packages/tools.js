// The tools in this folder, which only the test of the packages needs: they are many times what the library needs.
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { npm } from '../run.js'
import { say } from '../setup.js'

const folder = import.meta.dirname

/** Where their programs are. */
export const programs = {
  attw: tool('@arethetypeswrong/cli/dist/index.js'),
  pnpm: tool('pnpm/bin/pnpm.cjs'),
  publint: tool('publint/src/cli.js'),
  yarn: tool('yarn/bin/yarn.js'),
}

/** @param {string} path */
function tool(path) {
  return join(folder, 'node_modules', path)
}

export async function installTools() {
  const installed = tool('.package-lock.json')
  const isCurrent =
    existsSync(installed) && statSync(installed).mtimeMs > statSync(join(folder, 'package-lock.json')).mtimeMs
  if (isCurrent) return
  say('Installing the tools (npm ci in scripts/packages)')
  await npm('ci', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error')
}
