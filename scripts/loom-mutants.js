// The orderings that loom's checks are shown to need. Where none of the checks finds a weaker one, it says here why that is
// right.
/** @type {import('./mutants.js').Mutant[]} */
export const MUTANTS = [
  // Reading: publish, then look.
  { file: 'attachment.rs', place: 'step!(read_publish)', weaker: 'AcqRel' },
  { file: 'attachment.rs', place: 'fn load_gate', weaker: 'Acquire' },
  { file: 'attachment.rs', place: 'fn load_gate', weaker: 'Relaxed' },
  { file: 'attachment.rs', place: 'step!(turn_read_publish)', weaker: 'AcqRel' },
  { file: 'attachment.rs', place: 'step!(retract_read)', weaker: 'AcqRel' },
  { file: 'attachment.rs', place: 'step!(release_read)', weaker: 'AcqRel' },
  { file: 'attachment.rs', place: 'step!(release_read)', weaker: 'Acquire' },
  { file: 'attachment.rs', place: 'step!(release_read)', weaker: 'Release' },
  { file: 'attachment.rs', place: 'step!(release_read)', weaker: 'Relaxed' },
  // Changing the mode.
  {
    file: 'attachment.rs',
    place: 'step!(end_read_in_place)',
    weaker: 'Relaxed',
    survives: 'the gate says writing meanwhile, and its release comes after: nobody looks at the word before',
  },
  // (A false alarm, as that of attach_reads: C++20 lets no later load return what is older than the swap of the release.)
  { file: 'attachment.rs', place: 'step!(downgrade_publish)', weaker: 'Relaxed' },
  // Attaching and closing.
  {
    file: 'attachment.rs',
    place: 'step!(attach_look)',
    weaker: 'Relaxed',
    survives: 'nobody looks before the slot is in use, and who attaches next holds the setup byte',
  },
  { file: 'attachment.rs', place: 'step!(attach_reads)', weaker: 'Relaxed' },
  {
    file: 'attachment.rs',
    place: 'step!(attach_queued)',
    weaker: 'Relaxed',
    survives: 'nobody looks before the slot is in use, and who attaches next holds the setup byte',
  },
  {
    file: 'attachment.rs',
    place: 'step!(attach_wake)',
    weaker: 'Relaxed',
    survives: 'nobody looks before the slot is in use, and who attaches next holds the setup byte',
  },
  { file: 'attachment.rs', place: 'step!(attach_high_water)', weaker: 'AcqRel' },
  {
    file: 'attachment.rs',
    place: 'step!(tidy_high_water)',
    weaker: 'Relaxed',
    survives: 'nobody looks before the slot is in use, and who attaches next holds the setup byte',
  },
  // The gate, and the scans.
  { file: 'queue.rs', place: 'fn load_gate', weaker: 'Acquire' },
  { file: 'queue.rs', place: 'fn load_gate', weaker: 'Relaxed' },
  { file: 'queue.rs', place: 'fn swap_gate', weaker: 'AcqRel' },
  { file: 'queue.rs', place: 'fn swap_gate', weaker: 'Acquire' },
  { file: 'queue.rs', place: 'fn swap_gate', weaker: 'Release' },
  {
    file: 'queue.rs',
    place: 'fn swap_gate',
    nth: 1,
    weaker: 'Relaxed',
    survives: 'what a failed exchange found is not used, the gate is loaded anew',
  },
  { file: 'queue.rs', place: 'step!(scan_bound)', weaker: 'Acquire' },
  { file: 'queue.rs', place: 'step!(scan_reads)', weaker: 'Acquire' },
  { file: 'queue.rs', place: 'step!(scan_reads)', weaker: 'Relaxed' },
  { file: 'queue.rs', place: 'step!(scan_queue)', weaker: 'Acquire' },
  { file: 'queue.rs', place: 'step!(scan_queue)', weaker: 'Relaxed' },
  // Waiting.
  {
    file: 'wait.rs',
    place: 'step!(take_ticket)',
    weaker: 'Relaxed',
    survives: 'whoever asks later, in time, gets the greater number from any order',
  },
  {
    file: 'wait.rs',
    place: 'step!(publish_look)',
    weaker: 'Relaxed',
    survives: 'whoever marks the word wakes its owner after that',
  },
  { file: 'wait.rs', place: 'step!(publish_back)', weaker: 'Release' },
  { file: 'wait.rs', place: 'step!(publish)', weaker: 'Release' },
  { file: 'wait.rs', place: 'step!(publish)', weaker: 'Relaxed' },
  { file: 'wait.rs', place: 'step!(leave_queue)', weaker: 'Release' },
  {
    file: 'park/mod.rs',
    place: 'step!(wake_mark)',
    weaker: 'Relaxed',
    survives: 'loom runs what is outside the order S in its place between what is in it: see machine-code.js',
  },
  {
    file: 'park/mod.rs',
    place: 'step!(take_wake)',
    weaker: 'Relaxed',
    survives: 'loom runs what is outside the order S in its place between what is in it: see machine-code.js',
  },
  // The dead, and those who do not come.
  {
    file: 'recovery.rs',
    place: 'step!(repair_look_queued)',
    weaker: 'Relaxed',
    survives: 'it keeps the look before the question to the kernel, which no model shows',
  },
  {
    file: 'recovery.rs',
    place: 'step!(repair_look_reads)',
    weaker: 'Relaxed',
    survives: 'it keeps the look before the question to the kernel, which no model shows',
  },
  { file: 'recovery.rs', place: 'step!(repair_queued)', weaker: 'AcqRel' },
  { file: 'recovery.rs', place: 'step!(repair_reads)', weaker: 'AcqRel' },
  { file: 'recovery.rs', place: 'step!(vigil_queued)', weaker: 'Relaxed', survives: 'it is the own word' },
  { file: 'recovery.rs', place: 'step!(pass_queued)', weaker: 'AcqRel' },
  { file: 'recovery.rs', place: 'step!(pass_queued)', weaker: 'Relaxed' },
]
