// Forked children, with and without exec, do not share the holds of their parent.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { RWLock } from 'process-rwlock'
import { openLock, spawnChild, spawnNode, tempDir, test } from '../helpers/index.js'
import { queued } from '../helpers/observe.js'
import { linuxTest, testUnless } from '../helpers/skip.js'

const forkTest = testUnless(process.platform === 'win32' && 'Windows has no fork')

for (const mode of /** @type {const} */ (['read', 'write'])) {
  forkTest(`the death of a process ends its ${mode} hold even if a forked child of it lives`, async (t) => {
    const lock = openLock(t)
    const holder = spawnNode(t, new URL('./programs/forks-holding.js', import.meta.url), [
      JSON.stringify(lock),
      mode,
    ])
    const { child, token } = await holder.next('forked')
    t.teardown(() => process.kill(child, 'SIGKILL'))
    const rest = lock.acquireWrite()
    await holder.kill()
    const guard = await rest
    t.deepEqual(
      guard.ownerDied,
      mode === 'write' ? { pid: holder.pid, threadId: 0, label: 'forker', token } : null,
    )
    guard.release()
    t.true(process.kill(child, 0))
  })
}

linuxTest('a child program inherits no descriptor', async (t) => {
  const inherited = async () => {
    const { stdout } = await promisify(execFile)('ls', ['/proc/self/fd'])
    return stdout
  }
  const before = await inherited()
  const lock = openLock(t)
  const file = new RWLock({ path: join(tempDir(t), 'lock') })
  t.teardown(() => file.close())
  const holder = await spawnChild(t)
  await holder.ask('hold', { ref: lock.toJSON(), mode: 'write' })
  const rest = lock.acquireWrite()
  await queued(lock, process)
  // After a moment the waiter watches for the exit of the holder.
  await new Promise((resolve) => setTimeout(resolve, 50))
  const during = await inherited()
  await holder.kill()
  ;(await rest).release()
  t.is(during, before)
})

test('processes can be started after the only worker thread that had loaded the addon has ended', async (t) => {
  const child = spawnNode(t, new URL('./programs/loads-in-worker.js', import.meta.url))
  await child.next('done')
  t.deepEqual(await child.exited, { code: 0, signal: null })
})
