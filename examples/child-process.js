// A lock without a name, passed to a child process as JSON.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { RWLock } from 'process-rwlock'

const [ref] = process.argv.slice(2)

if (ref === undefined) {
  const lock = new RWLock() // a random name, so no other program opens it by chance
  const guard = await lock.acquireWrite()

  const child = fork(import.meta.filename, [JSON.stringify(lock)])
  await once(child, 'message')
  console.log('parent: the child waits for', lock.inspect().waiters[0].mode)
  guard.release()
  await once(child, 'exit')
} else {
  const lock = new RWLock(JSON.parse(ref))

  const reading = lock.read(() => console.log('child:  reads now'))
  process.send?.('waiting')
  await reading
  process.disconnect()
}
