// The value of a lock in shared memory: how long it lasts, and how it is shown.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { RWLock } from 'process-rwlock'
import { openLock, spawnChild, tempDir, test, uniqueName } from '../helpers/index.js'
import { MAX_VALUE_BYTES } from '../helpers/limits.js'
import { AT, poke } from './storage/layout.js'

/** @param {Uint8Array | null} value */
const text = (value) => value && new TextDecoder().decode(value)

test('a value may have 1024 bytes, and the error says what to do with more', (t) => {
  t.is(MAX_VALUE_BYTES, 1024)
  const lock = openLock(t)
  lock.writeSync((guard) => {
    const error = t.throws(() => guard.setValue('x'.repeat(1025)), { code: 'ERR_INVALID_ARG_VALUE' })
    t.regex(`${error?.message}`, /must have at most 1024 bytes, not 1025: store more in a file/)
  })
})

test('the value of a name ends with the last close, and that of a file does not', (t) => {
  for (const [ref, left] of /** @type {const} */ ([
    [uniqueName(t), null],
    [{ path: join(tempDir(t), 'x.lock') }, 'kept'],
  ])) {
    const lock = new RWLock(ref)
    lock.writeSync((guard) => guard.setValue('kept'))
    lock.close()
    const later = openLock(t, ref)
    t.is(text(later.inspect().value), left)
    later.close()
    RWLock.remove(ref)
    t.is(openLock(t, ref).inspect().value, null)
  }
})

test('the value of a name stays while any process has the lock open', async (t) => {
  const name = uniqueName(t)
  const child = await spawnChild(t)
  const lock = openLock(t, name)
  lock.writeSync((guard) => guard.setValue('here'))
  await child.ask('open', { ref: name })
  lock.close()
  t.is(text((await child.ask('inspect')).value), 'here')
})

test('RWLock.list() shows the values', (t) => {
  const name = uniqueName(t)
  openLock(t, name).writeSync((guard) => guard.setValue('listed'))
  t.is(text(RWLock.list().filter((seen) => seen.name === name)[0].value), 'listed')
})

test('JSON.stringify() of a snapshot writes the value in base64', (t) => {
  const lock = openLock(t)
  t.is(JSON.parse(JSON.stringify(lock.inspect())).value, null)
  lock.writeSync((guard) => guard.setValue(new Uint8Array([0, 1, 254, 255])))
  t.is(JSON.parse(JSON.stringify(lock.inspect())).value, 'AAH+/w==')
})

test('a value that was damaged in its file is the one before, or none', (t) => {
  const path = join(tempDir(t), 'x.lock')
  const lock = openLock(t, { path })
  lock.writeSync((guard) => {
    guard.setValue('the one before')
    guard.setValue('the last one')
  })
  const content = readFileSync(path)
  poke(path, content.indexOf('the last one'), 'X')
  t.is(text(lock.inspect().value), 'the one before')
  poke(path, content.indexOf('the one before'), 'X')
  t.is(lock.inspect().value, null)
  poke(path, AT.stamp, new Uint8Array(8).fill(255))
  t.is(lock.inspect().value, null)
  lock.writeSync((guard) => guard.setValue('anew'))
  t.is(text(lock.inspect().value), 'anew')
})
