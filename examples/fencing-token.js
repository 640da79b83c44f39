// A fencing token protects against what the lock cannot prevent: a request that a writer sent before it died, and that
// arrives late.
import { RWLock } from 'process-rwlock'

// In a database: UPDATE page SET body = $body, token = $token WHERE id = $id AND token <= $token
const page = {
  body: '',
  token: 0n,
  update(body, token) {
    if (token < this.token) return false
    Object.assign(this, { body, token })
    return true
  },
}

const lock = new RWLock()
const first = await lock.write((guard) => guard.token)
const second = await lock.write((guard) => guard.token)

console.log(page.update('by the second writer', second)) // true
console.log(page.update('by the first writer, late', first)) // false
console.log(page.body) // by the second writer
