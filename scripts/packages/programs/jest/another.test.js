const { RWLock } = require('process-rwlock')
const { waits } = require('../waits.cjs')

test('a wait ends in another file, that is, in another context', async () => {
  expect(await waits(RWLock)).toBe('granted')
})
