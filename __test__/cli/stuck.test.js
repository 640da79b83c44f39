// Which processes hang in the kernel, and which only wait for a disk at this moment.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stillStuck } from '../../dist/cli/process-info.js'
import { linuxTest, tempDir } from '../helpers/index.js'

linuxTest('a process is stuck if it did not move between two looks', async (t) => {
  const proc = tempDir(t)
  const set = (/** @type {number} */ pid, /** @type {string} */ state, /** @type {number} */ pauses) => {
    mkdirSync(join(proc, `${pid}`), { recursive: true })
    const text = `Name:\tnode\nState:\t${state}\nvoluntary_ctxt_switches:\t${pauses}\n`
    writeFileSync(join(proc, `${pid}`, 'status'), text)
  }
  const STUCK = 'D (disk sleep)'
  for (const pid of [1, 2, 3, 4]) set(pid, STUCK, 100)
  const found = stillStuck([1, 2, 3, 4, 5], 1, proc) // the first look is immediate
  set(2, STUCK, 101) // it waits again
  set(3, 'S (sleeping)', 100)
  set(4, 'R (running)', 101)
  t.deepEqual(await found, new Set([1]))
})
