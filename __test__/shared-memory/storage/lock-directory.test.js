// PROCESS_RWLOCK_DIR: named locks on machines whose /dev/shm is missing or not writable.
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sandbox, sandboxTest, spawnChild, tempDir, test } from '../../helpers/index.js'
import { refused } from '../../helpers/refused.js'

const NAME = 'a lock'
const at = (dir) => ({ env: { PROCESS_RWLOCK_DIR: dir } })

for (const [what, take] of Object.entries({
  missing: (box) => box.run('mount', '-t', 'tmpfs', '-o', 'size=64k,mode=755', 'none', '/dev'),
  'read-only': (box) => box.run('mount', '-o', 'remount,bind,ro', '/dev/shm'),
})) {
  sandboxTest(
    `processes share locks in the directory of PROCESS_RWLOCK_DIR if /dev/shm is ${what}`,
    async (t) => {
      const box = await sandbox(t)
      const dir = tempDir(t)
      const without = await box.spawnChild()
      const [a, b] = await Promise.all([box.spawnChild(at(dir)), box.spawnChild(at(dir))])
      take(box)
      await refused(
        t,
        () => without.ask('open', { ref: NAME }),
        'ERR_LOCK_ACCESS',
        '/dev/shm',
        'PROCESS_RWLOCK_DIR',
      )

      const { guard } = await a.ask('hold', { ref: NAME, mode: 'write' })
      await b.ask('open', { ref: NAME })
      t.is(await b.ask('tryRead'), null)
      t.is((await b.ask('list'))[0].holders[0].pid, a.pid)
      await a.ask('release', { guard })
      await a.ask('hold', { ref: NAME, mode: 'write' })
      await a.kill()
      t.is((await b.ask('acquireWrite', { lock: 0 })).ownerDied.pid, a.pid)
      await b.ask('release')
      const [own] = readdirSync(dir)
      t.is(statSync(join(dir, own)).mode & 0o777, 0o700)
      t.is(readdirSync(join(dir, own, 'memory')).length, 1)
      await b.ask('close')
      t.deepEqual(readdirSync(join(dir, own)).toSorted(), ['memory', 'token-floor'])
      t.deepEqual(readdirSync(join(dir, own, 'memory')), [])
    },
  )
}

sandboxTest('processes with and without PROCESS_RWLOCK_DIR do not share locks', async (t) => {
  const box = await sandbox(t)
  const [a, b] = await Promise.all([box.spawnChild(at(tempDir(t))), box.spawnChild()])
  await a.ask('hold', { ref: NAME, mode: 'write' })
  await b.ask('open', { ref: NAME })
  t.truthy(await b.ask('tryWrite'))
  t.deepEqual(
    (await b.ask('list')).map(({ holders }) => holders[0].pid),
    [b.pid],
  )
})

test('an invalid directory gives an error that names the variable', async (t) => {
  const dir = tempDir(t)
  writeFileSync(join(dir, 'file'), '')
  for (const said of ['', 'relative', './here', join(dir, 'missing'), join(dir, 'file')]) {
    const child = await spawnChild(t, at(said))
    await refused(t, () => child.ask('open', { ref: NAME }), 'ERR_LOCK_ACCESS', 'PROCESS_RWLOCK_DIR')
    await child.kill()
  }
  t.deepEqual(readdirSync(dir), ['file'])
})

test('the directory is fixed with the first named lock, for all threads', async (t) => {
  const [first, second] = [tempDir(t), tempDir(t)]
  mkdirSync(join(second, 'x'))
  const child = await spawnChild(t, at(first))
  await child.ask('open', { ref: NAME })
  await child.ask('setEnv', { name: 'PROCESS_RWLOCK_DIR', value: second })
  await child.ask('open', { ref: 'another' })
  t.is(readdirSync(first).length, 1)
  t.deepEqual(readdirSync(second), ['x'])
  t.true(existsSync(join(first, readdirSync(first)[0], 'token-floor')))
})
