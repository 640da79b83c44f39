// A pseudo terminal with a program in it, by script(1) of util-linux.
import { spawn, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { cleanUp } from '../helpers/cleanup.js'
import { waitFor } from '../helpers/time.js'

/** Why this system has none, if so. */
export const lacksTerminals =
  process.platform !== 'linux'
    ? 'Linux only'
    : [spawnSync('script', ['--version']), spawnSync('bash', ['--version'])].some(
        ({ status }) => status !== 0,
      ) && 'no script(1) of util-linux, or no bash'

/**
 * Starts a shell command in a terminal of its own. It is ended after the test, with everything in
 * its session.
 *
 * @param {import('ava').ExecutionContext<any>} t
 * @param {string} command
 */
export function openTerminal(t, command) {
  const child = spawn('script', ['--quiet', '--flush', '--return', '--command', command, '/dev/null'], {
    env: { ...process.env, SHELL: '/bin/sh', TERM: 'dumb', PS1: '$ ' },
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text
  })
  child.stdin.on('error', () => {})
  /** @type {Promise<number | null>} */
  const exited = new Promise((resolve) => child.once('close', resolve))
  /** @type {number[]} */
  let sessions = []
  const hangUp = () => {
    if (sessions.length === 0) sessions = childrenOf(/** @type {number} */ (child.pid))
    child.kill('SIGKILL')
  }
  cleanUp(t, 'processes', async () => {
    hangUp()
    await exited
    for (const session of sessions) killSession(session) // what ignores that
  })
  let seen = 0
  return {
    exited,
    /** As if its window was closed, or the connection lost. */
    hangUp,
    /** @param {string} keys */
    type: (keys) => child.stdin.write(keys),
    /**
     * Waits until the terminal shows this, after what was waited for before.
     *
     * @param {RegExp} pattern
     */
    async shows(pattern) {
      const what = `the terminal shows ${pattern}`
      const found = await waitFor(() => pattern.exec(output.slice(seen)), { what }).catch((error) => {
        throw new Error(`${error.message}; it shows:\n${output}`)
      })
      const match = /** @type {RegExpExecArray} */ (found)
      seen += match.index + match[0].length
      return match
    },
    get output() {
      return output
    },
  }
}

/** @returns {number[]} */
function childrenOf(/** @type {number} */ pid) {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number)
  } catch {
    return [] // it has ended
  }
}

function killSession(/** @type {number} */ session) {
  for (const name of readdirSync('/proc')) {
    try {
      const [, , , its] = readFileSync(`/proc/${name}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? []
      if (Number(its) === session) process.kill(Number(name), 'SIGKILL')
    } catch {} // no process, or one that has ended
  }
}
