// An event loop that waits has a doorbell, which the release of a lock rings
// (crates/rwlock/src/sys), and is notified of process exits. It works without both if they are not
// available.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { fewDescriptors, linuxTest, spawnChild, spawnNode, uniqueName, waitFor } from '../helpers/index.js'

/** The doorbells of a process. */
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

/** Waits for a waiter of the lock that `holder` has opened last. */
const waiting = (holder) =>
  waitFor(async () => (await holder.ask('inspect')).waiters.length === 1, { what: 'one waits' })

linuxTest('an event loop has one doorbell for all its locks, from its first wait on', async (t) => {
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

linuxTest('a process without free descriptors can wait, and detects that the owner died', async (t) => {
  const name = uniqueName(t)
  const holder = await spawnChild(t)
  const doomed = await spawnChild(t)
  const { guard } = await holder.ask('hold', { ref: name, mode: 'write' })
  const waiter = spawnNode(
    t,
    new URL('./programs/waits-without-descriptors.js', import.meta.url),
    [name],
    fewDescriptors,
  )
  await waiter.next('waiting')
  await waiting(holder)
  t.is(doorbells(waiter.pid), 0)
  await holder.ask('release', { guard })
  t.is((await waiter.next('granted')).ownerDied, undefined)
  // Not in the queue before: it would get the lock first if the waiter did not come within 5 ms.
  await doomed.ask('hold', { ref: name, mode: 'write' })
  waiter.send('again')
  await waiter.next('waiting')
  await waiting(holder)
  doomed.kill('SIGKILL')
  t.is((await waiter.next('granted')).ownerDied, doomed.pid)
  t.deepEqual(await waiter.exited, { code: 0, signal: null })
})
