// The documents of this repository: all Markdown files under version control, and llms.txt.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { root } from '../lib/run.js'

/** @returns {string[]} paths relative to the root */
export function documents() {
  const listed = ['ls-files', '--cached', '--others', '--exclude-standard', '*.md', 'llms.txt']
  return execFileSync('git', listed, { cwd: root, encoding: 'utf8' })
    .trim()
    .split('\n')
    .filter((name) => existsSync(fileURLToPath(new URL(name, root))))
}
