// The file that a path leads to, and the name of its lock.
import { createHash } from 'node:crypto'
import { lstatSync, readlinkSync, realpathSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, parse, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { invalidType, invalidValue } from '../errors.js'
import { binding } from '../shared-memory/binding.js'
import { codeOf } from './disk.js'

/** A file, and the name of its lock. */
export interface Target {
  /** Its real path. */
  path: string
  /** The name of its lock: the same for every path that leads to the file. */
  name: string
}

const MAX_LINKS = 40 // as in Linux

/** `file` as a path, which may be relative. */
export function checkFile(file: unknown): string {
  const path = isURL(file) ? fileURLToPath(file) : file
  if (typeof path !== 'string') throw invalidType('file', 'a path or a file: URL', file)
  if (path === '') throw invalidValue('file', path, 'must not be empty')
  if (path.includes('\0')) throw invalidValue('file', path, 'must not contain a NUL character')
  return path
}

/** The path that stays the same when the working directory changes. */
export function absolute(path: string): string {
  if (process.platform === 'win32') return resolve(path)
  // Not `resolve()`: it would remove the `..` that follows a link.
  return isAbsolute(path) ? path : `${process.cwd()}/${path}`
}

/** Like Node.js, this accepts the URL objects of other contexts. */
function isURL(value: unknown): value is URL {
  return typeof value === 'object' && value !== null && 'href' in value && 'protocol' in value
}

/**
 * Synchronous even in asynchronous functions: `forFile()` must be, and these calls take
 * microseconds.
 *
 * @throws as `fs.realpathSync()`, if the file's folder does not exist or cannot be searched.
 */
export function findTarget(file: string): Target {
  const path = realPath(file)
  return { path, name: nameOf(canonicalCase(path)) }
}

/**
 * The path without links, `.` and `..`. The file need not exist; a link to a missing file leads to
 * the path where the file would be created.
 */
function realPath(file: string): string {
  let path = file
  for (let links = 0; links <= MAX_LINKS; links++) {
    let missing: unknown
    try {
      return realpathSync.native(path)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
      missing = error
    }
    if (path.endsWith(sep) || path.endsWith('/')) throw missing // a missing folder
    const entry = join(realpathSync.native(dirname(path)), basename(path))
    if (!lstatSync(entry, { throwIfNoEntry: false })?.isSymbolicLink()) return entry
    const to = readlinkSync(entry)
    // Not `join()`: it would remove the `..` that follows a link.
    path = isAbsolute(to) ? to : `${dirname(entry)}${sep}${to}`
  }
  const message = `ELOOP: too many symbolic links encountered, realpath '${file}'`
  throw Object.assign(new Error(message), { code: 'ELOOP', syscall: 'realpath', path: file })
}

/** The path with one spelling for all names that a folder treats as equal. */
function canonicalCase(path: string): string {
  const { root } = parse(path)
  let folder = root
  let canonical = root
  // A name that cannot be tested (a missing file, or no letters in it) is treated like its parent
  // folder.
  let ignoresCase = process.platform === 'win32' || process.platform === 'darwin'
  for (const name of path.slice(root.length).split(sep)) {
    ignoresCase = entryIgnoresCase(folder, name) ?? ignoresCase
    folder = join(folder, name)
    canonical = join(canonical, ignoresCase ? foldCase(name) : name)
  }
  return canonical
}

/**
 * Whether another spelling of an existing name leads to the same file; `undefined` if that cannot
 * be tested.
 */
function entryIgnoresCase(folder: string, name: string): boolean | undefined {
  const lower = name.toLowerCase()
  const other = name === lower ? name.toUpperCase() : lower
  if (other === name) return undefined
  try {
    const options = { throwIfNoEntry: false, bigint: true } as const
    const found = lstatSync(join(folder, other), options)
    const entry = lstatSync(join(folder, name), options)
    if (entry === undefined) return undefined
    return found !== undefined && found.ino === entry.ino && found.dev === entry.dev
  } catch {
    return undefined
  }
}

/** Upper case first, because some letters have several lower case forms. */
function foldCase(name: string): string {
  return name.normalize('NFD').toUpperCase().toLowerCase().normalize('NFC')
}

/**
 * The path itself, because `inspect()` shows it; its hash and its end if the path cannot be the
 * name of a lock.
 */
function nameOf(path: string): string {
  const name = `file:${path}`
  if (Buffer.byteLength(name) <= binding.MAX_NAME_BYTES && !/\p{Surrogate}/u.test(name)) return name
  // In UTF-16, because lone surrogates have no UTF-8 form.
  const hash = createHash('sha256').update(path, 'utf16le').digest('hex')
  const end = basename(path)
    .slice(-40)
    .replace(/\p{Surrogate}/gu, '\uFFFD')
  return `file#${hash}…${end}`
}
