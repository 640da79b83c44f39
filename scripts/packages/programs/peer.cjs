// Holds a lock until it is told to release it.
const { RWLock } = require('process-rwlock')

async function main() {
  const lock = new RWLock(process.argv[2])
  const guard = await lock.acquireWrite()
  process.once('message', () => {
    guard.release()
    lock.close()
    process.disconnect()
  })
  process.send?.('held')
}

main()
