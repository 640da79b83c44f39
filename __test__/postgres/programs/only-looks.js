// A program that does nothing but call a method, and prints its result: node only-looks.js CODE
import { PostgresLocks } from 'process-rwlock/postgres'

const locks = new PostgresLocks({ connectionString: process.env.PROCESS_RWLOCK_TEST_POSTGRES })
const [method = ''] = process.argv.slice(2)
const calls = {
  list: () => locks.list(),
  remove: () => locks.remove('only-looks/missing'),
  inspect: () => locks.open('only-looks').inspect(),
}
process.disconnect?.() // the channel to the test would keep it alive
const result = await calls[method]()
console.log(typeof result)
