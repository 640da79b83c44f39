import { RWLock } from '../rwlock.js'
import { nameOf } from './names.js'
import type { LockInfo, LockManagerSnapshot } from './types.js'

/** What {@link LockManager.query} returns. */
export function takeSnapshot(): LockManagerSnapshot {
  const held: { info: LockInfo; ms: number }[] = []
  const pending: LockInfo[] = []
  for (const { name: lockName, holders, waiters } of RWLock.list()) {
    if (lockName === undefined || holders.length + waiters.length === 0) continue
    const name = nameOf(lockName)
    if (name === undefined) continue
    for (const { count, ms, ...holder } of holders) {
      const info = infoOf(name, holder)
      for (let index = 0; index < count; index++) held.push({ info: { ...info }, ms })
    }
    for (const waiter of waiters) pending.push(infoOf(name, waiter))
  }
  held.sort((one, other) => other.ms - one.ms)
  return { held: held.map(({ info }) => info), pending }
}

function infoOf(name: string, party: { mode: string; pid: number; threadId: number }): LockInfo {
  const { mode, pid, threadId } = party
  return { name, mode: mode === 'read' ? 'shared' : 'exclusive', clientId: `${pid}-${threadId}` }
}
