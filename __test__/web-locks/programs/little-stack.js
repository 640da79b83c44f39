// Requests the lock that its argument names where less and less stack is left. Start it with a small
// stack.
import { locks } from 'process-rwlock/web-locks'

const name = String(process.argv[2])
process.on('unhandledRejection', () => {}) // of requests for whose promise no stack was left

for (let frames = 0; frames < 60; frames++) {
  /** @type {Array<Promise<unknown>>} */
  const all = []
  /** @param {number} depth @returns {void} */
  const request = (depth) => {
    try {
      all.push(locks.request(name, () => {}))
    } catch {
      // Not even for the promise.
    }
    request(depth + 1)
  }
  /** @param {number} left @returns {void} */
  const begin = (left) => (left === 0 ? request(0) : begin(left - 1))
  try {
    begin(frames)
  } catch {
    // The end of the stack.
  }
  await Promise.allSettled(all)
}
process.on('message', () => {}) // so that it stays
process.send?.({ type: 'done' })
