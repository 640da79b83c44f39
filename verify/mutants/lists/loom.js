// Memory orderings that the checks under loom need. Where no check finds a weaker one, the list says why that is right.

import { condition, forces, omits, point, replaces, skips } from '../operators.js'
import { weaker, weakerAt, weakerIn } from '../orderings.js'

const UNUSED = 'no scan reads the slot before it is in use, and the kernel orders the owners of its byte'
const IN_ORDER =
  'loom runs an operation outside of the sequentially consistent order in its place within it: see machine-code'
const KERNEL = 'it orders the load before the probe of the kernel, which no model shows'
const PUBLISH = { selector: 'publish_head' }

/** @type {import('../mutate.js').Mutant[]} */
export const mutants = [
  // Reading: publish, then check.
  weaker('read_publish', 'AcqRel'),
  weaker('register_reader', 'AcqRel'),
  weaker('register_reader', 'Relaxed'),
  weaker('retract_read', 'AcqRel'),
  weaker('release_read', 'AcqRel'),
  weaker('release_read', 'Acquire'),
  weaker('release_read', 'Release'),
  weaker('release_read', 'Relaxed'),
  // Changing the mode.
  weaker('end_read_in_place', 'Relaxed', {
    survives: 'the gate says writing until its release, which follows: no process reads the word before',
  }),
  // (A false alarm: C++20 lets no later load return a value older than the swap of the release.)
  weaker('downgrade_publish', 'Relaxed'),
  // Handing the attachment of a handle to another thread.
  { name: 'Owner::claim: Relaxed', change: [replaces('Owner::claim', 'Acquire', 'Relaxed')] },
  { name: 'Owner::leave: Relaxed', change: [replaces('Owner::leave', 'Release', 'Relaxed')] },
  // Attaching and closing.
  weaker('attach_load', 'Relaxed', { survives: UNUSED }),
  weaker('attach_reads', 'Relaxed', {
    survives: 'the word already says that the slot does not read: only the generation is new',
  }),
  weaker('attach_queued', 'Relaxed', { survives: UNUSED }),
  weaker('attach_wake', 'Relaxed', { survives: UNUSED }),
  weaker('attach_unregister', 'Relaxed', { survives: UNUSED }),
  weaker('attach_high_water', 'AcqRel'),
  weaker('attach_high_water_load', 'Relaxed', {
    survives: 'the exchange that follows fails if the value is old',
  }),
  weaker('lower_high_water_load', 'Relaxed'),
  weaker('lower_high_water', 'Relaxed', {
    survives: 'an attachment after it raises the mark again, in one order with it',
  }),
  weakerAt('removal.load', 'Relaxed'),
  // The gate, and the scans.
  weakerIn('GateLine::load', 'Acquire'),
  weakerIn('GateLine::load', 'Relaxed'),
  weakerIn('GateLine::swap', 'AcqRel'),
  weakerIn('GateLine::swap', 'Acquire'),
  weakerIn('GateLine::swap', 'Release'),
  weakerIn('GateLine::swap', 'Relaxed', {
    failure: true,
    survives: 'the value that a failed exchange found is not used, the gate is loaded again',
  }),
  weaker('scan_bound', 'Acquire'),
  weaker('scan_reader_bitmap', 'Acquire'),
  weaker('scan_reader_bitmap', 'Relaxed'),
  // (A false alarm, because loom lets a later load return this value although the bit was set since, in the order S.)
  weaker('prune_readers', 'Relaxed'),
  weaker('scan_reads', 'Acquire'),
  weaker('scan_reads', 'Relaxed'),
  weaker('scan_queue', 'Acquire'),
  weaker('scan_queue', 'Relaxed'),
  // Notices to holders: each side stores, then loads what the other stored.
  weaker('ask_notices', 'Release'),
  weaker('notice_load', 'Acquire'),
  {
    name: 'no notice',
    breaks: 'a request does not tell the holder that asked for it',
    change: [omits('poll', 'notify_holders')],
  },
  {
    name: 'no notice to readers',
    breaks: 'a writer tells only the owner of the gate',
    change: [forces(condition('WaitQueue::notify_holders', 'is_limited'), 'false')],
  },
  // Steals: a holder has its hold, and then looks at the queue; a stealer publishes, and then looks at the holders.
  weaker('mark_steal', 'Relaxed', {
    survives: 'the store of the request after it is sequentially consistent',
  }),
  {
    name: 'a steal tells nobody',
    breaks: 'a holder that allows steals is told of requests of the modes that it named only',
    change: [replaces('WaitQueue::notify_holders', 'is_steal()', 'false')],
  },
  {
    name: 'a holder sees no steal that drains',
    breaks: 'a reader does not give up for a steal that has left the queue and drains',
    change: [forces(condition('find_steal', 'drains &&'), 'false')],
  },
  {
    name: 'a writer that lost its turn is not woken',
    breaks: 'a steal takes the gate from a writer that drains, which sleeps on',
    change: [skips(point('evict'))],
  },
  {
    name: 'a steal waits for the writer that drains',
    breaks: 'a writer that drains keeps its turn, and the reader that it waits for gives up for nobody',
    change: [forces(condition('grant_in_turn', 'head.steal'), 'false')],
  },
  // Waiting.
  weaker('take_ticket', 'Relaxed', { survives: 'a later request gets a greater number under any ordering' }),
  weaker('publish_load', 'Relaxed', { survives: 'a process that marks the word wakes its owner afterwards' }),
  weaker('publish_back', 'Release'),
  weaker('publish', 'Release', PUBLISH),
  weaker('publish', 'Relaxed', PUBLISH),
  weaker('leave_queue', 'Release'),
  weaker('wake_mark', 'Relaxed', { survives: IN_ORDER }),
  weaker('take_wake', 'Relaxed', { survives: IN_ORDER }),
  weaker('doorbell_load', 'Relaxed', { survives: IN_ORDER }),
  weaker('doorbell_mute', 'Relaxed', { survives: IN_ORDER }),
  {
    name: 'unmuted',
    breaks: 'a thread that blocks in a wait is rung for at its event loop',
    change: [replaces('block', 'self.mute()', '0')],
  },
  // The value.
  {
    name: 'value_stamp_load: Relaxed',
    change: [replaces('Value::set', 'stamp.load(Acquire)', 'stamp.load(Relaxed)')],
    survives: 'the write hold orders the writers; the load is for what a dead writer published',
  },
  {
    name: 'no fence before a buffer is filled',
    breaks: 'a reader does not notice that it copies a buffer that is being filled again',
    change: [replaces('Value::set', 'fence(Release);', '')],
  },
  {
    name: 'value_publish: Relaxed',
    change: [replaces('Value::set', 'store(stamp.0, Release)', 'store(stamp.0, Relaxed)')],
  },
  {
    name: 'value_load: Relaxed',
    change: [replaces('Value::copy', 'stamp.load(Acquire)', 'stamp.load(Relaxed)')],
  },
  {
    name: 'no fence after a buffer is copied',
    breaks: 'a reader loads the stamp again before it has copied the buffer',
    change: [replaces('Value::copy', 'fence(Acquire);', '')],
  },
  {
    name: 'the stamp is loaded once',
    breaks: 'a reader returns a copy although the value changed meanwhile',
    change: [replaces('Value::copy', 'area.stamp.load(Relaxed) == stamp.0', 'true')],
  },
  {
    name: 'given up before it is queued',
    breaks: 'a later request overtakes a writer that makes way for a nested read of its thread',
    change: [omits('pause_drain', 'publish_head')],
  },
  {
    name: 'let in although in turn',
    breaks: 'a nested read that waits in its turn is let in past the writer',
    change: [replaces('admit_nested', '&& !request.in_turn', '')],
  },
  // Dead and stopped processes.
  weaker('repair_load_queued', 'Relaxed', { survives: KERNEL }),
  weaker('repair_load_reads', 'Relaxed', { survives: KERNEL }),
  weaker('repair_queued', 'AcqRel'),
  weaker('repair_reads', 'AcqRel'),
  weaker('check_queued', 'Relaxed', { survives: "it is the slot's own word" }),
  weaker('skip_queued', 'AcqRel'),
  weaker('skip_queued', 'Relaxed'),
]
