import { LockError } from '../errors.js'

/** An error for a file whose content is invalid from `offset` on. */
export function invalidContent(
  path: string,
  text: string,
  offset: number,
  problem: string,
  cause?: unknown,
): LockError {
  const before = text.slice(0, offset)
  const line = before.split('\n').length
  const column = offset - before.lastIndexOf('\n')
  const error = new LockError(
    'ERR_LOCK_INVALID_CONTENT',
    `${path}:${line}:${column}: ${problem}. Correct the file, or restore a backup`,
  )
  if (cause !== undefined) {
    Object.defineProperty(error, 'cause', { value: cause, configurable: true, writable: true })
  }
  return Object.assign(error, { path, line, column })
}
