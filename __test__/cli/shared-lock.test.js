// A shell script, a cron-like loop and a Node.js program share one lock, and one of them is killed
// in the middle of its work.
import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cleanUp } from '../helpers/cleanup.js'
import { spawnNode, tempDir, linuxTest as test, uniqueName, waitFor } from '../helpers/index.js'
import { program } from './process.js'

test('a shell script, a loop as of cron and a Node.js program exclude each other, also after a kill', async (t) => {
  const [name, dir] = [uniqueName(t), tempDir(t)]
  const counter = join(dir, 'counter')
  writeFileSync(counter, '0')
  const env = {
    ...process.env,
    NODE: process.execPath,
    PROGRAM: program,
    NAME: name,
    COUNTER: counter,
    DIR: dir,
  }

  // Reads, waits and writes: without the lock, additions would be lost.
  const add = 'value=$(cat "$COUNTER"); sleep 0.01; echo $((value + 1)) > "$COUNTER"'
  const exec = '"$NODE" "$PROGRAM" exec'
  const script = start(t, `set -e; for i in 1 2 3 4 5; do ${exec} "$NAME" -- sh -c '${add}'; done`, env)
  // Skips a run while the lock is held, as a job of cron does.
  const cron = start(
    t,
    `runs=0; while [ $runs -lt 3 ]; do ${exec} -nq "$NAME" -- sh -c '${add}' && runs=$((runs + 1)); done`,
    env,
  )
  const node = spawnNode(t, new URL('programs/add.js', import.meta.url), [name, counter, '30'])

  // In the middle of its own addition, with the value that it has read.
  const victim = start(
    t,
    `exec ${exec} "$NAME" -- sh -c 'value=$(cat "$COUNTER"); echo inside; sleep 100; echo $((value + 1)) > "$COUNTER"'`,
    env,
  )
  await waitFor(() => victim.output === 'inside\n')
  victim.child.kill('SIGKILL')

  const ends = await Promise.all([script.exited, cron.exited, node.exited])
  t.deepEqual(
    ends.map(({ code }) => code),
    [0, 0, 0],
    node.stderr,
  )
  t.is(Number(readFileSync(counter, 'utf8')), 5 + 3 + 30)
})

/** Starts a shell script, which is killed after the test with its process group. */
function start(/** @type {any} */ t, /** @type {string} */ script, /** @type {NodeJS.ProcessEnv} */ env) {
  const child = spawn('sh', ['-c', script], { env, stdio: ['ignore', 'pipe', 'inherit'], detached: true })
  const started = {
    child,
    output: '',
    exited: /** @type {Promise<{ code: number | null }>} */ (Promise.resolve({ code: null })),
  }
  child.stdout.setEncoding('utf8').on('data', (text) => {
    started.output += text
  })
  started.exited = new Promise((resolve) => child.once('exit', (code) => resolve({ code })))
  cleanUp(t, 'processes', async () => {
    try {
      process.kill(-(/** @type {number} */ (child.pid)), 'SIGKILL')
    } catch {} // it has ended
    await started.exited
  })
  return started
}
