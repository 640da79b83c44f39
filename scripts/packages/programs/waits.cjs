// What every program here does: it waits for a lock that another process holds, with each class that it was given, at once.
// Not by `require()`: bundlers would look for the program that is started.
const { fork } = process.getBuiltinModule('node:child_process')
const { randomUUID } = process.getBuiltinModule('node:crypto')

const BOUND = 20_000 // ms for all of it

/** @param {...typeof import('process-rwlock').RWLock} classes */
exports.waits = async function waits(...classes) {
  const name = `test-packages/${randomUUID()}`
  const peer = fork('peer.cjs', [name], { execArgv: [] })
  const ended = new Promise((resolve) => peer.once('exit', resolve))
  const late = deadline()
  const locks = classes.map((RWLock) => new RWLock(name))
  try {
    await Promise.race([new Promise((resolve) => peer.once('message', resolve)), ended, late.promise])
    if (peer.exitCode !== null) throw new Error('the other process does not work')
    const reads = locks.map((lock) => lock.read(() => lock.inspect().holders.map(({ mode }) => mode)))
    peer.send('release')
    for (const modes of await Promise.race([Promise.all(reads), late.promise])) {
      if (!modes.includes('read')) throw new Error(`it was granted, and is held for ${modes}`)
    }
    await Promise.race([ended, late.promise])
  } finally {
    late.forget()
    peer.kill('SIGKILL')
    for (const lock of locks) lock.close()
  }
  return 'granted'
}

function deadline() {
  /** @type {NodeJS.Timeout | undefined} */
  let timer
  const promise = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it did not end within ${BOUND} ms`)), BOUND)
  })
  promise.catch(() => {})
  return { promise: /** @type {Promise<never>} */ (promise), forget: () => clearTimeout(timer) }
}
