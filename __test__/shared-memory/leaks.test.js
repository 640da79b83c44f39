// Operations that are repeated many times leave no files, shared memory, descriptors, threads or
// memory.
import { readdirSync } from 'node:fs'
import { sandbox, sandboxTest, tempDir, timeoutFactor, unlessEmulated } from '../helpers/index.js'

/**
 * Runs `thing` of programs/repeats.js `times` times in a process, and checks what is left.
 *
 * @param {import('ava').ExecutionContext} t
 * @param {string} thing
 * @param {number} times
 * @param {number} limit the memory that all together may leave, in MB: far less than a leak in each round
 */
async function leavesNothing(t, thing, times, limit = 6) {
  t.timeout(110_000 * timeoutFactor)
  const box = await sandbox(t)
  const dir = tempDir(t)
  const child = box.spawnNode(
    new URL('./programs/repeats.js', import.meta.url),
    [thing, dir, String(times), String(limit)],
    // With a small young generation, whose size is not mistaken for a leak.
    { execArgv: ['--expose-gc', '--max-semi-space-size=1'] },
  )
  const { before, after, megabytes, grown } = await child.next('measured', { bound: 100_000 })
  t.log(`${megabytes.map((value) => value.toFixed(1)).join(', ')} MB; ${after.threads} threads`)
  t.is(after.descriptors, before.descriptors, 'descriptors')
  t.true(after.threads <= before.threads, `${after.threads} threads, and ${before.threads} before`)
  t.true(grown < limit, `${grown} MB more`)
  t.deepEqual(await child.exited, { code: 0, signal: null })
  t.deepEqual(box.leftOvers(), [])
  t.deepEqual(readdirSync(dir), [])
}

const longTest = unlessEmulated('it takes minutes', { by: sandboxTest })

longTest('opening and closing 100,000 names leaves nothing', (t) => leavesNothing(t, 'names', 100_000))

longTest('1,000,000 acquisitions, by all methods, with and without waits, leave nothing', (t) =>
  leavesNothing(t, 'acquisitions', 1_000_000),
)

sandboxTest('10,000 waits that are given up leave nothing', (t) => leavesNothing(t, 'unfulfilled', 10_000))

sandboxTest('1,000 open locks by path use one descriptor each, and leave nothing', (t) =>
  leavesNothing(t, 'paths', 1000),
)

sandboxTest('4,000 failed attempts to open a lock leave nothing', (t) => leavesNothing(t, 'failures', 4000))

longTest('100 worker threads that end or are terminated while they hold and wait leave nothing', (t) =>
  leavesNothing(t, 'workers', 100, 20),
)

sandboxTest('1,000 handles dropped without close() are closed when they are collected', (t) =>
  leavesNothing(t, 'collected', 1000),
)
