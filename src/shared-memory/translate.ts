// Converts the errors of the addon to those of the API.
import { coded, LockError, type LockErrorCode } from '../errors.js'

/** Runs a call of the addon, and converts its errors. */
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

/**
 * `text`: the error of the operating system as the addon writes it: errno, its name, the system
 * call, and the message.
 */
export function withSystemError(error: LockError, text: string | undefined): LockError {
  const [, number, code = '', syscall = '', message] = /^(\d+) (\S+) (\S+) (.*)$/s.exec(text ?? '') ?? []
  if (number === undefined) return error
  const errno = errnoOf(code, Number(number))
  const cause = Object.assign(new Error(`${code}: ${message}, ${syscall}`), { errno, code, syscall })
  const values = { cause, errno, syscall }
  for (const [key, value] of Object.entries(values)) {
    // Not enumerable, as in errors of the language. `console.log` shows all three with the cause.
    Object.defineProperty(error, key, {
      value,
      configurable: true,
      writable: true,
      enumerable: key !== 'cause',
    })
  }
  return error
}

/** The number that Node.js gives the error: negative; on Windows a number of libuv. */
function errnoOf(code: string, number: number): number {
  if (process.platform !== 'win32') return -number
  const { getSystemErrorMap } = process.getBuiltinModule('node:util') // not imported: see binding.ts
  for (const [errno, [name]] of getSystemErrorMap()) if (name === code) return errno
  return -number
}
