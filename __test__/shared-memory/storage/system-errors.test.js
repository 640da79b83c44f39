// Errors of the operating system: each ERR_LOCK_ACCESS says what happened, to which lock, and what
// to do, and has the system error in `cause`, `errno` and `syscall`.
import { chmodSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { constants, userInfo } from 'node:os'
import { join } from 'node:path'
import { getSystemErrorName } from 'node:util'
import { LockError, RWLock } from 'process-rwlock'
import {
  fewDescriptors,
  linuxTest,
  openLock,
  sandbox,
  sandboxTest,
  spawnNode,
  tempDir,
  test,
  uniqueName,
  usersTest,
} from '../../helpers/index.js'
import { MAX_CAPACITY } from '../../helpers/limits.js'
import { refused } from '../../helpers/refused.js'

const NAME = 'app/cache'
const NOBODY = 65534
const EXHAUSTS_DESCRIPTORS = new URL('./programs/exhausts-descriptors.js', import.meta.url)

/**
 * `act` fails with the system error `code` of `syscall`; the message contains `says` and the reason
 * of the system, each once.
 *
 * @param {import('ava').ExecutionContext<any>} t
 * @param {() => unknown} act
 * @param {string} code
 * @param {string} syscall
 * @param {...(string | RegExp)} says
 */
async function refusedBySystem(t, act, code, syscall, ...says) {
  const error = await refused(t, act, 'ERR_LOCK_ACCESS', `(${code})`, ...says)
  t.log(error?.message)
  t.is(error?.syscall, syscall)
  t.is(getSystemErrorName(error?.errno), code)
  t.is(error?.errno, -constants.errno[code])
  t.is(error?.cause.code, code)
  t.is(error?.cause.errno, error?.errno)
  t.is(error?.cause.syscall, syscall)
  const [, reason] = /^[A-Z]+: (.*), \w+$/.exec(error?.cause.message) ?? []
  t.truthy(reason, error?.cause.message)
  t.true((error?.message.split(reason).length ?? 0) <= 2, 'the reason twice')
  t.notRegex(error?.message ?? '', /os error|\bundefined\b|[.;:] *$/)
  for (const part of says) t.is(error?.message.split(part).length, 2, `${part} twice`)
}

test('a system error is a LockError with a cause', async (t) => {
  const path = join(tempDir(t), 'missing', 'lock')
  const error = await refused(t, () => new RWLock({ path }), 'ERR_LOCK_ACCESS')
  t.true(error instanceof LockError)
  t.true(error?.cause instanceof Error)
  t.false(Object.keys(error ?? {}).includes('cause'))
  // Without a system error there is neither.
  const invalid = await refused(t, () => new RWLock({ path: tempDir(t) }), 'ERR_LOCK_CORRUPT')
  t.deepEqual([invalid?.cause, invalid?.errno, invalid?.syscall], [undefined, undefined, undefined])
})

linuxTest('a path that leads nowhere gives ERR_LOCK_ACCESS', async (t) => {
  const dir = tempDir(t)
  writeFileSync(join(dir, 'file'), '')
  symlinkSync('loop', join(dir, 'loop'))
  const cases = /** @type {Array<[string, string, string, RegExp]>} */ ([
    ['missing/lock', 'ENOENT', 'open', /create the folder first/],
    ['file/lock', 'ENOTDIR', 'open', /correct the path/],
    ['loop', 'ELOOP', 'open', /use the file's own path/],
    ['x'.repeat(256), 'ENAMETOOLONG', 'open', /choose a shorter path/],
  ])
  for (const [name, code, syscall, says] of cases) {
    const path = join(dir, name)
    await refusedBySystem(t, () => new RWLock({ path }), code, syscall, path, says)
  }
})

usersTest('a file or folder of another user gives ERR_LOCK_ACCESS', async (t) => {
  const dir = tempDir(t)
  chmodSync(dir, 0o755)
  const path = join(dir, 'lock')
  openLock(t, { path }).close()
  const nobody = await (await sandbox(t)).spawnChild({ user: NOBODY })
  const asked = (op, ref) => () => nobody.ask(op, { ref })
  await refusedBySystem(t, asked('open', { path }), 'EACCES', 'open', path, /chmod/)
  const missing = join(dir, 'new')
  await refusedBySystem(t, asked('open', { path: missing }), 'EACCES', 'open', missing, /write to the folder/)
  chmodSync(path, 0o666)
  await refusedBySystem(t, asked('remove', { path }), 'EACCES', 'unlink', path, /write to its folder/)
})

sandboxTest('a full or read-only file system gives ERR_LOCK_ACCESS', async (t) => {
  const box = await sandbox(t)
  const dir = tempDir(t)
  box.run('mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', dir)
  const child = await box.spawnChild()
  const ref = { path: join(dir, 'lock') }
  const options = { capacity: MAX_CAPACITY }
  const open = () => child.ask('open', { ref, options })
  await refusedBySystem(t, open, 'ENOSPC', 'fallocate', ref.path, /smaller capacity/, /another one/)
  box.run('mount', '-o', 'remount,ro', dir)
  await refusedBySystem(t, open, 'EROFS', 'open', ref.path, /not read-only/)
})

for (const [
  what,
  mount,
  code,
  syscall,
  says,
] of /** @type {Array<[string, string[], string, string, RegExp[]]>} */ ([
  ['is read-only', ['-o', 'remount,ro'], 'EROFS', 'mkdir', [/mount it for writing/, /\{ path \}/]],
  [
    'is full',
    ['-o', 'remount,size=64k'],
    'ENOSPC',
    'fallocate',
    [/--shm-size/, /smaller capacity/, /\{ path \}/],
  ],
])) {
  sandboxTest(`a /dev/shm that ${what} gives ERR_LOCK_ACCESS`, async (t) => {
    const box = await sandbox(t)
    box.run('mount', ...mount, '/dev/shm')
    const child = await box.spawnChild()
    const open = () => child.ask('open', { ref: NAME, options: { capacity: MAX_CAPACITY } })
    await refusedBySystem(t, open, code, syscall, ...says)
  })
}

sandboxTest('a missing /dev/shm gives ERR_LOCK_ACCESS', async (t) => {
  const box = await sandbox(t)
  const dir = tempDir(t)
  // A machine without one: a /dev that has none.
  for (const device of ['null', 'urandom']) box.run('touch', join(dir, device))
  for (const device of ['null', 'urandom']) box.run('mount', '--bind', `/dev/${device}`, join(dir, device))
  box.run('mount', '--bind', dir, '/dev')
  const child = await box.spawnChild()
  await refusedBySystem(
    t,
    () => child.ask('open', { ref: NAME }),
    'ENOENT',
    'mkdir',
    '/dev/shm does not exist',
    /\{ path \}/,
  )
})

sandboxTest(
  'a directory or shared memory with permissions for other users gives ERR_LOCK_ACCESS',
  async (t) => {
    const box = await sandbox(t)
    const child = await box.spawnChild()
    mkdirSync(box.directory())
    chmodSync(box.directory(), 0o755)
    const open = () => child.ask('open', { ref: NAME })
    await refused(t, open, 'ERR_LOCK_ACCESS', /chmod 700 \/dev\/shm\/process-rwlock-\d+$/)
    rmSync(box.directory(), { recursive: true })
    const user = await box.spawnChild()
    await user.ask('open', { ref: NAME })
    chmodSync(box.segments()[0], 0o666)
    await refused(t, open, 'ERR_LOCK_ACCESS', NAME, /chmod 600 \/dev\/shm\/process-rwlock-\d+-\w+$/)
  },
)

linuxTest('too many open files give ERR_LOCK_ACCESS', async (t) => {
  for (const ref of [uniqueName(t), { path: join(tempDir(t), 'lock') }]) {
    const child = spawnNode(t, EXHAUSTS_DESCRIPTORS, [JSON.stringify(ref)], fewDescriptors)
    const { said } = await child.next('ended')
    const act = () => {
      throw Object.assign(new Error(said.message), said)
    }
    await refusedBySystem(t, act, 'EMFILE', 'open', /ulimit -n/, /close locks/)
  }
})

linuxTest('a lock that cannot be created for lack of descriptors leaves nothing', async (t) => {
  let refusals = 0
  for (let spare = 0; spare < 4; spare++) {
    const dir = tempDir(t)
    const child = spawnNode(t, EXHAUSTS_DESCRIPTORS, ['"made"', String(spare)], {
      ...fewDescriptors,
      env: { PROCESS_RWLOCK_DIR: dir },
    })
    const { said } = await child.next('ended')
    refusals += said ? 1 : 0
    const left = readdirSync(join(dir, `process-rwlock-${userInfo().uid}`))
    t.deepEqual(
      left.filter((name) => name.startsWith('.new-')),
      [],
      `${spare} descriptors`,
    )
  }
  t.true(refusals > 1)
})
