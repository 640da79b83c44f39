// Replacing a file so that a crash at any instruction leaves the old content or the new one.
import { createHash, randomBytes } from 'node:crypto'
import * as fs from 'node:fs'
import { basename, dirname, join } from 'node:path'
import * as disk from './disk.js'
import type { Steps } from './steps.js'

const MARK = '.rwlock-tmp'
const LEFTOVER = /^\d+-[0-9a-f]{12}\.rwlock-tmp$/
const MAX_FILE_NAME_BYTES = 255

/**
 * Writes `bytes` to a temporary file of `target`, and renames that to `path`. The file gets the
 * mode and owner of `like`, or else `mode`.
 */
export function* replaceFile(
  target: string,
  path: string,
  bytes: Uint8Array,
  like: fs.Stats | null,
  mode: number,
): Steps<void> {
  const temporary = temporaryFile(target)
  try {
    // Private until its owner is set.
    const fd = yield* disk.create(temporary, like === null ? mode : 0o600)
    try {
      yield* disk.writeNew(fd, bytes)
      if (like !== null) setOwnerAndMode(fd, like)
      yield* disk.fsync(fd) // before the rename: a power cut must not leave an empty file
    } finally {
      fs.closeSync(fd)
    }
    yield* disk.retryWhileShared(() => disk.rename(temporary, path))
  } catch (error) {
    disk.ignoring(() => fs.unlinkSync(temporary))
    throw withPath(error, path)
  }
  yield* syncFolder(dirname(path))
}

function setOwnerAndMode(fd: number, like: fs.Stats): void {
  if (process.platform === 'win32') return
  let mode = like.mode & 0o7777
  const own = fs.fstatSync(fd)
  if (own.uid !== like.uid || own.gid !== like.gid) {
    const refused = ['EPERM', 'EINVAL'] // EINVAL: an owner that this user namespace does not have
    disk.ignoring(() => fs.fchownSync(fd, own.uid, like.gid), refused)
    disk.ignoring(() => fs.fchownSync(fd, like.uid, like.gid), refused)
    const { uid, gid } = fs.fstatSync(fd)
    // Another group must not get the permissions of the old group.
    if (gid !== like.gid) mode = (mode & ~0o070) | ((mode & 0o007) << 3)
    if (uid !== like.uid || gid !== like.gid) mode &= 0o777
  }
  // After the owner: changing it clears the setuid bit.
  fs.fchmodSync(fd, mode)
}

/** Makes the rename durable, where the system can. */
function* syncFolder(folder: string): Steps<void> {
  if (process.platform === 'win32') return // Windows cannot open folders
  // The folder may be writable but not readable, and some file systems cannot sync folders.
  const refused = ['EACCES', 'EPERM', 'EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EISDIR', 'EBADF']
  const fd = disk.ignoring(() => fs.openSync(folder, 'r'), refused)
  if (fd === undefined) return
  try {
    yield* disk.ignoringSteps(disk.fsync(fd), refused)
  } finally {
    fs.closeSync(fd)
  }
}

/**
 * Removes the temporary files of killed processes. The caller holds the lock of the file, so none
 * is in use.
 */
export function* removeLeftovers(target: string): Steps<void> {
  const folder = dirname(target)
  const prefix = temporaryPrefix(target)
  const entries = (yield* disk.ignoringSteps(disk.readdir(folder))) ?? []
  for (const entry of entries) {
    if (!entry.startsWith(prefix) || !LEFTOVER.test(entry.slice(prefix.length))) continue
    disk.ignoring(() => fs.unlinkSync(join(folder, entry)))
  }
}

/**
 * The name is unique. With a fixed name, two processes that do not share the lock (two containers
 * without `beside`) would write into one temporary file.
 */
function temporaryFile(target: string): string {
  const unique = `${process.pid}-${randomBytes(6).toString('hex')}`
  return join(dirname(target), `${temporaryPrefix(target)}${unique}${MARK}`)
}

function temporaryPrefix(target: string): string {
  const name = basename(target)
  const rest = `..${2 ** 32}-${'0'.repeat(12)}${MARK}`
  if (Buffer.byteLength(name) + rest.length <= MAX_FILE_NAME_BYTES) return `.${name}.`
  return `.${createHash('sha256').update(name, 'utf16le').digest('hex').slice(0, 32)}.`
}

/**
 * Adds the path to an error of a call that gets only a file descriptor, such as `ENOSPC` from
 * `write`.
 */
function withPath(error: unknown, path: string): unknown {
  const { syscall, path: known } = error as NodeJS.ErrnoException
  if (syscall !== undefined && known === undefined) {
    Object.assign(error as Error, { message: `${(error as Error).message} '${path}'`, path })
  }
  return error
}
