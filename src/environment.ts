// What the environment asks of the library when it is loaded.
import { releaseChannel } from './diagnostics.js'

/** An environment variable; empty if it is not set. */
export function variable(name: string): string {
  try {
    return process.env[name] ?? ''
  } catch {
    return '' // this runtime gives no permission for it
  }
}

/**
 * Whether this is the first copy of the package in the thread that does `what`. All copies have the
 * same channels, so one that subscribes to them is enough.
 */
export function isFirstCopy(what: string): boolean {
  const mark = Symbol.for(`process-rwlock.${what}`)
  if (Reflect.has(releaseChannel, mark)) return false
  Object.defineProperty(releaseChannel, mark, { value: true })
  return true
}
