// node smoke.js, in a folder that holds the package: two processes and a lock, before the suite is worth its time.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath, pathToFileURL } from 'node:url'

const { RWLock } = await import(pathToFileURL(`${process.cwd()}/dist/index.js`).href)
const [name = `process-rwlock-smoke/${process.pid}`, child] = process.argv.slice(2)

const lock = new RWLock(name)
if (child) {
  // The other one reads: so may this one, and it may not write; it dies as a writer when the other one has let go.
  const read = lock.tryRead()
  assert.ok(read)
  read.release()
  assert.equal(lock.tryWrite(), null)
  await lock.acquireWrite()
  process.kill(process.pid, 'SIGKILL')
} else {
  const held = lock.tryRead()
  assert.ok(held)
  const other = spawn(process.execPath, [fileURLToPath(import.meta.url), name, 'child'], {
    stdio: ['ignore', 2, 2],
  })
  const ended = once(other, 'exit')
  while (lock.inspect().waiters.length === 0) {
    assert.equal(other.exitCode, null, 'the other process ended too early')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  held.release()
  await ended
  const after = await lock.acquireRead({ timeout: 30_000 })
  assert.equal(after.ownerDied?.pid ?? after.ownerDied, other.pid)
  after.release()
  lock.close()
  RWLock.remove(name)
  console.log(
    `${process.platform} ${process.arch}, Node.js ${process.versions.node}: two processes share a lock, and one heard of the other's death`,
  )
}
