// Changes that make the lock slower. The check of the ratios (`npm run bench -- --check --mutants`) must find each. It runs
// the native pairs alone, which build fast.
import { after, becomes, call, condition, forces, point, replaces } from '../operators.js'

/** @type {import('../mutate.js').Mutant[]} */
export const mutants = [
  {
    name: 'the clock is read in every write hold',
    change: [after(call('begin_write', 'set'), 'self.stamp_exclusive();')],
  },
  {
    name: 'a writer checks every slot',
    change: [becomes(point('scan_reader_bitmap'), 'word.load(SeqCst) | u64::MAX')],
  },
  {
    name: 'a reader registers at each acquisition',
    change: [
      replaces(
        'read_while',
        'self.is_registered() || self.register_reader_while($open)',
        'self.register_reader_while($open)',
      ),
    ],
  },
  {
    name: 'a writer drains although no other reader is registered',
    change: [forces(condition('write_now', 'has_other_registered', 0), 'true')],
  },
]
