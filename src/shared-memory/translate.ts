// The errors of the addon as those of the API.
import { coded, LockError, type LockErrorCode } from '../errors.js'

/** Runs a function of the binding; its errors become those of the API. */
export function translated<T>(call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw translate(error)
  }
}

export function translate(error: unknown): unknown {
  const { code, message, cause } = error as { code?: unknown; message: string; cause?: { message?: string } }
  if (typeof code !== 'string') return error
  if (code.startsWith('ERR_LOCK_'))
    return withSystemError(new LockError(code as LockErrorCode, message), cause?.message)
  return code === 'ERR_INVALID_ARG_VALUE' ? coded(code, message) : error
}

/** `said`: what the binding tells of the system's error: errno, its name, the system call, and the text. */
export function withSystemError(error: LockError, said: string | undefined): LockError {
  const [, number, code = '', syscall = '', text] = /^(\d+) (\S+) (\S+) (.*)$/s.exec(said ?? '') ?? []
  if (number === undefined) return error
  const errno = errnoOf(code, Number(number))
  const cause = Object.assign(new Error(`${code}: ${text}, ${syscall}`), { errno, code, syscall })
  const values = { cause, errno, syscall }
  for (const [key, value] of Object.entries(values)) {
    // Not enumerable, as in errors of the language: `cause` shows all three.
    Object.defineProperty(error, key, {
      value,
      configurable: true,
      writable: true,
      enumerable: key !== 'cause',
    })
  }
  return error
}

/** As Node.js counts: negative, and on Windows a number of its own. */
function errnoOf(code: string, number: number): number {
  if (process.platform !== 'win32') return -number
  const { getSystemErrorMap } = process.getBuiltinModule('node:util') // not imported: see binding.ts
  for (const [errno, [name]] of getSystemErrorMap()) if (name === code) return errno
  return -number
}
