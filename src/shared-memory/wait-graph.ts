import type { SeenLock, WaitGraph } from '../wait-graph.js'
import { binding } from './binding.js'
import { requests } from './requests.js'
import { translated } from './translate.js'

/**
 * What this thread can see of waits in shared memory: all named locks of this user, and of the
 * locks by path those that it has open.
 */
export const waitGraph: WaitGraph = {
  pending: () => [...requests.values()].filter(({ engine }) => engine.waitGraph === waitGraph),
  see: ({ engine }) =>
    translated(() => binding.seeLock((engine as unknown as { attachment: number }).attachment) as SeenLock),
  held: () => binding.seeHeld() as SeenLock[],
  wanted: () => translated(() => binding.seeWanted() as SeenLock[]),
}
