// The exit codes, those of sysexits.h where it has one, as flock(1) does.

/** The arguments are wrong (EX_USAGE). */
export const USAGE = 64
/** A file that was given does not exist (EX_NOINPUT). */
export const NO_INPUT = 66
/** A fault of this program (EX_SOFTWARE). */
export const SOFTWARE = 70
/** A file or a stream cannot be read or written (EX_IOERR). */
export const IO = 74
/** The command is not executable, and not found, as in shells. */
export const NOT_EXECUTABLE = 126
export const NOT_FOUND = 127

/** Those that every command can have. */
export const MEANINGS: Readonly<Record<number, string>> = {
  64: 'the arguments are wrong',
  65: 'the lock is corrupt, or of an incompatible version',
  66: 'the folder of a file does not exist (--file, --out)',
  69: 'the system lacks what the lock needs, or the database cannot be reached',
  70: 'a fault of process-rwlock',
  74: 'a file or stream cannot be read or written, for example because the disk is full',
  75: 'no free attachment, or the lock is in use',
  77: 'no access to the lock, or the folder of a lock does not exist (--path)',
}

const OF_ERRORS: Record<string, number> = {
  ERR_INVALID_ARG_VALUE: USAGE,
  ERR_LOCK_CORRUPT: 65, // EX_DATAERR
  ERR_LOCK_INCOMPATIBLE: 65,
  ENOENT: NO_INPUT,
  ENOTDIR: NO_INPUT,
  ERR_LOCK_UNSUPPORTED: 69, // EX_UNAVAILABLE
  ERR_LOCK_UNAVAILABLE: 69,
  ERR_LOCK_FULL: 75, // EX_TEMPFAIL
  ERR_LOCK_BUSY: 75,
  ERR_LOCK_ACCESS: 77, // EX_NOPERM
  EACCES: 77,
  EPERM: 77,
}

/** The exit code for an error that a user can act on; `undefined` for a fault of this program. */
export function exitCodeOf(error: unknown): number | undefined {
  const { code, syscall } = (error ?? {}) as { code?: unknown; syscall?: unknown }
  if (typeof code !== 'string') return undefined
  if (Object.hasOwn(OF_ERRORS, code)) return OF_ERRORS[code]
  return typeof syscall === 'string' ? IO : undefined
}
