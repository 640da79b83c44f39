// Which calls of re-entrant locks the running code is in.
import { AsyncLocalStorage } from 'node:async_hooks'
import type { ScopedHold } from './scoped-hold.js'

/**
 * One call with a function of a re-entrant lock, as the code inside it knows it. Code that the
 * function has started, such as a timer, keeps its scope after the call has ended. So a scope
 * refers to the hold of its call only while the call lasts.
 */
export class Scope {
  /** `undefined` when the call has ended. */
  hold: ScopedHold | undefined
  /** The function of the call is synchronous. */
  readonly isSync: boolean
  #outer: Scope | undefined

  constructor(hold: ScopedHold, outer: Scope | undefined, isSync: boolean) {
    this.hold = hold
    this.#outer = outer
    this.isSync = isSync
  }

  /**
   * The innermost scope around this one whose call has not ended. Those that have ended are
   * forgotten, because a chain of timers could make more and more of them.
   */
  get outer(): Scope | undefined {
    let outer = this.#outer
    while (outer !== undefined && outer.hold === undefined) outer = outer.#outer
    this.#outer = outer
    return outer
  }
}

/**
 * One for all locks: on Node.js 20 and 22, each instance costs every promise of the thread time. It
 * is created by the first call of a re-entrant lock.
 */
let storage: AsyncLocalStorage<Scope | undefined> | undefined

/** The innermost scope of the running code. */
export function innermost(): Scope | undefined {
  const scope = storage?.getStore()
  return scope === undefined || scope.hold !== undefined ? scope : scope.outer
}

/** Calls `fn` inside the scope. */
export function runInside<T, A>(scope: Scope, fn: (argument: A) => T, argument: A): T {
  storage ??= new AsyncLocalStorage()
  return storage.run(scope, fn, argument)
}

/** Calls `fn` outside of every scope. */
export function runOutside<T>(fn: () => T): T {
  return storage === undefined ? fn() : storage.run(undefined, fn)
}

/**
 * The hold of the innermost scope of this lock, from `scope` outwards. An asynchronous call is not
 * nested in a synchronous one, which returns before it.
 */
export function enclosing(
  scope: Scope | undefined,
  identity: string,
  isSync: boolean,
): ScopedHold | undefined {
  let found: ScopedHold | undefined
  // To the end, because `outer` forgets what has ended.
  for (let each = scope; each !== undefined; each = each.outer) {
    const { hold } = each
    if (found !== undefined || hold === undefined || hold.grant.identity !== identity) continue
    // A hold that yields, or that was lost, is that of others.
    if (!hold.ended && !hold.grant.hold.released && (isSync || !each.isSync)) found = hold
  }
  return found
}
