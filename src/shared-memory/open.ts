import { randomUUID } from 'node:crypto'
import { threadId } from 'node:worker_threads'
import type { Opened } from '../../index.js'
import { allowsSteals } from '../steal.js'
import type { RWLockOptions, RWLockRef } from '../types.js'
import { binding } from './binding.js'
import { creationOf } from './creation.js'
import { Handle } from './handle.js'
import { copy } from './library-copy.js'
import { checkOpenOptions, checkRef } from './options.js'
import { reclaim } from './reclaim.js'
import { StealableHandle } from './stealable-handle.js'
import { translated } from './translate.js'

/** Opens a lock for the object `lock`, which this does not keep alive. */
export function open(lock: object, ref: RWLockRef | undefined, options: RWLockOptions | undefined): Handle {
  const location = ref === undefined ? { name: `anonymous-${randomUUID()}` } : checkRef(ref)
  const checked = checkOpenOptions(options)
  const { capacity, maxReaders, nestedReads, label, durable = true } = checked
  const { fairness = binding.DEFAULT_FAIRNESS } = checked
  const { note, keepsTurns } = creationOf(options)
  const attempt = (last: boolean) =>
    translated(() =>
      binding.open(copy.number, lock, {
        ...location,
        ...(capacity !== undefined && { capacity }),
        ...(maxReaders !== undefined && { maxReaders }),
        label: label ?? process.title,
        thread: threadId,
        durable,
        anonymous: ref === undefined,
        ...(keepsTurns !== undefined && { keepsTurns }),
        ...(note !== undefined && { note }),
        last,
      }),
    )
  let opened = attempt(false)
  if (opened === null) {
    reclaim()
    opened = attempt(true) as Opened
  }
  if (label !== undefined) binding.setLabel(opened.attachment, label)
  const { handle, attachment, tokenBase } = opened
  const Kind = allowsSteals(options) ? StealableHandle : Handle
  return new Kind(location, handle, attachment, tokenBase, fairness, nestedReads === 'queue')
}
