// The orderings that loom's checks are shown to need. Where none of the checks finds a weaker one, it says here why that is
// right.
import { weaker } from '../weaker.js'

const UNUSED = 'nobody looks before the slot is in use, and the kernel gives its byte to one after the other'
const IN_ORDER =
  'loom runs what is outside the order S in its place between what is in it: see machine-code.js'
const KERNEL = 'it keeps the look before the question to the kernel, which no model shows'

/** @type {import('../run.js').Mutant[]} */
export const MUTANTS = [
  // Reading: publish, then look.
  weaker('attachment/read.rs', 'read_publish', 'AcqRel'),
  weaker('attachment/read.rs', 'register_reader', 'AcqRel'),
  weaker('attachment/read.rs', 'register_reader', 'Relaxed'),
  weaker('attachment/read.rs', 'retract_read', 'AcqRel'),
  weaker('attachment/read.rs', 'release_read', 'AcqRel'),
  weaker('attachment/read.rs', 'release_read', 'Acquire'),
  weaker('attachment/read.rs', 'release_read', 'Release'),
  weaker('attachment/read.rs', 'release_read', 'Relaxed'),
  // Changing the mode.
  weaker('attachment/exclusive.rs', 'end_read_in_place', 'Relaxed', {
    survives: 'the gate says writing meanwhile, and its release comes after: nobody looks at the word before',
  }),
  // (A false alarm: C++20 lets no later load return what is older than the swap of the release.)
  weaker('attachment/convert.rs', 'downgrade_publish', 'Relaxed'),
  // Attaching and closing.
  weaker('attachment/lifecycle.rs', 'attach_load', 'Relaxed', { survives: UNUSED }),
  weaker('attachment/lifecycle.rs', 'attach_reads', 'Relaxed', {
    survives: 'the word says already that nobody reads there: only the generation is new',
  }),
  weaker('attachment/lifecycle.rs', 'attach_queued', 'Relaxed', { survives: UNUSED }),
  weaker('attachment/lifecycle.rs', 'attach_wake', 'Relaxed', { survives: UNUSED }),
  weaker('attachment/lifecycle.rs', 'attach_unregister', 'Relaxed', { survives: UNUSED }),
  weaker('protocol/state.rs', 'attach_high_water', 'AcqRel'),
  weaker('protocol/state.rs', 'attach_high_water_load', 'Relaxed', {
    survives: 'the exchange that follows fails if it is old',
  }),
  weaker('protocol/state.rs', 'lower_high_water_load', 'Relaxed'),
  weaker('protocol/state.rs', 'lower_high_water', 'Relaxed', {
    survives: 'who attaches after it raises the mark again, in one order with it',
  }),
  weaker('shm/removal.rs', 'fn load', 'Relaxed'),
  // The gate, and the scans.
  weaker('shm/layout.rs', 'fn load', 'Acquire'),
  weaker('shm/layout.rs', 'fn load', 'Relaxed'),
  weaker('shm/layout.rs', 'fn swap', 'AcqRel'),
  weaker('shm/layout.rs', 'fn swap', 'Acquire'),
  weaker('shm/layout.rs', 'fn swap', 'Release'),
  weaker('shm/layout.rs', 'fn swap', 'Relaxed', {
    nth: 1,
    survives: 'what a failed exchange found is not used, the gate is loaded anew',
  }),
  weaker('protocol/state.rs', 'scan_bound', 'Acquire'),
  weaker('protocol/reader_bitmap.rs', 'scan_reader_bitmap', 'Acquire'),
  weaker('protocol/reader_bitmap.rs', 'scan_reader_bitmap', 'Relaxed'),
  // (A false alarm, since loom lets a later load return this one's value though the bit was set in the order S since.)
  weaker('protocol/reader_bitmap.rs', 'prune_readers', 'Relaxed'),
  weaker('protocol/reader_bitmap.rs', 'scan_reads', 'Acquire'),
  weaker('protocol/reader_bitmap.rs', 'scan_reads', 'Relaxed'),
  weaker('protocol/wait_queue.rs', 'scan_queue', 'Acquire'),
  weaker('protocol/wait_queue.rs', 'scan_queue', 'Relaxed'),
  // Waiting.
  weaker('attachment/requests.rs', 'take_ticket', 'Relaxed', {
    survives: 'whoever asks later, in time, gets the greater number from any order',
  }),
  weaker('attachment/requests.rs', 'publish_load', 'Relaxed', {
    survives: 'whoever marks the word wakes its owner after that',
  }),
  weaker('attachment/requests.rs', 'publish_back', 'Release'),
  weaker('attachment/requests.rs', 'publish', 'Release'),
  weaker('attachment/requests.rs', 'publish', 'Relaxed'),
  weaker('attachment/requests.rs', 'leave_queue', 'Release'),
  weaker('protocol/wake.rs', 'wake_mark', 'Relaxed', { survives: IN_ORDER }),
  weaker('protocol/wake.rs', 'take_wake', 'Relaxed', { survives: IN_ORDER }),
  weaker('protocol/wake.rs', 'doorbell_load', 'Relaxed', { survives: IN_ORDER }),
  weaker('attachment/doorbell.rs', 'doorbell_mute', 'Relaxed', { survives: IN_ORDER }),
  {
    name: 'unmuted',
    breaks: 'who blocks in a wait is rung for at its event loop',
    file: 'attachment/block.rs',
    change: [['let doorbell = self.mute();', 'let doorbell = 0;']],
  },
  // The dead, and those who do not come.
  weaker('protocol/recovery.rs', 'repair_load_queued', 'Relaxed', { survives: KERNEL }),
  weaker('protocol/recovery.rs', 'repair_load_reads', 'Relaxed', { survives: KERNEL }),
  weaker('protocol/recovery.rs', 'repair_queued', 'AcqRel'),
  weaker('protocol/recovery.rs', 'repair_reads', 'AcqRel'),
  weaker('monitor/peer_check.rs', 'check_queued', 'Relaxed', { survives: 'it is the own word' }),
  weaker('monitor/peer_check.rs', 'skip_queued', 'AcqRel'),
  weaker('monitor/peer_check.rs', 'skip_queued', 'Relaxed'),
]
