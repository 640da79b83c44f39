// How the stress test is tried on a mutant: built from a copy of the lock, for at most a minute. All its processes are in
// Rust, because only those are built from the copy.
import { join } from 'node:path'
import { run } from '../../scripts/lib/run.js'
import { setup } from '../../scripts/lib/setup.js'
import { targetOf } from '../mutants/run.js'
import { endOnSignal } from './signals.js'

const ROUND = 20 // s
const ROUNDS = 3

/** @type {import('./round.js').Round | undefined} */
let round
let endsOnSignal = false

export function setUp() {
  return setup({ testkit: true, stress: true })
}

/**
 * Runs rounds until one of them finds a violation. Resolves with the violation and the time until it was found.
 *
 * @param {string} copy
 */
export async function find(copy) {
  if (!endsOnSignal) endOnSignal(() => round)
  endsOnSignal = true
  const { Round } = await import('./round.js') // which imports what the set-up builds
  await build(copy)
  const worker = join(targetOf('stress'), 'release/process-rwlock-stress')
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
  return run('cargo', ['build', '--quiet', '--release', '--package', 'process-rwlock-stress'], {
    cwd: copy,
    env: { ...env, CARGO_TARGET_DIR: targetOf('stress'), RUSTFLAGS: '-Awarnings' },
  })
}
