// Whether the storm can fail: breaks the lock in one place at a time, in a copy of its sources, and sees that a storm of at
// most a minute finds out. The processes are all in Rust, since only those are built from the copy.
//
//   npm run storm -- mutants [part of a name …]
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from '../scripts/run.js'
import { Round } from './round.js'
import { endOnSignal } from './signals.js'

const ROUND = 20 // s
const ROUNDS = 3

/**
 * By name: in which file, and what is written instead of what. A `yield_now` makes the window that a mutant opens wide enough
 * for a minute on two cores; on the lock as it is it would change nothing.
 *
 * @type {Record<string, [file: string, from: string, to: string][]>}
 */
const MUTANTS = {
  'a reader looks at the gate before it publishes its hold, and not after': [
    [
      'attachment.rs',
      'step!(read_publish);',
      'let admitted = self.load_gate().admits_reader(); std::thread::yield_now();',
    ],
    ['attachment.rs', 'step!(read_look);\n        if self.load_gate().admits_reader() {', 'if admitted {'],
  ],
  'a writer does not look for readers once it has the gate': [
    [
      'attachment.rs',
      'self.has_readers_beside() || !self.claim_gate(Hold::Writing',
      'self.has_readers_beside() || { std::thread::yield_now(); false } || !self.claim_gate(Hold::Writing',
    ],
    [
      'attachment.rs',
      'if self.has_readers_beside() {\n            self.give_gate_back();\n            return false;\n        }\n        self.begin_write();',
      'self.begin_write();',
    ],
  ],
  'an upgrade does not wait for the readers': [
    [
      'wait.rs',
      'self.reads.get() == 0 && self.segment.reader_beside(self.index).is_none() && self.claim_drained()',
      'self.reads.get() == 0 && (drain.upgrade || self.segment.reader_beside(self.index).is_none()) && self.claim_drained()',
    ],
  ],
  'a downgrade frees the gate before it reads': [
    [
      'attachment.rs',
      'self.reads.set(1);\n            step!(downgrade_publish);',
      'let _ = self.release_exclusive(HoldEnd::Whole); std::thread::yield_now(); self.reads.set(1);',
    ],
  ],
  'the fence does not grow': [
    ['attachment.rs', 'self.gate().fence.load(Relaxed).wrapping_add(1);', 'self.gate().fence.load(Relaxed);'],
  ],
  'a death inside is not remembered': [['recovery.rs', 'gate.freed().poisoned_by(index)', 'gate.freed()']],
  'a whole write does not settle a death': [
    [
      'attachment.rs',
      'HoldEnd::Whole if mode == Mode::Write => gate.freed().healed()',
      'HoldEnd::Whole if mode == Mode::Write => gate.freed()',
    ],
  ],
  'whoever is asked about counts as dead': [
    ['recovery.rs', 'self.repair(slot, || !self.is_alive(slot))', 'self.repair(slot, || true)'],
  ],
  'a dead reader is never cleared': [['recovery.rs', 'if reads.count() != 0 {\n', 'if false {\n']],
  'a dead waiter is never cleared': [['recovery.rs', 'if queued != Queued::NONE {\n', 'if false {\n']],
  'a dead owner keeps the gate': [['recovery.rs', '        self.free_gate_of(index, is_dead);\n', '']],
  'the places of the dead are lost': [
    ['attachment.rs', '.chain((0..spare).filter(|index| !is_vacant(index)))', ''],
  ],
  'the queue is never closed': [['wait.rs', '&& now >= head.close_at\n', '&& now >= u64::MAX\n']],
  'a queue without waiters stays as it is': [['queue.rs', 'gate.without_queue()', 'gate.with_closed()']],
  'the wake of the next is lost, and nobody looks by himself': [
    ['queue.rs', 'if turn && Some(slot) != me {', 'if turn && Some(slot) == me {'],
    ['wait.rs', 'self.next_poll(now).min(vigil.next);', 'self.next_poll(now);'],
  ],
}

const wanted = process.argv.slice(2)
const root = fileURLToPath(new URL('..', import.meta.url))
const copy = mkdtempSync(join(tmpdir(), 'process-rwlock-mutants-'))
const removeCopy = () => rmSync(copy, { recursive: true, force: true })
let missed = 0
/** @type {Round | undefined} */
let round
endOnSignal(() => round, removeCopy)

try {
  for (const part of ['Cargo.toml', 'Cargo.lock', 'crates'])
    cpSync(join(root, part), join(copy, part), { recursive: true })
  // First whether all of them can be made, since the sources change.
  for (const change of Object.values(MUTANTS).flat()) mutate(change)()
  for (const [name, changes] of Object.entries(MUTANTS)) {
    if (wanted.length > 0 && !wanted.some((part) => name.includes(part))) continue
    const undo = changes.map((change) => mutate(change))
    try {
      await build()
      const found = await storm()
      if (!found) missed++
      console.log(`${found ? 'caught' : 'MISSED'}  ${name}\n          ${found ?? ''}`)
    } finally {
      for (const step of undo.reverse()) step()
    }
  }
} finally {
  removeCopy()
}
process.exitCode = missed > 0 ? 1 : 0

/** @param {[file: string, from: string, to: string]} change */
function mutate([name, from, to]) {
  const file = join(copy, 'crates/rwlock/src', name)
  const source = readFileSync(file, 'utf8')
  if (source.split(from).length !== 2)
    throw new Error(`${name} does not have exactly one ${JSON.stringify(from)}`)
  writeFileSync(
    file,
    source.replace(from, () => to),
  )
  return () => writeFileSync(file, source)
}

function build() {
  const env = { ...process.env, CARGO_PROFILE_RELEASE_LTO: 'off', CARGO_PROFILE_RELEASE_CODEGEN_UNITS: '16' }
  return run('cargo', ['build', '--quiet', '--release', '--package', 'process-rwlock-storm'], {
    cwd: copy,
    env: { ...env, CARGO_TARGET_DIR: join(copy, 'target'), RUSTFLAGS: '-Awarnings' },
  })
}

/** Storms until something is violated. Resolves with what and when, if anything. */
async function storm() {
  const worker = join(copy, 'target/release/process-rwlock-storm')
  const start = performance.now()
  for (let number = 0; number < ROUNDS; number++) {
    round = new Round({ seed: 1000 + number, ms: ROUND * 1000, processes: 16, nodes: 0, worker })
    try {
      const { violations } = await round.run()
      const [first] = violations
      if (first)
        return `${((performance.now() - start) / 1000).toFixed(0)} s: ${first.split('\n')[0]?.slice(0, 200)}`
    } finally {
      await round.kill()
      round.remove()
      round = undefined
    }
  }
  return undefined
}
