// The errors of proper-lockfile: programs compare their codes, and some their messages.
import type { Holder } from '../types.js'

const error = (code: string, message: string, more: object = {}) =>
  Object.assign(new Error(message), { code, ...more })

/** `holders`: those of this library, if it knows them. */
export function locked(file: string, holders: Holder[] = [], cause?: unknown): Error {
  const [holder] = holders
  const by = holder === undefined ? '' : ` by pid ${holder.pid} ('${holder.label}') for ${holder.ms} ms`
  return withCause(error('ELOCKED', `Lock file is already being held${by}`, { file, holders }), cause)
}

export const notAcquired = (file: string) =>
  error('ENOTACQUIRED', 'Lock is not acquired/owned by you', { file })

export const released = (file: string) => error('ERELEASED', 'Lock is already released', { file })

export const noRetries = () => error('ESYNC', 'Cannot use retries with the sync api')

export function compromised(file: string, directory: string, cause: unknown): Error {
  const why = cause === undefined ? 'was taken by another process' : 'could not be updated'
  return withCause(error('ECOMPROMISED', `${directory} ${why}: its lock is lost`, { file }), cause)
}

function withCause(made: Error, cause: unknown): Error {
  if (cause !== undefined)
    Object.defineProperty(made, 'cause', { value: cause, configurable: true, writable: true })
  return made
}
