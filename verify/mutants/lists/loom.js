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
  weaker('attachment.rs', 'read_publish', 'AcqRel'),
  weaker('attachment.rs', 'list', 'AcqRel'),
  weaker('attachment.rs', 'list', 'Relaxed'),
  weaker('attachment.rs', 'retract_read', 'AcqRel'),
  weaker('attachment.rs', 'release_read', 'AcqRel'),
  weaker('attachment.rs', 'release_read', 'Acquire'),
  weaker('attachment.rs', 'release_read', 'Release'),
  weaker('attachment.rs', 'release_read', 'Relaxed'),
  // Changing the mode.
  weaker('attachment.rs', 'end_read_in_place', 'Relaxed', {
    survives: 'the gate says writing meanwhile, and its release comes after: nobody looks at the word before',
  }),
  // (A false alarm: C++20 lets no later load return what is older than the swap of the release.)
  weaker('attachment.rs', 'downgrade_publish', 'Relaxed'),
  // Attaching and closing.
  weaker('attachment.rs', 'attach_look', 'Relaxed', { survives: UNUSED }),
  weaker('attachment.rs', 'attach_reads', 'Relaxed', {
    survives: 'the word says already that nobody reads there: only the generation is new',
  }),
  weaker('attachment.rs', 'attach_queued', 'Relaxed', { survives: UNUSED }),
  weaker('attachment.rs', 'attach_wake', 'Relaxed', { survives: UNUSED }),
  weaker('attachment.rs', 'attach_unlist', 'Relaxed', { survives: UNUSED }),
  weaker('attachment.rs', 'attach_high_water', 'AcqRel'),
  weaker('attachment.rs', 'attach_high_water_look', 'Relaxed', {
    survives: 'the exchange that follows fails if it is old',
  }),
  weaker('attachment.rs', 'tidy_look', 'Relaxed'),
  weaker('attachment.rs', 'tidy_high_water', 'Relaxed', {
    survives: 'who attaches after it raises the mark again, in one order with it',
  }),
  weaker('segment/removal.rs', 'fn removal', 'Relaxed'),
  // The gate, and the scans.
  weaker('queue.rs', 'fn load', 'Acquire'),
  weaker('queue.rs', 'fn load', 'Relaxed'),
  weaker('queue.rs', 'fn swap', 'AcqRel'),
  weaker('queue.rs', 'fn swap', 'Acquire'),
  weaker('queue.rs', 'fn swap', 'Release'),
  weaker('queue.rs', 'fn swap', 'Relaxed', {
    nth: 1,
    survives: 'what a failed exchange found is not used, the gate is loaded anew',
  }),
  weaker('queue.rs', 'scan_bound', 'Acquire'),
  weaker('queue.rs', 'scan_listing', 'Acquire'),
  weaker('queue.rs', 'scan_listing', 'Relaxed'),
  // (A false alarm, since loom lets a later load return this one's value though the bit was set in the order S since.)
  weaker('queue.rs', 'unlist', 'Relaxed'),
  weaker('queue.rs', 'scan_reads', 'Acquire'),
  weaker('queue.rs', 'scan_reads', 'Relaxed'),
  weaker('queue.rs', 'scan_queue', 'Acquire'),
  weaker('queue.rs', 'scan_queue', 'Relaxed'),
  // Waiting.
  weaker('wait.rs', 'take_ticket', 'Relaxed', {
    survives: 'whoever asks later, in time, gets the greater number from any order',
  }),
  weaker('wait.rs', 'publish_look', 'Relaxed', {
    survives: 'whoever marks the word wakes its owner after that',
  }),
  weaker('wait.rs', 'publish_back', 'Release'),
  weaker('wait.rs', 'publish', 'Release'),
  weaker('wait.rs', 'publish', 'Relaxed'),
  weaker('wait.rs', 'leave_queue', 'Release'),
  weaker('park/mod.rs', 'wake_mark', 'Relaxed', { survives: IN_ORDER }),
  weaker('park/mod.rs', 'take_wake', 'Relaxed', { survives: IN_ORDER }),
  weaker('park/doorbell/mod.rs', 'doorbell_look', 'Relaxed', { survives: IN_ORDER }),
  weaker('park/doorbell/mod.rs', 'doorbell_mute', 'Relaxed', { survives: IN_ORDER }),
  {
    name: 'unmuted',
    breaks: 'who blocks in a wait is rung for at its event loop',
    file: 'wait.rs',
    change: [['let doorbell = self.mute();', 'let doorbell = 0;']],
  },
  // The dead, and those who do not come.
  weaker('recovery.rs', 'repair_look_queued', 'Relaxed', { survives: KERNEL }),
  weaker('recovery.rs', 'repair_look_reads', 'Relaxed', { survives: KERNEL }),
  weaker('recovery.rs', 'repair_queued', 'AcqRel'),
  weaker('recovery.rs', 'repair_reads', 'AcqRel'),
  weaker('recovery.rs', 'vigil_queued', 'Relaxed', { survives: 'it is the own word' }),
  weaker('recovery.rs', 'pass_queued', 'AcqRel'),
  weaker('recovery.rs', 'pass_queued', 'Relaxed'),
]
