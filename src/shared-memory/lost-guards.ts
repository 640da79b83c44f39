// A write guard that was garbage-collected before its release: nothing can release the hold any more, so there is a warning.
//
// To register each hold would cost several times what the lock does. So each hold refers to its handle's *lossToken*, an object with no
// other purpose. Only a lossToken whose hold still writes at a garbage collection is registered, and the handle takes a new one: from
// then on nothing but the hold refers to the lossToken, and it is collected with the hold.
import { emitWarning } from 'node:process'
import { WRITE } from '../modes.js'
import { binding } from './binding.js'
import { type Handle, handles } from './handle.js'

interface Watched {
  handle: Handle
  /** Tells its hold from later ones. */
  hold: number
}

const lost = new FinalizationRegistry<Watched>(({ handle, hold }) => {
  if (handle.exclusive === WRITE && holdOf(handle) === hold) warnOfLoss(handle)
})
/** Of objects that nothing refers to: it hears of the next garbage collection. */
const collections = new FinalizationRegistry<undefined>(() => {
  listening = false
  for (const handle of handles.values()) if (handle.exclusive === WRITE) watch(handle)
})
let listening = false
let warned = false

/** A write hold has begun. */
export function noticeLoss(): void {
  if (!listening) listen()
}

function listen(): void {
  listening = true
  collections.register({}, undefined)
}

function watch(handle: Handle): void {
  const hold = holdOf(handle)
  if (handle.watched === hold) return
  handle.watched = hold
  lost.register(handle.lossToken, { handle, hold })
  handle.lossToken = {}
}

const holdOf = (handle: Handle) => Math.abs(binding.presentHold(handle.attachment))

/** Nothing can release the write hold of `handle` any more. */
export function warnOfLoss(handle: Handle): void {
  if (warned || handle.closed) return
  warned = true
  const label = binding.inspect(handle.attachment).holders.find(({ mode }) => mode === 'write')?.label
  emitWarning(
    `${handle.text} is held for write ('${label}') by a guard that was garbage-collected: nothing can release it before this ` +
      'thread or process ends. Keep the guard as long as the hold shall last, and release it, or use lock.write() with a ' +
      'function whose promise settles. ' +
      'Further lost guards are not reported.',
    { code: 'RWLOCK_GUARD_LOST' },
  )
}
