// Runs a server in a temporary folder of its own, and ends it and removes the folder when its parent
// disconnects: so also when the parent is killed.
//   node keeper.js    forked; takes { id, op, args }, answers { id, value | error }, sends { exited }
import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const END_BOUND = 5000

// PostgreSQL and pgbouncer refuse to run as root. This is `nobody` on every system.
const user = process.geteuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}

const folder = mkdtempSync(join(tmpdir(), 'process-rwlock-server-'))
if (user.uid !== undefined) chownSync(folder, user.uid, user.gid)

/** @type {import('node:child_process').ChildProcess | undefined} */
let server
let output = ''

const ops = {
  folder: () => folder,
  /** Runs a program to its end. */
  run: async ({ command, args }) =>
    (await promisify(execFile)(command, args, { cwd: folder, ...user })).stdout,
  /** Starts the server; answers with its process ID. */
  async start({ command, args }) {
    const child = spawn(command, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], ...user })
    await once(child, 'spawn')
    output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output = (output + text).slice(-20_000)
      })
    }
    server = child
    child.once('exit', (code, signal) => {
      server = undefined
      removeSegment()
      if (process.connected) process.send?.({ exited: { pid: child.pid, code, signal } })
    })
    return child.pid
  },
  /** What the server has written last. */
  output: () => output,
}

process.on('message', async (/** @type {any} */ { id, op, args }) => {
  try {
    process.send?.({ id, value: await ops[op](args) })
  } catch (error) {
    process.send?.({ id, error: `${error.message}\n${error.stderr ?? ''}` })
  }
})

process.on('disconnect', async () => {
  if (server) {
    const end = once(server, 'exit')
    // Both servers take it as "at once, without waiting for clients".
    server.kill('SIGQUIT')
    server.kill('SIGCONT')
    const late = setTimeout(() => server?.kill('SIGKILL'), END_BOUND)
    await end
    clearTimeout(late)
  }
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  process.exit()
})

// The signals of a terminal reach this process, too; the parent decides when the server ends.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {})

/** A PostgreSQL that was killed leaves its System V segment: `postmaster.pid` names it. */
function removeSegment() {
  const file = join(folder, 'data/postmaster.pid')
  if (!existsSync(file)) return
  const [, segment] = readFileSync(file, 'utf8').split('\n')[6]?.trim().split(/\s+/) ?? []
  if (segment === undefined) return
  try {
    execFileSync('ipcrm', ['-m', segment], { stdio: 'ignore' })
  } catch {
    // The next start of the server has already replaced it.
  }
}
