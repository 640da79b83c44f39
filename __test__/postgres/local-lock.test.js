// LocalLock with a session that answers as the test says.
import ava from 'ava'
import { LockError } from 'process-rwlock'
import { READ, WRITE } from '../../dist/modes.js'
import { LocalLock } from '../../dist/postgres/local-lock.js'
import { Entry } from '../../dist/postgres/requests.js'
import { waitFor } from '../helpers/index.js'

/** A session whose statements are answered by hand. */
class FakeSession {
  dead = null
  holds = new Set()
  backend = 1
  epoch = '0'
  sent = 0
  label = ''
  /** @type {{ name: string, values: unknown[], answer: (error: any, rows?: object[]) => void }[]} */
  statements = []

  send(name, values, answer) {
    this.sent++
    this.statements.push({ name, values, answer: (error, rows = []) => answer(error, rows) })
  }

  run(name, values) {
    return new Promise((resolve, reject) => {
      this.send(name, values, (error, rows) => (error ? reject(error) : resolve(rows)))
    })
  }

  die(error) {
    this.dead = error
  }
}

function setUp() {
  const main = new FakeSession()
  const sessions = /** @type {any} */ ({
    mainNow: main,
    downSince: undefined,
    main: async () => main,
    takeIdle: () => null,
    config: { label: 'x' },
  })
  const client = { sessions, pid: 1, threadId: 0, host: 'here' }
  return { main, lock: new LocalLock(client, 'x', '4', "lock 'x'", null) }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

ava('a failed try releases nothing that another try of the same session has got', async (t) => {
  const { main, lock } = setUp()
  for (let count = 0; count < 2; count++) lock.try(READ, 'x', 0).catch(() => {})
  await turn()
  for (const { name, answer } of main.statements.splice(0)) if (name === 'open') answer(null, [{ name: 'x' }])
  await turn()
  t.is(main.statements.length, 2)
  const [failing] = main.statements.splice(0)
  // It is not known whether it had got the lock when it was cancelled.
  failing.answer(Object.assign(new Error('cancelled'), { code: '57014' }))
  await turn()
  // The other one may be granted before what is sent now.
  const undone = main.statements.filter(({ name }) => name === 'undo')
  t.true(main.dead !== null || undone.length === 0)
})

ava.serial(
  'in an outage each request without a timeout fails 30 s after it was made, in any place',
  async (t) => {
    const { lock } = setUp()
    const { now } = performance
    let shift = 0
    t.teardown(() => {
      performance.now = now
    })
    performance.now = () => now.call(performance) + shift
    const sessions = /** @type {any} */ (lock).sessions
    const down = new LockError('ERR_LOCK_UNAVAILABLE', 'no connection')
    Object.assign(sessions, { pause: 0, downSince: performance.now(), main: () => Promise.reject(down) })
    /** @type {string[]} */
    const failed = []
    /** @param {string} name @param {number} mode */
    const ask = (name, mode) =>
      lock.add(
        new Entry(
          /** @type {any} */ ({
            mode,
            timeout: Number.POSITIVE_INFINITY,
            waits() {},
            fail: () => failed.push(name),
          }),
          'x',
          0,
          () => {},
        ),
      )
    ask('first reader', READ)
    ask('writer', WRITE)
    ask('second writer', WRITE)
    shift = 20_000
    ask('second reader', READ)
    await waitFor(() => lock.outage)
    t.deepEqual(failed, [])
    shift = 30_500
    await waitFor(() => failed.length === 3)
    t.deepEqual(failed, ['first reader', 'writer', 'second writer'])
    await waitFor(() => lock.outage)
    t.is(failed.length, 3)
    shift = 50_500
    await waitFor(() => failed.length === 4)
  },
)
