// Whether the storm can fail: breaks a copy of the lock in one way at a time, and sees that a storm of at most a minute finds
// out. The processes are all in Rust, since only those are built from the copy.
//
//   npm run storm -- --mutants [part of a name]
import { join } from 'node:path'
import { run } from '../scripts/lib/run.js'
import { showMutants } from '../scripts/mutants.js'
import { Round } from './round.js'
import { endOnSignal } from './signals.js'

const ROUND = 20 // s
const ROUNDS = 3

/**
 * A `yield_now` makes the window that a mutant opens wide enough for a minute on two cores; on the lock as it is it would
 * change nothing.
 *
 * @type {import('../scripts/mutants.js').Mutant[]}
 */
const MUTANTS = [
  {
    name: 'a reader looks at the gate before it publishes its hold, and not after',
    file: 'attachment/mod.rs',
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
    file: 'attachment/mod.rs',
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
        'self.reads.get() == 0 && self.segment.find_other_reader(self.index).is_none() && self.claim_drained()',
        'self.reads.get() == 0 && (drain.upgrade || self.segment.find_other_reader(self.index).is_none()) && self.claim_drained()',
      ],
    ],
  },
  {
    name: 'a downgrade frees the gate before it reads',
    file: 'attachment/mod.rs',
    change: [
      [
        'self.reads.set(1);\n            crash_point!(downgrade_publish);',
        'let _ = self.release_exclusive(HoldEnd::Consistent); std::thread::yield_now(); self.reads.set(1);',
      ],
    ],
  },
  {
    name: 'the last token does not grow',
    file: 'attachment/mod.rs',
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
    file: 'attachment/mod.rs',
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
    change: [['self.repair(slot, || !self.is_alive(slot))', 'self.repair(slot, || true)']],
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
    file: 'attachment/mod.rs',
    change: [['.chain((0..spare).filter(|index| !is_vacant(index)))', '']],
  },
  {
    name: 'the queue is never closed',
    file: 'attachment/requests.rs',
    change: [['&& now >= head.close_at\n', '&& now >= u64::MAX\n']],
  },
  {
    name: 'a queue without waiters stays as it is',
    file: 'protocol/queue.rs',
    change: [['gate.without_queue()', 'gate.with_closed()']],
  },
  {
    name: 'the wake of the next is lost, and nobody looks by himself',
    file: 'protocol/queue.rs',
    change: [
      ['if turn && Some(slot) != me {', 'if turn && Some(slot) == me {'],
      ['self.next_poll(now).min(peer_check.next);', 'self.next_poll(now);', 'attachment/requests.rs'],
    ],
  },
]

const [part = ''] = process.argv.slice(2)
/** @type {Round | undefined} */
let round
endOnSignal(() => round)
await showMutants({ check: 'storm', mutants: MUTANTS, part, find })

/**
 * Storms until something is violated. Resolves with what and when, if anything.
 *
 * @param {string} copy
 */
async function find(copy) {
  await build(copy)
  const worker = join(copy, 'target/release/process-rwlock-storm')
  const start = performance.now()
  for (let number = 0; number < ROUNDS; number++) {
    round = new Round({ seed: 1000 + number, ms: ROUND * 1000, processes: 16, nodes: 0, worker })
    try {
      const { violations } = await round.run()
      const [first] = violations
      const seconds = ((performance.now() - start) / 1000).toFixed(0)
      if (first) return `${first.split('\n')[0]?.slice(0, 200)} (${seconds} s)`
    } finally {
      await round.kill()
      round.remove()
      round = undefined
    }
  }
  return undefined
}

/** @param {string} copy */
function build(copy) {
  const env = { ...process.env, CARGO_PROFILE_RELEASE_LTO: 'off', CARGO_PROFILE_RELEASE_CODEGEN_UNITS: '16' }
  return run('cargo', ['build', '--quiet', '--release', '--package', 'process-rwlock-storm'], {
    cwd: copy,
    env: { ...env, CARGO_TARGET_DIR: join(copy, 'target'), RUSTFLAGS: '-Awarnings' },
  })
}
