// LocalLock with a session that answers as the test says.
import ava from 'ava'
import { READ } from '../../dist/modes.js'
import { LocalLock } from '../../dist/postgres/local-lock.js'

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
