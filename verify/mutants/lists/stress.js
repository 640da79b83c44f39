// Faults that `npm run stress -- --mutants` must find within a minute. A `yield_now` widens the window that a mutant opens;
// without the mutant it would change nothing.
import {
  after,
  becomes,
  before,
  call,
  condition,
  forces,
  guard,
  omits,
  point,
  replaces,
  skips,
} from '../operators.js'

/** @type {import('../mutate.js').Mutant[]} */
export const mutants = [
  {
    name: 'a reader checks the gate before it publishes its hold, and not after',
    change: [
      before(point('read_publish'), 'let admitted = open(self.load_gate()); std::thread::yield_now();'),
      becomes(
        condition('read_while', 'register_reader_while'),
        'admitted && (self.is_registered() || self.register_reader_while(|_| true))',
      ),
    ],
  },
  {
    name: 'a writer does not check for readers after it took the gate',
    change: [
      forces(condition('write_drained', 'has_other_readers'), 'false'),
      after(call('write_with_others_registered', 'of'), 'std::thread::yield_now();'),
    ],
  },
  {
    name: 'an upgrade does not wait for the readers',
    change: [
      replaces(
        'continue_drain',
        '.find_other_reader(self.index).is_none()',
        '.find_other_reader(self.index).is_none_or(|_| drain.upgrade)',
      ),
    ],
  },
  {
    name: 'a downgrade frees the gate before it reads',
    change: [
      before(
        call('downgrade_to_read', 'set_reads'),
        'let _ = self.release_exclusive(HoldEnd::Consistent); std::thread::yield_now();',
      ),
    ],
  },
  {
    name: 'the last token does not grow',
    change: [replaces('begin_write', '.wrapping_add(1)', '')],
  },
  {
    name: 'a death inside is not remembered',
    change: [replaces('free_gate_of', '.poisoned_by($index)', '')],
  },
  {
    name: 'a consistent write hold does not clear the poison',
    change: [replaces('release_exclusive', '.poison_cleared()', '')],
  },
  {
    name: 'each process that is probed counts as dead',
    change: [becomes(point('probe'), 'false')],
  },
  {
    name: 'a dead reader is never cleared',
    change: [forces(guard('repair_reads'), 'false')],
  },
  {
    name: 'a dead waiter is never cleared',
    change: [forces(guard('repair_queued'), 'false')],
  },
  {
    name: 'a dead owner keeps the gate',
    change: [omits('repair', 'free_gate_of')],
  },
  {
    name: 'the slots of dead processes are lost',
    change: [replaces('#attach_lock', '.chain((0..$spare).filter(|$index| !is_vacant($index)))', '')],
  },
  {
    name: 'the queue is never closed',
    change: [forces(guard('mark_overdue'), 'false')],
  },
  {
    name: 'a queue without waiters is not cleared',
    change: [replaces('wake_next', '.without_queue()', '.with_closed()')],
  },
  {
    name: 'a holder is not told that it keeps a request out',
    change: [forces(guard('notice'), 'false')],
  },
  {
    name: 'the wake of the next waiter is lost, and no waiter checks by itself',
    change: [
      replaces('wake_next', 'Some($slot) != $me', 'Some($slot) == $me'),
      replaces('sleep_until_settled', '.min($check.next)', ''),
    ],
  },
  {
    name: 'a value that was set is not published',
    change: [skips(point('value_publish'))],
  },
  {
    name: 'the value is filled where the last one is',
    change: [
      replaces('Stamp::next', '.wrapping_add(1)', '.wrapping_add(2)'),
      before(point('value_seal'), 'std::thread::yield_now();'),
    ],
  },
  {
    name: 'the value is filled where the last one is, and not compared with its checksum',
    change: [
      replaces('Stamp::next', '.wrapping_add(1)', '.wrapping_add(2)'),
      before(point('value_seal'), 'std::thread::yield_now();'),
      forces(condition('content', 'checksum'), 'false'),
    ],
  },
  {
    name: 'a reader is admitted although the limit is reached',
    change: [forces(condition('SharedState::admit', 'limit'), 'false')],
  },
  {
    name: 'a reader is admitted although another was admitted since it counted',
    change: [
      replaces(
        'SharedState::admit',
        'word.compare_exchange(last.0, last.followed_by(me, claim).0, SeqCst, SeqCst).is_ok()',
        '{ std::thread::yield_now(); word.store(last.followed_by(me, claim).0, SeqCst); true }',
      ),
    ],
  },
]
