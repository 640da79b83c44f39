// Locks and modes as arguments. A lock may be of any engine, and of another copy of this package,
// so it is recognized by its members.
import { invalidType, invalidValue } from './errors.js'
import { MODE_NAMES, type ModeName } from './modes.js'
import type { AsyncRWLock } from './types.js'

/** The method that returns the identity of the lock: see `LockEngine.identity`. */
export const identitySymbol: unique symbol = Symbol.for('process-rwlock.identity') as never

const MODES: readonly unknown[] = MODE_NAMES.slice(1)

export function checkLockArgument(name: string, value: unknown): asserts value is AsyncRWLock {
  const isLock =
    typeof value === 'object' &&
    value !== null &&
    [...MODES, identitySymbol].every((key) => typeof Reflect.get(value, key as string) === 'function')
  if (!isLock) throw invalidType(name, 'a lock, such as an RWLock', value)
}

export function checkModeArgument(name: string, value: unknown): asserts value is ModeName {
  if (!MODES.includes(value)) throw invalidValue(name, value, "must be 'read', 'write' or 'upgradable'")
}

/** @throws `ERR_LOCK_CLOSED` */
export function identityOf(lock: AsyncRWLock): string {
  return (lock as unknown as { [identitySymbol](): string })[identitySymbol]()
}
