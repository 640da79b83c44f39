// lock.ensure(): one process makes a thing, all others use it.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { RWLock } from 'process-rwlock'
import { openLock, spawnNode, tempDir, test, uniqueName, waitFor } from '../helpers/index.js'

const MAKER = new URL('./programs/ensure-maker.js', import.meta.url)

/** The files and the name that some makers share. */
function shared(t) {
  const dir = tempDir(t)
  const name = uniqueName(t)
  const [output, log] = [join(dir, 'output'), join(dir, 'log')]
  writeFileSync(log, '')
  return {
    name,
    output,
    /** What has been made, a line for each: by which process, after the death of which. */
    made: () => readFileSync(log, 'utf8').trim().split('\n'),
    spawn: async (behaviour = 'works') => {
      const maker = spawnNode(t, MAKER, [name, output, log, behaviour])
      await maker.next('ready')
      return maker
    },
  }
}

test('twenty processes at once make a thing once, and all get it', async (t) => {
  const { made, spawn } = shared(t)
  const makers = await Promise.all(Array.from({ length: 20 }, () => spawn()))
  for (const maker of makers) maker.send('go')
  const results = await Promise.all(makers.map((maker) => maker.next('result')))
  t.deepEqual(
    results.map(({ value }) => value),
    Array(20).fill('half,whole'),
  )
  t.is(made().length, 1)
})

test('when the maker is killed half-way, one other makes, and no process gets half of it', async (t) => {
  const { name, output, made, spawn } = shared(t)
  const hanging = await spawn('hangs')
  hanging.send('go')
  await hanging.next('half')
  t.is(readFileSync(output, 'utf8'), 'half,')

  const others = await Promise.all(Array.from({ length: 6 }, () => spawn()))
  for (const other of others) other.send('go')
  const lock = openLock(t, name)
  await waitFor(() => lock.inspect().waiters.length === others.length, { what: 'all others wait' })
  await hanging.kill()

  const results = await Promise.all(others.map((other) => other.next('result')))
  t.deepEqual(
    results.map(({ value }) => value),
    Array(6).fill('half,whole'),
  )
  const makers = made()
  t.is(makers.length, 2)
  t.true(makers[1].endsWith(` ${hanging.pid}`), 'the second maker sees the death of the first')
  t.is(lock.inspect().ownerDied, null, 'and its make settles it')
})

test('what has been made is loaded beside other readers, and not made', async (t) => {
  const name = uniqueName(t)
  const [lock, other] = [openLock(t, name), openLock(t, name)]
  const reading = await other.acquireRead()
  const made = await lock.ensure(
    ({ mode }) => mode,
    () => t.fail(),
  )
  t.is(made, 'read')
  reading.release()
})

test('what make() returns is the result; if it returns nothing, what load() then returns', async (t) => {
  const lock = openLock(t)
  t.is(
    await lock.ensure(
      () => undefined,
      ({ mode }) => mode,
    ),
    'write',
  )
  let thing
  const modes = []
  const load = ({ mode }) => {
    modes.push(mode)
    return thing
  }
  const make = async () => {
    thing = null // is a thing
  }
  t.is(await lock.ensure(load, make), null)
  t.deepEqual(modes, ['read', 'upgradable', 'read'])
})

test('what another process makes in the meantime is not made again', async (t) => {
  const name = uniqueName(t)
  const [lock, other] = [openLock(t, name), openLock(t, name)]
  let thing
  const guard = await other.acquireUpgradable()
  const ensured = lock.ensure(
    () => thing,
    () => t.fail(),
  )
  await waitFor(() => lock.inspect().waiters.some(({ mode }) => mode === 'upgradable'))
  thing = 'made'
  guard.release()
  t.is(await ensured, 'made')
})

test('after make(), others load beside the load() of the maker', async (t) => {
  const name = uniqueName(t)
  const [lock, other] = [openLock(t, name), openLock(t, name)]
  let isMade = false
  const load = () => (isMade ? other.read(() => 'read beside it', { timeout: 5000 }) : undefined)
  const make = () => {
    isMade = true
  }
  t.is(await lock.ensure(load, make), 'read beside it')
})

test('an error is thrown if neither make() nor load() returns anything', async (t) => {
  const lock = openLock(t)
  const error = await t.throwsAsync(
    lock.ensure(
      () => undefined,
      () => {},
    ),
    { code: 'ERR_INVALID_ARG_VALUE' },
  )
  t.regex(error.message, /make returned nothing, and load\(\) returns nothing after it/)
  t.deepEqual(lock.inspect().holders, [])
})

test('an error of load() or make() passes on, and the next call makes', async (t) => {
  const lock = openLock(t)
  const thrown = new Error('thrown')
  const fails = () => {
    throw thrown
  }
  const nothing = () => undefined
  t.is(await t.throwsAsync(lock.ensure(fails, fails)), thrown)
  t.is(await t.throwsAsync(lock.ensure(nothing, fails)), thrown)
  t.is(await t.throwsAsync(lock.ensure(nothing, async () => fails())), thrown)
  t.deepEqual(lock.inspect().holders, [])
  t.is(await lock.ensure(nothing, () => 'made'), 'made')
})

test('an abort or a timeout ends each of its waits', async (t) => {
  const name = uniqueName(t)
  const [lock, other] = [openLock(t, name), openLock(t, name)]
  const nothing = () => undefined
  for (const mode of ['Write', 'Upgradable', 'Read']) {
    const guard = await other[`acquire${mode}`]()
    const timed = lock.ensure(nothing, () => t.fail(), { timeout: mode === 'Read' ? 20 : 0 })
    await t.throwsAsync(timed, { code: 'ERR_LOCK_TIMEOUT' }, mode)
    const controller = new AbortController()
    const aborted = lock.ensure(nothing, () => t.fail(), { signal: controller.signal })
    await waitFor(() => lock.inspect().waiters.length === 1)
    const reason = new Error('aborted')
    controller.abort(reason)
    t.is(await t.throwsAsync(aborted), reason, mode)
    guard.release()
  }
  t.deepEqual(lock.inspect().waiters, [])
  t.deepEqual(lock.inspect().holders, [])
})

test('its timeout is one for all of its waits, and does not count load()', async (t) => {
  const name = uniqueName(t)
  const [lock, other] = [openLock(t, name), openLock(t, name)]
  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
  const first = await other.acquireWrite()
  let loads = 0
  const load = async () => {
    if (++loads === 1) await wait(300)
  }
  const began = performance.now()
  const ensured = lock.ensure(load, () => t.fail(), { timeout: 1000 })
  await wait(600)
  // A reader lets it load, and keeps it from becoming the writer.
  first.downgrade()
  await t.throwsAsync(ensured, { code: 'ERR_LOCK_TIMEOUT' })
  const took = performance.now() - began
  t.true(took >= 1250 && took < 1900, `${took} ms`) // 1,900 with a timeout for each wait
  t.is(loads, 2)
})

test('its arguments are checked', async (t) => {
  const lock = openLock(t)
  const nothing = () => undefined
  for (const args of [
    [],
    [nothing],
    [1, nothing],
    [nothing, nothing, 5],
    [nothing, nothing, { timeout: 'x' }],
  ]) {
    await t.throwsAsync(/** @type {any} */ (lock).ensure(...args), { code: 'ERR_INVALID_ARG_TYPE' })
  }
  const { ensure } = RWLock.prototype
  await t.throwsAsync(ensure.call(/** @type {any} */ ({}), nothing, nothing), { code: 'ERR_INVALID_THIS' })
})
