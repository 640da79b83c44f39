// Several locks taken together by several processes: no deadlock, whatever the order, and nothing stays held.
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { lockAll } from 'process-rwlock'
import { openLock, spawnNode, tempDir, test, timeoutFactor, uniqueName, waitFor } from '../helpers/index.js'
import { isFree } from '../helpers/modes.js'
import { SEED } from '../helpers/random.js'

const seed = `SEED=${SEED}`
const transfers = new URL('./programs/transfers.js', import.meta.url)
const takesSeveral = new URL('./programs/holds-several.js', import.meta.url)
const PROCESSES = 6
const BALANCE = 1000

/**
 * Has the processes move money between accounts, and checks that none is lost.
 *
 * @param {import('ava').ExecutionContext<any>} t
 * @param {{ refs: (process: number) => any[], rounds: number }} options each process may have names of its own for the locks
 */
async function transferMoney(t, { refs, rounds }) {
  const directory = tempDir(t)
  const files = Array.from({ length: 10 }, (_, index) => join(directory, `account-${index}`))
  for (const file of files) writeFileSync(file, `${BALANCE}\n`)
  const children = Array.from({ length: PROCESSES }, (_, index) => {
    const job = { refs: refs(index), files, reverse: index % 2 === 1, seed: SEED + index, rounds }
    return spawnNode(t, transfers, [JSON.stringify({ ...job, timeout: 8000 * timeoutFactor })])
  })
  await Promise.all(children.map((child) => child.next('ready')))
  for (const child of children) child.send({ type: 'go' })
  const reports = await Promise.all(
    children.map(async (child) => (await child.next('report', { bound: 25_000 })).report),
  )
  t.deepEqual(
    reports.flatMap(({ errors }) => errors),
    [],
    seed,
  )
  const balances = files.map((file) => Number(readFileSync(file, 'utf8')))
  t.is(
    balances.reduce((sum, balance) => sum + balance),
    BALANCE * files.length,
    `money was lost; ${seed}`,
  )
  t.true(new Set(balances).size > 1, 'some was moved')
  return reports
}

test('6 processes that take 10 locks in opposite orders do not deadlock, and lose nothing', async (t) => {
  const name = uniqueName(t)
  const names = Array.from({ length: 10 }, (_, index) => `${name}/${index}`)
  const locks = names.map((name) => openLock(t, name))
  const reports = await transferMoney(t, { refs: () => names, rounds: 40 })
  for (const { all, some, timeouts } of reports) t.is(all + some + timeouts, 40)
  t.true(reports.every(({ all, some }) => all > 0 && some > 0))
  t.true(
    reports.some(({ timeouts }) => timeouts > 0),
    seed,
  )
  for (const lock of locks) t.true(isFree(lock))
})

test('nor do they if some locks are files, which each process finds by another path', async (t) => {
  const name = uniqueName(t)
  const directory = tempDir(t)
  const locks = Array.from({ length: 10 }, (_, index) =>
    openLock(t, index % 2 === 0 ? `${name}/${index}` : { path: join(directory, `lock-${index}`) }),
  )
  // The paths of one process are in the order of the locks, those of the next in the opposite one.
  const refs = (process) =>
    locks.map((lock, index) => {
      const { name, path } = /** @type {{ name?: string, path?: string }} */ (lock.toJSON())
      if (path === undefined) return { name }
      const link = join(directory, `of-${process}-${process % 2 ? 9 - index : index}`)
      symlinkSync(path, link)
      return { path: link }
    })
  const reports = await transferMoney(t, { refs, rounds: 25 })
  t.true(reports.every(({ all, some }) => all > 0 && some > 0))
  for (const lock of locks) t.true(isFree(lock))
})

test('if the holder of several locks is killed, the next one gets them all, and reports it for each', async (t) => {
  const name = uniqueName(t)
  const locks = Array.from({ length: 10 }, (_, index) => openLock(t, `${name}/${index}`))
  const holder = spawnNode(t, takesSeveral, [JSON.stringify(locks.toReversed())])
  await holder.next('holds')
  const next = lockAll(
    locks.map((lock) => ({ lock })),
    (guards) => guards.map((guard) => guard.ownerDied?.pid),
    { timeout: 10_000 * timeoutFactor },
  )
  await waitFor(() => locks[0].inspect().waiters.length === 1)
  await holder.kill()
  t.deepEqual(
    await next,
    locks.map(() => holder.pid),
  )
  for (const lock of locks) t.like(lock.inspect(), { holders: [], ownerDied: null })
})

test('if a process is killed that has some of the locks and waits for another, all become free', async (t) => {
  const name = uniqueName(t)
  const locks = Array.from({ length: 10 }, (_, index) => openLock(t, `${name}/${index}`))
  const guard = await locks[5].acquireWrite()
  const waiter = spawnNode(t, takesSeveral, [JSON.stringify(locks.toReversed())])
  await waiter.next('asked')
  await waitFor(() => locks[5].inspect().waiters.length === 1)
  t.deepEqual(
    locks.map((lock) => lock.inspect().holders[0]?.pid),
    locks.map((_, index) => [waiter.pid, process.pid, undefined][Math.sign(index - 5) + 1]),
  )
  await waiter.kill()
  guard.release()
  const died = await lockAll(
    locks.map((lock) => ({ lock })),
    (guards) => guards.map((guard) => guard.ownerDied?.pid),
    { timeout: 10_000 * timeoutFactor },
  )
  t.deepEqual(
    died,
    locks.map((_, index) => (index < 5 ? waiter.pid : undefined)),
  )
})
