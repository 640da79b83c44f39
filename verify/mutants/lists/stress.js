// Ways to break the lock, each of which `npm run stress -- --mutants` must find.

/**
 * A `yield_now` makes the window that a mutant opens wide enough for a minute on two cores; on the lock as it is it would
 * change nothing.
 *
 * @type {import('../run.js').Mutant[]}
 */
export const MUTANTS = [
  {
    name: 'a reader looks at the gate before it publishes its hold, and not after',
    file: 'attachment/read.rs',
    change: [
      ['crash_point!(read_publish);', 'let admitted = open(self.load_gate()); std::thread::yield_now();'],
      [
        'if open(self.load_gate()) && (self.is_registered() || self.register_reader_while(open)) {',
        'if admitted && (self.is_registered() || self.register_reader_while(|_| true)) {',
      ],
    ],
  },
  {
    name: 'a writer does not look for readers once it has the gate',
    file: 'attachment/exclusive.rs',
    change: [
      [
        'fn write_drained(&self) -> bool {\n        if self.has_other_readers() {\n            self.abort_claim();\n            return false;\n        }\n',
        'fn write_drained(&self) -> bool {\n',
      ],
      [
        '        let _trying = TryMark::of(self.slot());\n        let writes = self.claim_gate',
        '        let _trying = TryMark::of(self.slot());\n        std::thread::yield_now();\n        let writes = self.claim_gate',
      ],
    ],
  },
  {
    name: 'an upgrade does not wait for the readers',
    file: 'attachment/requests.rs',
    change: [
      [
        '&& self.segment.readers().find_other_reader(self.index).is_none()',
        '&& (drain.upgrade || self.segment.readers().find_other_reader(self.index).is_none())',
      ],
    ],
  },
  {
    name: 'a downgrade frees the gate before it reads',
    file: 'attachment/convert.rs',
    change: [
      [
        'self.reads.set(1);\n            crash_point!(downgrade_publish);',
        'let _ = self.release_exclusive(HoldEnd::Consistent); std::thread::yield_now(); self.reads.set(1);',
      ],
    ],
  },
  {
    name: 'the last token does not grow',
    file: 'attachment/exclusive.rs',
    change: [
      ['self.gate().last_token.load(Relaxed).wrapping_add(1);', 'self.gate().last_token.load(Relaxed);'],
    ],
  },
  {
    name: 'a death inside is not remembered',
    file: 'protocol/recovery.rs',
    change: [['gate.freed().poisoned_by(index)', 'gate.freed()']],
  },
  {
    name: 'a whole write does not settle a death',
    file: 'attachment/exclusive.rs',
    change: [
      [
        'HoldEnd::Consistent if mode == Mode::Write => gate.freed().poison_cleared()',
        'HoldEnd::Consistent if mode == Mode::Write => gate.freed()',
      ],
    ],
  },
  {
    name: 'whoever is asked about counts as dead',
    file: 'protocol/recovery.rs',
    change: [['self.repair(slot, || !self.lock_file.is_alive(slot))', 'self.repair(slot, || true)']],
  },
  {
    name: 'a dead reader is never cleared',
    file: 'protocol/recovery.rs',
    change: [['if reads.count() != 0 {\n', 'if false {\n']],
  },
  {
    name: 'a dead waiter is never cleared',
    file: 'protocol/recovery.rs',
    change: [['if queued != Queued::NONE {\n', 'if false {\n']],
  },
  {
    name: 'a dead owner keeps the gate',
    file: 'protocol/recovery.rs',
    change: [['        self.free_gate_of(index, is_dead);\n', '']],
  },
  {
    name: 'the places of the dead are lost',
    file: 'shm/claim.rs',
    change: [['.chain((0..spare).filter(|index| !is_vacant(index)))', '']],
  },
  {
    name: 'the queue is never closed',
    file: 'attachment/requests.rs',
    change: [['&& now >= head.close_at\n', '&& now >= u64::MAX\n']],
  },
  {
    name: 'a queue without waiters stays as it is',
    file: 'protocol/wait_queue.rs',
    change: [['gate.without_queue()', 'gate.with_closed()']],
  },
  {
    name: 'the wake of the next is lost, and nobody looks by himself',
    file: 'protocol/wait_queue.rs',
    change: [
      ['if turn && Some(slot) != me {', 'if turn && Some(slot) == me {'],
      ['self.next_poll(now).min(peer_check.next);', 'self.next_poll(now);', 'attachment/block.rs'],
    ],
  },
]
