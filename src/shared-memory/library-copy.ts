// This copy of the library, as the addon knows it. A thread can load several: `import` and
// `require()`, links, module registries that are reset, vm contexts. They share the attachments of
// the thread; each has its own requests.
import type { Notice } from '../notice.js'
import { binding } from './binding.js'
import type { Handle } from './handle.js'
import { requests } from './requests.js'
import type { StealableHandle } from './stealable-handle.js'

/** The notices that the addon has not delivered, by key. */
export const notices = new Map<number, Notice<number>>()
/** The handles that want to know of a steal, by the key of their wish. */
export const steals = new Map<number, StealableHandle>()
let lastKey = 0

export function nextKey(): number {
  return ++lastKey
}

/**
 * When this object is collected, nothing of this copy can be used any more, and the addon closes
 * what it has open.
 *
 * The addon calls the function with the outcome of each request, and returns the grant if the
 * result is `false`.
 */
export const copy = binding.register((key, grant) => {
  const request = requests.get(key)
  if (request === undefined) return settleNotice(key)
  const handle = request.engine as Handle
  let taken = false
  if (grant === 0)
    request.timeOut(handle.timeoutError(request.mode, request.upgrade !== null, request.timeout))
  else if (Number.isNaN(grant)) request.fail(handle.failure())
  else taken = request.grant(grant)
  // From here on nothing may throw: the hold has its owner.
  requests.delete(key)
  handle.requests.delete(request)
  return taken
})

function settleNotice(key: number): boolean {
  const notice = notices.get(key)
  if (notice === undefined) return giveUp(key)
  notices.delete(key)
  notice.engine.forget(notice)
  notice.settle()
  return true
}

function giveUp(key: number): boolean {
  const handle = steals.get(key)
  if (handle === undefined) return false
  steals.delete(key)
  handle.giveUp()
  return true
}
