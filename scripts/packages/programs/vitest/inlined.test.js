import { RWLock } from 'process-rwlock'
import { expect, test } from 'vitest'
import { waits } from '../waits.cjs'

test('a wait ends, also if Vitest transforms the package', async () => {
  expect(await waits(RWLock)).toBe('granted')
})
