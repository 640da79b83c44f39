import { invalidValue } from './errors.js'
import { checkLockArgument, checkModeArgument } from './lock-arguments.js'
import type { ModeName } from './modes.js'
import { checkAcquireOptions, checkFunction } from './options.js'
import type { AcquireOptions, AsyncRWLock } from './types.js'

/**
 * What {@link locked} returns: decorates a method, or wraps a function. `This` is the type of
 * `this` that the lock is found with.
 */
export interface Locked<This> {
  /** Decorates a method, which must return a promise. */
  // biome-ignore lint/suspicious/noExplicitAny: any method that returns a promise.
  <Method extends (this: any, ...args: any[]) => Promise<any>, Class extends This>(
    method: Method,
    context: ClassMethodDecoratorContext<Class, Method>,
  ): Method
  /** Wraps a function: its result becomes a promise, unless it is one. */
  <Self extends This, Args extends unknown[], Result>(
    fn: (this: Self, ...args: Args) => Result,
    context?: undefined,
  ): (this: Self, ...args: Args) => Promise<Awaited<Result>>
}

/**
 * Makes a function run while `lock` is held in `mode`. The result wraps a function, or decorates a
 * method:
 *
 * ```ts
 * const save = locked(lock, 'write')(async (settings: Settings) => { … })
 *
 * class Store {
 *   @locked(lock, 'write') async save() { … }
 *   @locked((store: Store) => store.lock, 'read') async load() { … }   // each store has its own lock
 * }
 * ```
 *
 * Each call acquires the lock, calls the function with the same `this` and arguments, and releases
 * the lock when the promise of the function has settled, as `lock.read()`, `lock.write()` and
 * `lock.upgradable()` do. So it returns a promise, which can also reject with their errors. The
 * function keeps its name and its `length`.
 *
 * A locked function that calls another one with the same lock waits for itself, unless the lock is
 * re-entrant.
 *
 * The decorator is a standard one: for TypeScript 5 or newer without `experimentalDecorators`, or
 * for another compiler. No version of Node.js runs decorators without a compiler.
 *
 * @param lock - The lock, or a function that returns it. That function is called for each call,
 * with the `this` of the call.
 * @param options - For each call.
 *
 * @throws `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`; likewise the result, if it gets
 * something else than a function or a method, or a generator function, whose body would run after
 * the release.
 */
// biome-ignore lint/suspicious/noExplicitAny: a lock that is the same for all fits any `this`.
export function locked<This = any>(
  lock: AsyncRWLock | ((self: This) => AsyncRWLock),
  mode: 'read' | 'write' | 'upgradable',
  options?: AcquireOptions,
): Locked<This> {
  if (typeof lock !== 'function') checkLockArgument('lock', lock)
  checkModeArgument('mode', mode)
  const checked = options === undefined ? undefined : checkAcquireOptions(options)
  return ((fn: unknown, context?: unknown) => {
    checkTarget(fn, context)
    return wrap(fn, (self) => lockOf(lock, self as This), mode, checked)
  }) as Locked<This>
}

function wrap(
  fn: (...args: unknown[]) => unknown,
  find: (self: unknown) => AsyncRWLock,
  mode: ModeName,
  options: AcquireOptions | undefined,
): (...args: unknown[]) => Promise<unknown> {
  async function wrapped(this: unknown, ...args: unknown[]): Promise<unknown> {
    return find(this)[mode](() => Reflect.apply(fn, this, args), options)
  }
  const { name, length } = Object.getOwnPropertyDescriptors(fn)
  return Object.defineProperties(wrapped, { name, length } as PropertyDescriptorMap)
}

function lockOf<This>(lock: AsyncRWLock | ((self: This) => AsyncRWLock), self: This): AsyncRWLock {
  if (typeof lock !== 'function') return lock
  const found: unknown = lock(self)
  checkLockArgument('The value that lock() returns', found)
  return found
}

function checkTarget(fn: unknown, context: unknown): asserts fn is (...args: unknown[]) => unknown {
  const kind =
    typeof context === 'object' && context !== null ? (context as { kind?: unknown }).kind : context
  if (kind !== undefined && kind !== 'method') {
    throw invalidValue(
      '@locked()',
      kind,
      typeof context === 'object'
        ? 'decorates methods only'
        : 'is a standard decorator: compile without experimentalDecorators (TypeScript) or legacy decorators (Babel)',
    )
  }
  checkFunction('fn', fn)
  if (/Generator/.test(Object.prototype.toString.call(fn))) {
    throw invalidValue(
      'fn',
      (fn as { name?: string }).name,
      'must not be a generator function: its body would run after the lock was released',
    )
  }
}
