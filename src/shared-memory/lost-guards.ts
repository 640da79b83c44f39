// Warns when a write guard is garbage-collected before its release: then the hold cannot be
// released any more.
//
// Registering each hold would cost several times as much as the lock. So each hold refers to the
// *loss token* of its handle, an object without any other purpose. Only the token of a hold that
// still writes at a garbage collection is registered, and the handle takes a new one. From then on
// only the hold refers to its token, and both are collected together.
import { emitWarning } from 'node:process'
import { WRITE } from '../modes.js'
import { binding } from './binding.js'
import { type Handle, handles } from './handle.js'

/** A write hold whose loss is reported. */
interface WatchedHold {
  handle: Handle
  /** Distinguishes the hold from later ones. */
  grant: number
}

const lost = new FinalizationRegistry<WatchedHold>(({ handle, grant }) => {
  if (handle.exclusive === WRITE && grantOf(handle) === grant) warnOfLoss(handle)
})
/** Has an object without references: its finalizer runs at the next garbage collection. */
const collections = new FinalizationRegistry<undefined>(() => {
  listening = false
  for (const handle of handles.values()) if (handle.exclusive === WRITE) watch(handle)
})
let listening = false
let warned = false

/** Called when a write hold begins. */
export function noticeLoss(): void {
  if (!listening) listen()
}

function listen(): void {
  listening = true
  collections.register({}, undefined)
}

function watch(handle: Handle): void {
  const grant = grantOf(handle)
  if (handle.watched === grant) return
  handle.watched = grant
  lost.register(handle.lossToken, { handle, grant })
  handle.lossToken = {}
}

const grantOf = (handle: Handle) => Math.abs(binding.presentHold(handle.attachment))

/** Reports that the write hold of `handle` cannot be released any more. */
export function warnOfLoss(handle: Handle): void {
  if (warned || handle.closed) return
  warned = true
  const label = binding.inspect(handle.attachment).holders.find(({ mode }) => mode === 'write')?.label
  emitWarning(
    `the write hold of ${handle.text} ('${label}') cannot be released before this thread or process ends, because its guard was ` +
      'garbage-collected. Keep the guard until you release it, or use lock.write() with a function whose promise settles. ' +
      'Further lost guards are not reported.',
    { code: 'RWLOCK_GUARD_LOST' },
  )
}
