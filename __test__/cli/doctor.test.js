// doctor: each check is provoked, and says what to do.
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CHECKS, DATABASE_CHECKS } from '../../dist/cli/doctor/checks.js'
import { hungHolders } from '../../dist/cli/doctor/holders.js'
import { Machine } from '../../dist/cli/doctor/machine.js'
import { removeIpc } from '../../dist/cli/doctor/remove-ipc.js'
import { removedMemory } from '../../dist/cli/doctor/removed-memory.js'
import { pageOf } from '../../dist/cli/doctor/run.js'
import { freezersOf } from '../../dist/cli/process-info.js'
import { outputOf } from '../../dist/cli/text/output.js'
import { childPool } from '../helpers/child-pool.js'
import { cleanUp } from '../helpers/cleanup.js'
import {
  fewDescriptors,
  linuxTest,
  openLock,
  sandbox,
  sandboxTest,
  spawnChild,
  spawnNode,
  tempDir,
  test,
  testUnless,
  uniqueName,
  waitFor,
} from '../helpers/index.js'
import { queued } from '../helpers/observe.js'
import { CONTAINED, containerTest } from './containers.js'
import { runHere } from './here.js'
import { useOwnDirectory } from './own-directory.js'
import { program, runCli } from './process.js'

const pooledChild = childPool()
// Its end comes after that of the children, which use it.
const directory = useOwnDirectory()
const env = { PROCESS_RWLOCK_DIR: directory }
const unixTest = testUnless(process.platform === 'win32' && 'not on Windows')

const freezers = writableFreezers()

/** @typedef {import('ava').ExecutionContext<any>} Test */

/** Where this process can make cgroups that can be frozen. */
function writableFreezers() {
  if (process.platform !== 'linux') return {}
  const found = freezersOf(readFileSync('/proc/self/mountinfo', 'utf8'))
  const trial = `process-rwlock-trial-${process.pid}`
  return Object.fromEntries(
    Object.entries(found).filter(([, folder]) => {
      try {
        mkdirSync(join(folder, trial))
        rmdirSync(join(folder, trial))
        return true
      } catch (error) {
        if (!['EACCES', 'EPERM', 'EROFS'].includes(error.code)) throw error
        return false
      }
    }),
  )
}

/** Removes a cgroup that may still have a process. @param {string} folder */
function removed(folder) {
  try {
    rmdirSync(folder)
    return true
  } catch (error) {
    if (error.code !== 'EBUSY') throw error
    return false
  }
}

/**
 * The checks that found something, with what they found.
 *
 * @param {...string} args
 * @returns {Promise<Record<string, { text: string, remedy: string }[]>>}
 */
async function problems(...args) {
  const { code, stdout } = await runHere(['doctor', '--json', ...args], { env })
  const { ok, checks } = JSON.parse(stdout)
  const found = checks.filter(({ status }) => status === 'problem')
  if (code !== (ok ? 0 : 1) || ok !== (found.length === 0)) throw new Error(`code ${code}: ${stdout}`)
  return Object.fromEntries(found.map(({ name, findings }) => [name, findings]))
}

/**
 * Exactly this check finds something, as soon as it does, and once, with these texts.
 *
 * @param {Test} t
 * @param {string} name
 * @param {{ text: RegExp, remedy: RegExp }} expected
 * @param {...string} args
 */
async function finds(t, name, expected, ...args) {
  const found = await waitFor(async () => {
    const found = await problems(...args)
    return name in found && found
  })
  t.deepEqual(Object.keys(found), [name])
  const [{ text, remedy }, ...more] = found[name]
  t.deepEqual(more, [])
  t.regex(text, expected.text)
  t.regex(remedy, expected.remedy)
}

test('nothing is wrong: each check says what it has looked at', async (t) => {
  const guard = await openLock(t).acquireWrite()
  t.deepEqual(await problems(), {})
  const { code, stdout, stderr } = await runCli(t, ['doctor'])
  t.deepEqual({ code, stderr }, { code: 0, stderr: '' })
  const lines = stdout.split('\n')
  t.deepEqual(
    lines.slice(0, CHECKS.length).map((line) => line.slice(9, 26).trim()),
    CHECKS.map(({ title }) => title),
  )
  t.regex(lines[0], /^ok {7}addon +version \d+\.\d+\.\d+, .*process-rwlock\.\S+\.node$/)
  t.is(lines.at(-2), 'No problem was found.')
  guard.release()
})

test('addon: a missing addon is the only problem that is told, with its remedy', async (t) => {
  const folder = join(tempDir(t), 'node_modules', 'process-rwlock')
  for (const name of ['dist', 'package.json']) {
    cpSync(fileURLToPath(new URL(`../../${name}`, import.meta.url)), join(folder, name), { recursive: true })
  }
  const copy = spawnNode(t, join(folder, 'dist/cli/main.js').replace(/^/, 'file://'), ['doctor', '--json'])
  t.is((await copy.exited).code, 1)
  await waitFor(() => copy.stdout.endsWith('}\n'))
  const { checks } = JSON.parse(copy.stdout)
  const [addon, ...others] = checks
  t.like(addon, { name: 'addon', status: 'problem' })
  t.regex(addon.findings[0].text, /process-rwlock-\S+ \S+, the build .* is not installed\. .*npm install/)
  t.regex(addon.findings[0].remedy, /https:.*errors#err_lock_unsupported/)
  t.true(others.every(({ status }) => status !== 'problem'))
  t.is(others.find(({ name }) => name === 'dead-locks').text, 'not checked: see addon')
})

unixTest('shared memory: a directory that is missing, or open to others', async (t) => {
  const missing = join(tempDir(t), 'missing')
  const { code, stdout } = await runCli(t, ['doctor'], { env: { PROCESS_RWLOCK_DIR: missing } })
  t.is(code, 1)
  const text = stdout.replace(/\s+/g, ' ')
  t.true(text.includes(`${missing} does not exist`), stdout)
  t.regex(text, /set PROCESS_RWLOCK_DIR to a local directory/)

  const open = tempDir(t)
  const folder = join(open, `process-rwlock-${process.geteuid?.()}`)
  mkdirSync(folder)
  chmodSync(folder, 0o755)
  const other = await runCli(t, ['doctor'], { env: { PROCESS_RWLOCK_DIR: open } })
  t.is(other.code, 1)
  t.true(
    other.stdout.replace(/\s+/g, ' ').includes(`is open to others (mode 755): run chmod 700 ${folder}`),
    other.stdout,
  )
})

sandboxTest('shared memory: little space, or none', async (t) => {
  for (const [size, expected, remedy] of /** @type {const} */ ([
    [
      '300k',
      /\/dev\/shm has \d+ kB free, room for [2-5] more locks: later ones fail/,
      /remedy: .*docker run --shm-size/,
    ],
    [
      '20k',
      /cannot allocate \d+ bytes of shared memory for lock 'probe-[0-9a-f]+': .*docker run --shm-size/,
      /remedy: as the message says; more: https:/,
    ],
  ])) {
    const box = await sandbox(t, { shm: `size=${size}` })
    const doctor = box.spawnNode(`file://${program}`, ['doctor'], { env: { PROCESS_RWLOCK_DIR: undefined } })
    t.is((await doctor.exited).code, 1)
    t.regex(doctor.stdout.replace(/\s+/g, ' '), expected)
    t.regex(doctor.stdout.replace(/\s+/g, ' '), remedy)
  }
})

linuxTest('open files: a process that can open few more locks', async (t) => {
  const holder = await spawnChild(t, fewDescriptors)
  const name = uniqueName(t)
  let opened = 0
  for (;;) {
    try {
      await holder.ask('open', { ref: `${name}/${opened}` })
      opened++
    } catch (error) {
      t.is(error.code, 'ERR_LOCK_ACCESS')
      break
    }
  }
  t.true(opened > 5)
  await finds(t, 'open-files', {
    text: new RegExp(
      `^pid ${holder.pid} .*has \\d\\d of at most 64 files open; .*ERR_LOCK_ACCESS \\(EMFILE\\)$`,
    ),
    remedy: new RegExp(`ulimit -n .*LimitNOFILE=.*prlimit --pid ${holder.pid} --nofile=65536$`),
  })
  await holder.kill()
  await waitFor(async () => (await problems())['dead-locks'])
  await runHere(['prune'])
})

/** The files of a system, by their paths. @param {Test} t @param {Record<string, string>} files */
function systemOf(t, files) {
  const root = tempDir(t)
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(join(root, dirname(file)), { recursive: true })
    writeFileSync(join(root, file), text)
  }
  return root
}

test('RemoveIPC: only a process with named locks outside of the sessions of its user is a problem', async (t) => {
  openLock(t)
  const cgroup = `proc/${process.pid}/cgroup`
  const SYSTEMD = { 'run/systemd/system/x': '', 'etc/systemd/logind.conf': '[Login]\n#RemoveIPC=no\n' }
  const SERVICE = { [cgroup]: '0::/system.slice/app.service\n' }
  const run = async (files, { user = 4_000_000_000, platform = 'linux', its = {} } = {}) => {
    const machine = Object.assign(new Machine(its, []), { root: systemOf(t, files), user, platform })
    return removeIpc.run(machine)
  }
  const { status, findings } = await run({ ...SYSTEMD, ...SERVICE })
  t.is(status, 'problem')
  t.is(findings.length, 1)
  t.regex(
    findings[0].text,
    new RegExp(
      `^RemoveIPC=yes, and pid ${process.pid} .*runs outside of the sessions of user 4000000000 \\(in /system\\.slice/app\\.service\\)`,
    ),
  )
  t.regex(
    findings[0].remedy,
    /^loginctl enable-linger 4000000000; or RemoveIPC=no in \/etc\/systemd\/logind\.conf; .*PROCESS_RWLOCK_DIR/,
  )

  const DROP_IN = 'usr/lib/systemd/logind.conf.d/50-x.conf'
  t.is((await run({ ...SYSTEMD, ...SERVICE, [DROP_IN]: '[Login]\nRemoveIPC = no\n' })).text, 'no')
  const overridden = { [DROP_IN]: 'RemoveIPC=no\n', 'etc/systemd/logind.conf.d/50-x.conf': 'RemoveIPC=yes\n' }
  t.is((await run({ ...SYSTEMD, ...SERVICE, ...overridden })).status, 'problem')
  for (const [files, options, text] of /** @type {const} */ ([
    [SERVICE, {}, /does not run systemd/],
    [{ ...SYSTEMD, ...SERVICE }, { user: 999 }, /does not apply to system users/],
    [
      { ...SYSTEMD, ...SERVICE },
      { its: { PROCESS_RWLOCK_DIR: '/x' } },
      /does not apply to PROCESS_RWLOCK_DIR/,
    ],
    [{ ...SYSTEMD, ...SERVICE, 'var/lib/systemd/linger/4000000000': '' }, {}, /lingering is enabled/],
    [
      { ...SYSTEMD, [cgroup]: '0::/user.slice/user-4000000000.slice/session-3.scope\n' },
      {},
      /no process .* outside/,
    ],
  ])) {
    const result = await run(files, options)
    t.is(result.status, 'ok')
    t.regex(result.text, text)
  }
  t.is((await run({}, { platform: 'darwin' })).status, 'unknown')
})

linuxTest('removed memory: a process whose named lock was deleted under it', async (t) => {
  const name = uniqueName(t)
  const child = await spawnChild(t)
  await child.ask('hold', { ref: name, mode: 'write' })
  t.deepEqual(await problems(), {})
  const { file, memory } = JSON.parse((await runHere(['show', name, '--json'])).stdout)
  const path = join(directory, `process-rwlock-${process.geteuid?.()}`, 'memory', memory)
  rmSync(dirname(file), { recursive: true })
  rmSync(path)
  await finds(t, 'removed-memory', {
    text: new RegExp(`^pid ${child.pid} uses a named lock whose memory was removed meanwhile \\(${path}\\)`),
    remedy: new RegExp(`^restart pid ${child.pid} .*process-rwlock prune, or RWLock\\.remove\\(\\)$`),
  })
  const link = join(tempDir(t), 'link')
  symlinkSync(directory, link)
  const { findings } = await removedMemory.run(new Machine({ PROCESS_RWLOCK_DIR: link }, []))
  t.is(findings.length, 1, 'the kernel names no links')
  await child.kill()
})

unixTest(
  'paths: a file that is no lock, a folder that is missing, and paths that can be locks',
  async (t) => {
    const folder = tempDir(t)
    const file = join(folder, 'data')
    writeFileSync(file, 'no lock '.repeat(100))
    await finds(
      t,
      'paths',
      {
        text: new RegExp(`^lock ${file} is not a valid lock: .*choose another path`),
        remedy: /https:.*#err_lock_corrupt$/,
      },
      '--path',
      file,
    )
    await finds(
      t,
      'paths',
      {
        text: new RegExp(`^cannot create lock ${folder}/missing/x\\.lock: its folder does not exist`),
        remedy: /https:.*#err_lock_access$/,
      },
      ...['--path', join(folder, 'missing', 'x.lock')],
    )
    const lock = openLock(t, { path: join(folder, 'x.lock') })
    t.deepEqual(await problems('--path', lock.path ?? '', '--path', join(folder, 'new.lock')), {})
    t.false(existsSync(join(folder, 'new.lock')))
  },
)

const fuseTest = existsSync('/dev/fuse') ? sandboxTest : testUnless('no FUSE')

fuseTest('paths: a FUSE file system', async (t) => {
  const box = await sandbox(t)
  const server = box.spawnNode(new URL('programs/fuse.js', import.meta.url), ['/mnt'])
  t.is((await server.next('mounted')).code, 0)
  const doctor = box.spawnNode(`file://${program}`, ['doctor', '--path', '/mnt/x.lock'])
  t.is((await doctor.exited).code, 1)
  t.regex(
    doctor.stdout.replace(/\s+/g, ' '),
    /lock \/mnt\/x\.lock lies on a FUSE file system \(fuse\.testfs\): .*choose a path on a local disk remedy: as the message says; more: https:\S*#err_lock_access/,
  )
})

linuxTest('damaged locks: one that is in use', async (t) => {
  const name = uniqueName(t)
  openLock(t, name)
  const { file } = JSON.parse((await runHere(['show', name, '--json'])).stdout)
  const record = readFileSync(file)
  writeFileSync(file, 'something else')
  await finds(t, 'damaged-locks', {
    text: new RegExp(`^${file}: lock '' is not a valid lock: its record is damaged`),
    remedy: /^stop the processes that have it open; then .*process-rwlock prune/,
  })
  writeFileSync(file, record)
})

test('dead locks: what killed processes left, until prune removes it', async (t) => {
  const names = [uniqueName(t), uniqueName(t)]
  const child = await spawnChild(t)
  for (const ref of names) await child.ask('hold', { ref, mode: 'read' })
  t.deepEqual(await problems(), {})
  await child.kill()
  await waitFor(async () => (await problems())['dead-locks']?.[0].text.includes('left 2 locks'))
  for (let twice = 0; twice < 2; twice++) {
    // doctor itself removes nothing.
    await finds(t, 'dead-locks', {
      text: new RegExp(
        `^dead processes left 2 locks that no process has open \\(\\d+ bytes\\): .*lock '${names[0]}'`,
      ),
      remedy: /^process-rwlock prune removes them\. They do no harm/,
    })
  }
  t.is((await runHere(['prune'])).stdout, 'removed 2 locks\n')
  t.deepEqual(await problems(), {})
})

linuxTest('dead locks: a lock whose creator died before it was complete', async (t) => {
  openLock(t)
  const folder = join(directory, `process-rwlock-${process.geteuid?.()}`, '.new-0123456789abcdef')
  mkdirSync(folder)
  writeFileSync(join(folder, 'record'), '')
  await finds(t, 'dead-locks', {
    text: /^processes died while they created 1 lock: .*\.new-0123456789abcdef/,
    remedy: /^process-rwlock prune/,
  })
  await runHere(['prune'])
  t.deepEqual(await problems(), {})
})

test('dead writers: until a write hold ends normally, or prune --owner-died', async (t) => {
  const name = uniqueName(t)
  const child = await spawnChild(t)
  await child.ask('hold', { ref: name, mode: 'write', options: { label: 'migration' } })
  await child.kill()
  const text = new RegExp(
    `^lock '${name}': pid ${child.pid} \\('migration'\\) died while it held the lock for write`,
  )
  await finds(t, 'owner-died', {
    text,
    remedy: /guard\.ownerDied\)\. If .*process-rwlock prune --owner-died/,
  })
  const lock = openLock(t, name)
  await finds(t, 'owner-died', {
    text,
    remedy: /^check the data in a write hold, and repair it: .*\(guard\.ownerDied\)$/,
  })
  await lock.write(() => {})
  t.deepEqual(await problems(), {})
})

unixTest('stopped holders', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const [holder, waiter] = [await spawnChild(t), await pooledChild(t)]
  await holder.ask('hold', { ref: name, mode: 'write', options: { label: 'rebuild' } })
  await waiter.ask('open', { ref: name })
  waiter.tell('acquireRead')
  await queued(lock, waiter)
  t.deepEqual(await problems(), {})
  holder.stop()
  await finds(t, 'stopped-holders', {
    text: new RegExp(
      `^pid ${holder.pid} \\('rebuild'\\) is stopped by a signal or a debugger; it has held lock '${name}' for write for .*, and 1 request waits$`,
    ),
    remedy: new RegExp(
      `^kill -CONT ${holder.pid}, or its debugger, lets it continue; kill -KILL ${holder.pid} ends it, and the lock is free at once$`,
    ),
  })
  await holder.kill()
})

for (const [version, mounted] of /** @type {const} */ ([
  ['v2', freezers.unified],
  ['v1', freezers.freezer],
])) {
  testUnless(mounted === undefined && 'no cgroup can be made')(
    `stopped holders: a frozen cgroup (${version})`,
    async (t) => {
      const folder = join(mounted ?? '', `process-rwlock-test-${process.pid}`)
      const [file, on, off] =
        version === 'v2' ? ['cgroup.freeze', '1', '0'] : ['freezer.state', 'FROZEN', 'THAWED']
      const holder = await spawnChild(t)
      await holder.ask('hold', { ref: uniqueName(t), mode: 'write' })
      mkdirSync(folder)
      cleanUp(t, 'processes', async () => {
        writeFileSync(join(folder, file), off)
        await holder.kill()
        await waitFor(() => removed(folder))
      })
      writeFileSync(join(folder, 'cgroup.procs'), String(holder.pid))
      t.deepEqual(await problems(), {})
      writeFileSync(join(folder, file), on)
      await finds(t, 'stopped-holders', {
        text: new RegExp(
          `^pid ${holder.pid} .*is frozen with its cgroup: its container is paused; it has held `,
        ),
        remedy: new RegExp(`docker unpause, systemctl thaw, .*/proc/${holder.pid}/cgroup`),
      })
      t.regex((await runHere(['ls'])).stdout, / frozen$/m)
    },
  )
}

linuxTest('hung holders: a busy event loop that others wait for', async (t) => {
  const name = uniqueName(t)
  const lock = openLock(t, name)
  const [holder, waiter] = [await spawnChild(t), await pooledChild(t)]
  await holder.ask('hold', { ref: name, mode: 'write' })
  await waiter.ask('open', { ref: name })
  waiter.tell('acquireRead')
  await queued(lock, waiter)
  holder.tell('busy', { ms: 60_000 })
  await holder.next('busy')
  await finds(t, 'hung-holders', {
    text: new RegExp(
      `^pid ${holder.pid} .* has a busy event loop: .*; it has held lock '${name}' for write for .*, and 1 request waits$`,
    ),
    remedy: new RegExp(`kill -USR1 ${holder.pid} opens its debugger .*kill -KILL ${holder.pid}`),
  })
  await holder.kill()
})

/** No test can make a process hang in the kernel. */
test('hung holders: a process that hangs in the kernel', async (t) => {
  const holder = { pid: 4711, threadId: 0, label: '', mode: 'read', ms: 5000, state: 'stuck', busy: null }
  const report = { name: 'x', path: null, file: '', holders: [holder], waiters: [] }
  const machine = Object.assign(new Machine({}, []), { platform: 'linux', reports: async () => [report] })
  const { findings } = await hungHolders.run(machine)
  t.is(findings.length, 1)
  t.is(
    findings[0].text,
    "pid 4711 hangs in a system call that no signal ends; it has held lock 'x' for read for 5.0 s",
  )
  t.regex(findings[0].remedy, /^let the disk or network file system .*\/proc\/4711\/stack/)
})

test('deadlocks: two processes that wait for each other in synchronous calls, over a named lock and one by path', async (t) => {
  const refs = [uniqueName(t), { path: join(tempDir(t), 'x.lock') }]
  const locks = refs.map((ref) => openLock(t, ref))
  const [one, other] = [await spawnChild(t), await spawnChild(t)]
  for (const child of [one, other]) for (const ref of refs) await child.ask('open', { ref })
  await one.ask('acquireWrite', { lock: 0 })
  await other.ask('acquireRead', { lock: 1 })
  one.tell('acquireWriteSync', { lock: 1 })
  await queued(locks[1], one)
  t.deepEqual(await problems('--path', locks[1].path ?? ''), {}, 'one of them only waits')
  other.tell('acquireWriteSync', { lock: 0 })
  await queued(locks[0], other)
  await finds(
    t,
    'deadlocks',
    {
      text: new RegExp(
        `^2 requests wait for each other: .*pid ${one.pid} .* for lock ${locks[1].path} for write, which is held for read by pid ${other.pid} `,
      ),
      remedy: new RegExp(
        `^end one of the processes \\(kill (${one.pid} or kill ${other.pid}|${other.pid} or kill ${one.pid})\\): .*lockAll\\(\\)`,
      ),
    },
    '--path',
    locks[1].path ?? '',
  )
  await one.kill()
  await other.kill()
})

containerTest('deadlocks: processes in containers are named by the PIDs that they have here', async (t) => {
  const refs = [uniqueName(t), uniqueName(t)]
  const locks = refs.map((ref) => openLock(t, ref))
  const contained = { execPath: 'unshare', execArgv: [...CONTAINED, process.execPath] }
  const [one, other] = [await spawnChild(t, contained), await spawnChild(t, contained)]
  for (const child of [one, other]) for (const ref of refs) await child.ask('open', { ref })
  await one.ask('acquireWrite', { lock: 0 })
  await other.ask('acquireWrite', { lock: 1 })
  one.tell('acquireWriteSync', { lock: 1 })
  await waitFor(() => locks[1].inspect().waiters.length === 1)
  other.tell('acquireWriteSync', { lock: 0 })
  await waitFor(() => locks[0].inspect().waiters.length === 1)
  const here = JSON.parse((await runHere(['ls', '--json'])).stdout).map(({ holders }) => holders[0].localPid)
  const pid = `(${here.join('|')})`
  await finds(t, 'deadlocks', {
    text: new RegExp(`: pid ${pid} \\(1 in its PID namespace\\) .* held for write by pid ${pid} \\(1 in its`),
    remedy: new RegExp(`^end one of the processes \\(kill ${pid} or kill ${pid}\\): `),
  })

  // From another container they cannot be seen.
  const args = [...CONTAINED, process.execPath, program, 'doctor', '--json']
  const { checks } = JSON.parse(spawnSync('unshare', args, { encoding: 'utf8' }).stdout)
  const [{ text, remedy }] = checks.find(({ name }) => name === 'deadlocks').findings
  t.regex(text, /: pid 1 in another PID namespace .* held for write by pid 1 in another PID namespace /)
  t.regex(remedy, /^end one of the processes, in its own container: the others continue\. /)
})

unixTest('what a terminal would obey is escaped in paths', async (t) => {
  const path = join(tempDir(t), 'a\x1b[31m', 'b.lock')
  const { stdout } = await runHere(['doctor', '--path', path], { env })
  t.regex(stdout, /a\\x1b\[31m\/b\.lock/)
  t.false(stdout.includes('\x1b'))
})

test('the page has no long lines, one remedy for findings alike, and not all of many', (t) => {
  const findings = Array.from({ length: 8 }, (_, number) => ({
    text: `finding ${number} ${'and more '.repeat(12)}`.trim(),
    remedy: 'the same for all '.repeat(8).trim(),
  }))
  const check = {
    name: 'x',
    title: 'a title',
    run: () => ({ status: /** @type {const} */ ('ok'), text: '', findings: [] }),
  }
  const lines = pageOf(
    [{ check, result: { status: 'problem', text: '', findings } }],
    outputOf({ isTTY: true, columns: 80 }, {}),
  )
    .join('\n')
    .split('\n')
  for (const line of lines) t.true(line.length <= 80, line)
  t.is(lines.filter((line) => line.includes('finding ')).length, 5)
  t.is(lines.filter((line) => line.includes('remedy:')).length, 1)
  t.true(lines.includes('         and 3 more; --json prints all'))
  t.is(lines.at(-1), '8 problems found.')
})

test('each check is documented, by the name that it has in JSON', (t) => {
  const page = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8')
  t.deepEqual(
    [...CHECKS, ...DATABASE_CHECKS]
      .filter(({ name }) => !page.includes(`| \`${name}\` |`))
      .map(({ name }) => name),
    [],
  )
})
