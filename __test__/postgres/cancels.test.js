// A cancel at every point of every function of the schema: pg_cancel_backend() by others, which can
// reach a session anywhere. No lock may be left, whatever the call answers.
import { LockError } from 'process-rwlock'
import { testUnless, waitFor } from '../helpers/index.js'
import { fileServer } from '../helpers/postgres/file-server.js'
import { noPostgres } from '../helpers/postgres/programs.js'
import { locksAt, newName } from './setup.js'

const test = testUnless(noPostgres)
const server = fileServer()

/** @typedef {import('process-rwlock/postgres').PostgresLocks} PostgresLocks */

/** Each calls one function at least. @type {Record<string, (lock: import('process-rwlock').AsyncRWLock, locks: PostgresLocks) => Promise<unknown>>} */
const CALLS = {
  read: async (lock) => (await lock.acquireRead({ timeout: 5000 })).release(),
  write: async (lock) => (await lock.acquireWrite({ timeout: 5000 })).release(),
  tryRead: async (lock) => (await lock.tryRead())?.release(),
  tryWrite: async (lock) => (await lock.tryWrite())?.release(),
  tryUpgradable: async (lock) => (await lock.tryUpgradable())?.release(),
  upgrade: (lock) => lock.upgradable((guard) => guard.upgrade({ timeout: 5000 }), { timeout: 5000 }),
  tryUpgrade: (lock) => lock.upgradable((guard) => guard.tryUpgrade(), { timeout: 5000 }),
  'downgrade to read': (lock) => lock.write((guard) => guard.downgrade('read'), { timeout: 5000 }),
  'downgrade to upgradable': (lock) =>
    lock.write((guard) => guard.downgrade('upgradable'), { timeout: 5000 }),
  'downgrade from upgradable': (lock) =>
    lock.upgradable((guard) => guard.downgrade('read'), { timeout: 5000 }),
  remove: (lock, locks) => locks.remove(/** @type {string} */ (lock.name)),
  setValue: (lock) => lock.write((guard) => guard.setValue(Buffer.from('x')), { timeout: 5000 }),
}

/** The same over locks with a limit. @type {typeof CALLS} */
const LIMITED = {
  'limited read': /** @type {any} */ (CALLS).read,
  'limited tryRead': /** @type {any} */ (CALLS).tryRead,
  'limited tryRead, again': async (lock) => {
    // Beside others of the session.
    const guards = [await lock.tryRead(), await lock.tryRead(), await lock.tryRead(), await lock.tryRead()]
    await Promise.all(guards.map((guard) => guard?.release()))
  },
  'limited read that waits': async (lock) => {
    const guards = [await lock.acquireRead({ timeout: 5000 }), await lock.acquireRead({ timeout: 5000 })]
    const waiting = lock.acquireRead({ timeout: 5000 })
    waiting.catch(() => {}) // meanwhile
    // A try that fails on `main` may end the session, with holds and what looks at the lock.
    const looks = waitFor(async () => (await lock.inspect()).waiters.length > 0 || isSettled(waiting))
    const looked = await Promise.allSettled([looks])
    const released = await Promise.allSettled(guards.map((guard) => guard.release()))
    await (await waiting).release()
    for (const end of [...looked, ...released]) if (end.status === 'rejected') throw end.reason
  },
  'limited downgrade': async (lock) => {
    const guard = await lock.acquireUpgradable({ timeout: 5000 })
    await guard.downgrade('read')
    await guard.release()
  },
  'limited downgrade of a write': /** @type {any} */ (CALLS)['downgrade to read'],
  'limited remove': /** @type {any} */ (CALLS).remove,
}

/** @param {Promise<unknown>} promise */
const isSettled = (promise) =>
  Promise.race([promise, Promise.reject()]).then(
    () => true,
    (error) => error !== undefined,
  )

/** A body, with the call of `cancel_once()` at each of its points in turn. @param {string} source */
function* injected(source) {
  const begin = source.search(/\bbegin\b/i)
  const places = [...source.matchAll(/;|\bbegin\b/gi)]
    .filter(({ index }) => index >= begin)
    .map(({ index, 0: text }) => index + text.length)
  // An "if" leaves FOUND as it is. Behind the last "end" is nothing.
  for (const place of places.slice(0, -1)) {
    yield `${source.slice(0, place)} if public.cancel_once() then end if; ${source.slice(place)}`
  }
}

/** The calls of functions that only a session calls that waits. */
const WAITS = ['read', 'upgrade', 'tryUpgrade']

/** Makes sure that there is one. @param {PostgresLocks} locks */
async function connectSecond(locks) {
  const lock = locks.open(newName())
  await (await lock.acquireUpgradable({ timeout: 10_000 })).release()
  await lock.close()
}

/** Permits, or Q. */
const LEFT = "select from pg_locks where locktype = 'advisory' and objsubid = 2"

test('a cancel at any point of any function leaves no lock', async (t) => {
  const it = await server()
  const locks = await locksAt(t, it)
  const other = await locksAt(t, it)
  await it.query('create sequence public.cancels')
  await it.query(`create function public.cancel_once() returns boolean language plpgsql as $$ begin
    if nextval('public.cancels') = 1 then
      perform pg_cancel_backend(pg_backend_pid());
      perform pg_sleep(1);
    end if;
    return false; end $$`)
  const { rows } =
    await it.query(`select p.proname as name, p.prosrc as source, pg_get_functiondef(p.oid) as definition
    from pg_proc p join pg_language l on l.oid = p.prolang
    where p.pronamespace = 'rwlock'::regnamespace and l.lanname = 'plpgsql' order by 1`)
  t.true(rows.length > 10)
  /** Which calls reach which function: found at its first point. @type {Map<string, string[]>} */
  const callers = new Map()
  const outcomes = new Set()
  let points = 0
  for (const { name, source, definition } of rows) {
    for (const body of injected(source)) {
      points++
      await it.query(definition.replace(source, () => body))
      const isFirst = !callers.has(name)
      if (isFirst) callers.set(name, [])
      for (const [title, call] of Object.entries({ ...CALLS, ...LIMITED })) {
        // Each of its callers, if there are few, or one of them in turn.
        const its = callers.get(name) ?? []
        if (!isFirst && (its.length > 3 ? its[points % its.length] !== title : !its.includes(title))) continue
        if (isFirst && WAITS.includes(title)) await connectSecond(locks)
        await it.query("select setval('public.cancels', 1, false)")
        const ref = newName()
        const what = `${title}, ${name} at ${body.slice(0, body.indexOf('if public.cancel_once')).slice(-60)}`
        try {
          await call(locks.open(ref, title in LIMITED ? { maxReaders: 2 } : {}), locks)
        } catch (error) {
          t.true(error instanceof LockError, `${what}: ${error.stack}`)
          outcomes.add(error.code)
        }
        const { is_called } = (await it.query('select is_called from public.cancels')).rows[0]
        if (!is_called) continue
        if (isFirst) callers.get(name)?.push(title)
        // Free for others, and that the session still has its locks is not by chance unnoticed.
        await it.query("select setval('public.cancels', 1000, true)")
        await t.notThrowsAsync(async () => {
          await (await other.open(ref).acquireWrite({ timeout: 10_000 })).release()
        }, what)
        await waitFor(async () => (await it.query(LEFT)).rowCount === 0, { what })
      }
      await it.query(definition)
    }
  }
  const reached = [...callers].filter(([, calls]) => calls.length > 0).map(([name]) => name)
  t.log(
    `${points} points of ${rows.length} functions; reached: ${reached.join(' ')}; errors: ${[...outcomes].join(' ')}`,
  )
  t.true(reached.length >= 16)
})
