// Checks that what the code spans of a document name exists: files, functions, types and constants.
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { root } from '../lib/run.js'

/** Where a path may begin. */
const FOLDERS = ['', 'src/', 'crates/rwlock/src/', 'crates/node/src/']
const PATH = /^[\w.-]+(?:\/[\w.-]*)+$/
const FILE = /^[\w-]+\.(?:js|rs|ts)$/
/** A type and its method, or a name with an underscore. */
const NAME = /^(?:\w+::)?\w*(?:_|(?<=::))\w+$/

/** @param {string} text */
export function* nameProblems(text) {
  const files = trackedFiles()
  const names = namesIn(files.filter((file) => /\.(?:rs|ts)$/.test(file)))
  const prose = text.replace(/^```[\s\S]*?^```$/gm, '')
  for (const [, span = ''] of prose.matchAll(/`([^`\n]+)`/g)) {
    if (PATH.test(span)) {
      if (!FOLDERS.some((folder) => existsSync(new URL(folder + span, root)))) yield `there is no ${span}`
    } else if (FILE.test(span)) {
      if (!files.some((file) => posix.basename(file) === span)) yield `there is no ${span}`
    } else if (NAME.test(span)) {
      const missing = span.split('::').find((name) => !names.has(name))
      if (missing !== undefined) yield `no source has the name ${missing}`
    }
  }
}

function trackedFiles() {
  const listed = ['ls-files', '--cached', '--others', '--exclude-standard']
  const files = execFileSync('git', listed, { cwd: root, encoding: 'utf8' }).trim().split('\n')
  return files.filter((name) => existsSync(new URL(name, root)))
}

/** @param {string[]} files */
function namesIn(files) {
  const names = new Set()
  for (const file of files) {
    for (const [name] of readFileSync(new URL(file, root), 'utf8').matchAll(/\b\w+\b/g)) names.add(name)
  }
  return names
}
