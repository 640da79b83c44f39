// The tools in this folder, which only the test of the packages needs.
import { join } from 'node:path'
import * as tools from '../install-tools.js'

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

export function installTools() {
  return tools.installTools(folder)
}
