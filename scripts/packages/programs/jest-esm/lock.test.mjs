import { createRequire } from 'node:module'
import * as imported from 'process-rwlock'
import { same } from '../same.cjs'
import { waits } from '../waits.cjs'

test('a wait ends', async () => {
  const required = createRequire(import.meta.url)('process-rwlock')
  same(imported, required)
  expect(await waits(imported.RWLock, required.RWLock)).toBe('granted')
})
