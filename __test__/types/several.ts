// The types of lockAll(), acquireAll(), locked() and local(): `npm run typecheck` reads this, nothing runs it.
import {
  type AsyncGuard,
  type AsyncGuardGroup,
  type AsyncRWLock,
  acquireAll,
  type Guard,
  type GuardGroup,
  local,
  lockAll,
  locked,
  RWLock,
  type Want,
} from 'process-rwlock'

/** Fails to compile unless both types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(..._: Same<A, B> extends true ? [] : ['not the same']): void => {}

const lock = new RWLock()
declare const remote: AsyncRWLock

// ---- lockAll, acquireAll

const total = lockAll([{ lock }, { lock, mode: 'read' }], (guards) => {
  same<typeof guards, [Guard, Guard]>()
  const [from, to] = guards
  return from.token + to.token
})
same<typeof total, Promise<bigint>>()

const awaited = lockAll([], async () => 'text', {
  timeout: 1,
  signal: new AbortController().signal,
  label: 'x',
})
same<typeof awaited, Promise<string>>()

const wants: Array<Want<RWLock>> = [lock].map((lock) => ({ lock, mode: 'write' }))
const several = lockAll(wants, (guards) => {
  same<typeof guards, Guard[]>()
  return guards.length
})
same<typeof several, Promise<number>>()

const mixed = acquireAll([{ lock }, { lock: remote, mode: 'read' }])
same<typeof mixed, Promise<AsyncGuardGroup<[Guard, AsyncGuard]>>>()
{
  await using held = await mixed
  const released: void | Promise<void> = held.release()
  await released
}
lockAll([{ lock: remote }], ([guard]) => {
  same<typeof guard, AsyncGuard>()
})

const group = acquireAll([{ lock }, { lock, mode: 'upgradable' }], { timeout: 1 })
same<typeof group, Promise<GuardGroup<[Guard, Guard]>>>()
{
  await using held = await group
  const second: Guard = held.guards[1]
  same<typeof held.released, boolean>()
  second.release()
}
{
  using held = await acquireAll(wants)
  same<typeof held.guards, readonly Guard[]>()
}

// @ts-expect-error: no such mode
lockAll([{ lock, mode: 'exclusive' }], () => {})
// @ts-expect-error: a lock alone
lockAll([lock], () => {})
// @ts-expect-error: a reference
lockAll([{ lock: { name: 'x' } }], () => {})
// @ts-expect-error: fn is missing
lockAll([{ lock }])
// @ts-expect-error: no third guard
lockAll([{ lock }, { lock }], ([, , third]) => third)

// ---- locked, as a wrapper

const load = locked(lock, 'read')(async (name: string, size?: number) => ({ name, size }))
same<Parameters<typeof load>, [name: string, size?: number]>()
same<Awaited<ReturnType<typeof load>>, { name: string; size: number | undefined }>()

const double = locked(lock, 'write', { timeout: 1 })((n: number) => n * 2)
same<typeof double extends (n: number) => infer R ? R : never, Promise<number>>()

const boxed = locked(lock, 'read')(async <T>(value: T) => [value])
same<ReturnType<typeof boxed<string>>, Promise<string[]>>()

const plain = locked(lock, 'read')(<T>(value: T) => value)
const text: Promise<string> = plain('x')

const fails = locked(
  lock,
  'read',
)(() => {
  throw new Error('always')
})
same<ReturnType<typeof fails>, Promise<never>>()

const either = locked(lock, 'read')((n: number): number | Promise<number> => n)
same<ReturnType<typeof either>, Promise<number>>()

locked(() => lock, 'upgradable')(async () => {})
locked(remote, 'write')(async () => {})
// @ts-expect-error: no such mode
locked(lock, 'exclusive')
// @ts-expect-error: the mode is missing
locked(lock)
// @ts-expect-error: not a lock
locked(() => ({ name: 'x' }), 'read')
// @ts-expect-error: a wrong argument
double('x')

// ---- locked, as a decorator

export class Store {
  readonly lock = new RWLock()
  readonly #own = new RWLock()

  @locked(lock, 'write')
  async save(name: string): Promise<string> {
    return name
  }

  @locked((store: Store) => store.#own, 'read')
  async load<T>(value: T): Promise<T> {
    return value
  }

  @locked((store: { lock: RWLock }) => store.lock, 'upgradable')
  async #hidden(): Promise<void> {}

  @locked(lock, 'write')
  static async open(): Promise<Store> {
    return new Store()
  }

  use(): Promise<void> {
    return this.#hidden()
  }

  // @ts-expect-error: the result would become a promise
  @locked(lock, 'write')
  size(): number {
    return 1
  }

  // @ts-expect-error: methods only
  @locked(lock, 'write')
  get name(): string {
    return 'x'
  }

  // @ts-expect-error: methods only
  @locked(lock, 'write')
  field = 1
}

export class Other {
  // @ts-expect-error: it has no lock
  @locked((store: Store) => store.lock, 'write')
  async save(): Promise<void> {}
}

// @ts-expect-error: methods only
@locked(lock, 'write')
export class Decorated {}

const store = new Store()
same<ReturnType<typeof store.save>, Promise<string>>()
const loaded: Promise<number> = store.load(1)

/** The lock of the wrapped function's `this`. */
const save = locked(
  (store: Store) => store.lock,
  'write',
)(function (this: Store, n: number) {
  return n + (this === store ? 1 : 0)
})
const saved: Promise<number> = save.call(store, 1)
// @ts-expect-error: another this
save.call({}, 1)

// ---- local

const cache = local(() => ({ version: 0n, entries: new Map<string, number>() }))
same<typeof cache, { version: bigint; entries: Map<string, number> }>()
const bare = local<{ connection?: object }>()
same<typeof bare, { connection?: object }>()
// @ts-expect-error: an object
local(() => 1)

export { awaited, loaded, saved, several, text, total }
