// What the functions that take a lock need of it. The lock may be of any engine, and of another copy of
// this package, so it is recognized by what it offers.
import { invalidType, invalidValue } from './errors.js'
import type { RWLock } from './rwlock.js'

/** How a lock is held. */
export type LockMode = 'read' | 'write' | 'upgradable'

/** A lock of any engine. */
export type AsyncLock = Pick<RWLock, LockMode | 'toJSON'>

/**
 * A lock's method of this name returns its identity: a string that differs from that of any other lock, and is the same
 * for the same lock in every process, however it was opened.
 */
export const identitySymbol: unique symbol = Symbol.for('process-rwlock.identity') as never

const MODES: readonly unknown[] = ['read', 'write', 'upgradable'] satisfies LockMode[]

export function checkLock(name: string, value: unknown): asserts value is AsyncLock {
  const isLock =
    typeof value === 'object' &&
    value !== null &&
    [...MODES, identitySymbol].every((key) => typeof Reflect.get(value, key as string) === 'function')
  if (!isLock) throw invalidType(name, 'a lock, such as an RWLock', value)
}

export function checkMode(name: string, value: unknown): asserts value is LockMode {
  if (!MODES.includes(value)) throw invalidValue(name, value, "must be 'read', 'write' or 'upgradable'")
}

/** See {@link identitySymbol}. @throws `ERR_LOCK_CLOSED` */
export function identityOf(lock: AsyncLock): string {
  return (lock as unknown as { [identitySymbol](): string })[identitySymbol]()
}

/** What an error calls the lock. */
export function textOf(lock: AsyncLock): string {
  const ref = lock.toJSON()
  return 'name' in ref ? `lock '${ref.name}'` : `lock ${ref.path}`
}
