// An event loop that waits has a doorbell, which whoever releases the lock rings (crates/rwlock/src/doorbell), and hears of
// deaths; it does without both where they are not to be had.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { linuxTest, spawnChild, spawnNode, uniqueName, waitFor } from '../helpers/index.js'

/** The doorbells that a process has. */
function doorbells(pid) {
  const sockets = readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? []
    } catch {
      return [] // closed meanwhile
    }
  })
  const table = readFileSync('/proc/net/unix', 'utf8').matchAll(/ (\d+) @process-rwlock-[0-9a-f]{16}$/gm)
  const known = new Set([...table].map(([, inode]) => inode))
  return sockets.filter((inode) => known.has(inode)).length
}

/** Until so many wait for the lock that `holder` has opened last. */
const waiting = (holder, count = 1) =>
  waitFor(async () => (await holder.ask('inspect')).waiters.length === count, { what: `${count} wait` })

linuxTest('a loop has a doorbell from its first wait on, and one for all its locks', async (t) => {
  const [first, second] = [uniqueName(t), uniqueName(t)]
  const holder = await spawnChild(t)
  const waiter = await spawnChild(t)
  await waiter.ask('hold', { ref: first, mode: 'read' })
  await waiter.ask('release', { ref: first })
  t.is(doorbells(waiter.pid), 0)
  for (const ref of [first, second]) {
    const { guard } = await holder.ask('hold', { ref, mode: 'write' })
    const granted = waiter.ask('hold', { ref, mode: 'write' })
    await waiting(holder)
    t.is(doorbells(waiter.pid), 1)
    await holder.ask('release', { guard })
    await granted
  }
})

linuxTest('a process that can open nothing more waits all the same, and finds who has died', async (t) => {
  const name = uniqueName(t)
  const holder = await spawnChild(t)
  const doomed = await spawnChild(t)
  const { guard } = await holder.ask('hold', { ref: name, mode: 'write' })
  const waiter = spawnNode(t, new URL('./programs/waits-without-descriptors.js', import.meta.url), [name], {
    execPath: '/bin/sh',
    execArgv: ['-c', 'ulimit -n 64 && exec "$0" "$@"', process.execPath],
  })
  await waiter.next('waiting')
  await waiting(holder)
  t.is(doorbells(waiter.pid), 0)
  // It goes before the waiter's second time.
  const taken = doomed.ask('hold', { ref: name, mode: 'write' })
  await waiting(holder, 2)
  await holder.ask('release', { guard })
  t.is((await waiter.next('granted')).ownerDied, undefined)
  await taken
  waiter.send('again')
  await waiter.next('waiting')
  await waiting(holder)
  doomed.kill('SIGKILL')
  t.is((await waiter.next('granted')).ownerDied, doomed.pid)
  t.deepEqual(await waiter.exited, { code: 0, signal: null })
})
