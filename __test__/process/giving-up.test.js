// Acquisitions are given up, by timeout or by abort, at the very moment they may be granted.
import { join } from 'node:path'
import { openLock, spawnNode, tempDir, test, timeoutFactor } from '../helpers/index.js'
import { SEED } from '../helpers/random.js'
import { SharedRecord } from '../helpers/shared-record.js'

const PROCESSES = 5
const TIMES = 2000

for (const tasks of [1, 6]) {
  const title = `${PROCESSES * TIMES} acquisitions given up around their grant, ${tasks} at a time in each process, lose nothing`
  test(title, async (t) => {
    t.timeout(90_000 * timeoutFactor)
    const seed = `SEED=${SEED} brings it back`
    const lock = openLock(t)
    const page = join(tempDir(t), 'page')
    const record = new SharedRecord(page)
    const children = Array.from({ length: PROCESSES }, (_, actor) => {
      const job = { ref: lock, page, actor, seed: SEED, tasks, times: TIMES }
      return spawnNode(t, new URL('./programs/giving-up.js', import.meta.url), [JSON.stringify(job)])
    })
    await Promise.all(children.map((child) => child.next('ready')))
    record.go()
    const reports = await Promise.all(children.map((child) => child.next('report', { bound: 80_000 })))
    const sum = (what) => reports.reduce((total, { outcomes }) => total + outcomes[what], 0)
    const [granted, timedOut, aborted] = ['granted', 'timedOut', 'aborted'].map(sum)
    t.log({ granted, timedOut, aborted })

    t.deepEqual(
      reports.flatMap(({ violations }) => violations),
      [],
      seed,
    )
    t.is(granted + timedOut + aborted, PROCESSES * TIMES)
    // All three outcomes occurred often, or the test shows nothing.
    for (const count of [granted, timedOut, aborted]) t.true(count > (PROCESSES * TIMES) / 50, seed)
    t.is(
      record.value,
      reports.reduce((total, { writes }) => total + writes, 0),
      `writes were lost; ${seed}`,
    )
    t.deepEqual(record.inside, { read: 0, upgradable: 0, write: 0 }, seed)

    const { holders, waiters, ownerDied } = lock.inspect()
    t.deepEqual({ holders, waiters, ownerDied }, { holders: [], waiters: [], ownerDied: null }, seed)
    for (const method of ['tryRead', 'tryWrite', 'tryUpgradable']) {
      const guard = lock[method]()
      t.truthy(guard, `${method}; ${seed}`)
      guard?.release()
    }
  })
}
