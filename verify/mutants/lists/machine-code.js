// Memory orderings that `npm run machine-code -- --mutants` must find weaker in the instructions.
import { weaker, weakerIn } from '../orderings.js'

/** @type {import('../mutate.js').Mutant[]} */
export const mutants = [
  weaker('read_publish', 'Release'),
  weaker('register_reader', 'Release'),
  weaker('retract_read', 'Acquire'),
  weaker('release_read', 'Release'),
  weakerIn('GateLine::load', 'Acquire'),
  // (Both its orderings, because one instruction serves the stronger of the two.)
  weakerIn('GateLine::swap', 'Acquire', { both: true }),
  weaker('scan_bound', 'Acquire'),
  weaker('scan_reader_bitmap', 'Acquire'),
  weaker('scan_reads', 'Acquire'),
  weaker('publish_load', 'Acquire'),
  weaker('publish', 'Release', { selector: 'publish_head' }),
  weaker('leave_queue', 'Release'),
  weaker('wake_mark', 'Relaxed'),
  weaker('take_wake', 'Relaxed'),
  weaker('doorbell_load', 'Acquire'),
  weaker('doorbell_mute', 'Release'),
]
