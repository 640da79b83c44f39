const { RWLock } = require('process-rwlock')
const { forFile } = require('process-rwlock/file')
const { waits } = require('../waits.cjs')

test('a wait ends', async () => {
  expect(await waits(RWLock, RWLock)).toBe('granted')
})

test('the lock of a file is a lock', () => {
  const lock = forFile(__filename)
  expect(lock).toBeInstanceOf(RWLock)
  lock.close()
})

test('so does one after the modules were reset', async () => {
  jest.resetModules()
  const again = require('process-rwlock').RWLock
  expect(again).not.toBe(RWLock)
  expect(await waits(again)).toBe('granted')
})
