// Waits for a lock, and ends by itself while it holds it.
//   node ends-by-itself.js URL NAME
import { PostgresLocks } from 'process-rwlock/postgres'

process.disconnect()
const [connectionString, name] = process.argv.slice(2)
const locks = new PostgresLocks({ connectionString })
await locks.open(name).acquireWrite()
const loaded = process.report
  .getReport()
  // @ts-expect-error Not in the types of Node.js.
  .sharedObjects.filter((/** @type {string} */ path) => path.includes('process-rwlock.'))
if (loaded.length > 0) throw new Error(`it has loaded ${loaded}`)
