// A clock that a library such as libfaketime replaces.
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openLock, spawnChild, tempDir, uniqueName } from '../helpers/index.js'
import { testUnless } from '../helpers/skip.js'

/** Adds half an hour to every clock. */
const SHIM = `
#define _GNU_SOURCE
#include <time.h>
#include <unistd.h>
#include <sys/syscall.h>
int clock_gettime(clockid_t id, struct timespec *time) {
  int result = syscall(SYS_clock_gettime, id, time);
  if (result == 0) time->tv_sec += SHIFT;
  return result;
}`

const hasCompiler = process.platform === 'linux' && spawnSync('cc', ['--version']).status === 0

const clockTest = testUnless(!hasCompiler && 'no C compiler for Linux')

for (const shift of [1800, -1800]) {
  clockTest(`timeouts are correct when a library shifts the clock by ${shift} s`, async (t) => {
    const folder = tempDir(t)
    const [source, shim] = [join(folder, 'shim.c'), join(folder, 'shim.so')]
    writeFileSync(source, SHIM)
    const built = spawnSync('cc', ['-shared', '-fPIC', `-DSHIFT=${shift}`, '-o', shim, source], {
      encoding: 'utf8',
    })
    t.is(built.status, 0, built.stderr)

    const name = uniqueName(t)
    const lock = openLock(t, name)
    const guard = await lock.acquireWrite()
    const child = await spawnChild(t, { env: { LD_PRELOAD: shim } })
    await child.ask('open', { ref: name })
    for (const op of ['acquireRead', 'acquireWrite', 'acquireReadSync', 'acquireWriteSync']) {
      await t.throwsAsync(child.ask(op, { options: { timeout: 30 } }), { message: /within 30 ms/ }, op)
    }
    // It is woken, its times are correct, and its holds end.
    const rest = child.ask('acquireWrite')
    guard.release()
    await rest
    const [{ pid, ms }] = lock.inspect().holders
    t.is(pid, child.pid)
    t.true(ms < 60_000, `${ms}`)
    await child.ask('release')
    ;(await lock.acquireWrite()).release()
  })
}
