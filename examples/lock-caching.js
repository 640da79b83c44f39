// Lock caching: a process keeps the write hold over many operations, until another process wants the lock.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { RWLock } from 'process-rwlock'

const OPERATIONS = 1_000

/** A number in a file. It is in memory while this process holds the lock, and in the file while others may. */
class CachedCounter {
  #lock = new RWLock('my-app/counter')
  #file
  /** @type {import('process-rwlock').Guard | null} */
  #guard = null
  #value = 0
  loads = 0

  /** @param {string} file */
  constructor(file) {
    this.#file = file
  }

  async increment() {
    if (this.#guard === null) {
      this.#guard = await this.#lock.acquireWrite()
      this.#value = Number(await readFile(this.#file, 'utf8'))
      this.loads++
    }
    this.#value++
    if (this.#guard.contended) await this.giveUp()
  }

  /** Writes what is only in memory, and lets the others go on. */
  async giveUp() {
    if (this.#guard === null) return
    await writeFile(this.#file, String(this.#value))
    this.#guard.release()
    this.#guard = null
  }

  /** An idle process must not keep the others waiting: it gives up as soon as one of them does. */
  async giveUpWhenIdle() {
    await this.#guard?.whenContended()
    await this.giveUp()
  }
}

const { COUNTER: file = '' } = process.env
if (file !== '') {
  const counter = new CachedCounter(file)
  for (let count = 0; count < OPERATIONS; count++) {
    await counter.increment()
    await setImmediate() // whatever else the process has to do
  }
  process.send?.(counter.loads)
  if (process.argv[2] === 'stays') {
    const server = setInterval(() => {}, 1_000) // something that keeps the process alive: a notice does not
    await counter.giveUpWhenIdle()
    clearInterval(server)
  } else {
    await counter.giveUp()
  }
  process.disconnect()
} else {
  const directory = await mkdtemp(join(tmpdir(), 'lock-caching-'))
  const env = { ...process.env, COUNTER: join(directory, 'counter') }
  await writeFile(env.COUNTER, '0')

  // Alone, it acquires the lock and reads the file once for all operations. Then it is idle, and keeps the lock.
  const first = fork(import.meta.filename, ['stays'], { env })
  const [loads] = await once(first, 'message')
  console.log('loads:', loads) // loads: 1

  // It gives the lock up for the second process.
  const second = fork(import.meta.filename, { env })
  await Promise.all([once(first, 'exit'), once(second, 'exit')])
  console.log(await readFile(env.COUNTER, 'utf8')) // 2000

  await rm(directory, { recursive: true })
}
