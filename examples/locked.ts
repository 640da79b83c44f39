// The methods of a class, locked by a standard decorator. Compiled for Node.js 20 by `tsc --target es2022`: no version of
// Node.js runs decorators itself.
import { locked, RWLock } from 'process-rwlock'

class Counter {
  readonly #lock: RWLock
  #count = 0

  constructor(lock: RWLock) {
    this.#lock = lock
  }

  @locked((counter: Counter) => counter.#lock, 'write')
  async increment(by = 1): Promise<number> {
    const before = this.#count
    await new Promise((resolve) => setImmediate(resolve)) // other calls wait meanwhile
    this.#count = before + by
    return this.#count
  }
}

const counter = new Counter(new RWLock())
await Promise.all([counter.increment(), counter.increment(), counter.increment(10)])
console.log('count:', await counter.increment()) // count: 13
