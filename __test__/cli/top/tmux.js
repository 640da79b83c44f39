// A terminal for the tests: tmux, whose screen can be read.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { cleanUp } from '../../helpers/cleanup.js'
import { tempDir, testUnless, unlessEmulated, waitFor } from '../../helpers/index.js'

const isMissing = spawnSync('tmux', ['-V']).status !== 0

/** For tests that need a terminal. (They also need what only GNU's programs can do.) */
export const terminalTest = unlessEmulated('tmux does not run in it', {
  by: testUnless(process.platform !== 'linux' ? 'Linux only' : isMissing && 'no tmux'),
})

/**
 * A terminal of its own tmux server, which ends with the test.
 *
 * @param {import('ava').ExecutionContext<any>} t
 * @param {string[]} command what runs in it
 * @param {{ env?: Record<string, string>, columns?: number, rows?: number }} [options]
 */
export function openTerminal(t, command, { env = {}, columns = 80, rows = 24 } = {}) {
  const socket = join(tempDir(t), 'tmux')
  const { NO_COLOR: _, ...others } = process.env
  const tmux = (...args) => {
    const { status, stdout, stderr } = spawnSync('tmux', ['-u', '-S', socket, '-f', '/dev/null', ...args], {
      encoding: 'utf8',
      env: { ...others, LC_ALL: 'C.UTF-8', ...env },
    })
    if (status !== 0) throw new Error(`tmux ${args.join(' ')}: ${stderr}`)
    return stdout
  }
  // The command is a word each, so tmux starts no shell.
  tmux('new-session', '-d', '-x', String(columns), '-y', String(rows), ...command)
  cleanUp(t, 'processes', () => {
    spawnSync('tmux', ['-S', socket, 'kill-server'])
  })
  // The screen stays when the command has ended.
  tmux('set-option', '-g', 'remain-on-exit', 'on')
  return new Terminal(tmux)
}

class Terminal {
  #tmux

  /** @param {(...args: string[]) => string} tmux */
  constructor(tmux) {
    this.#tmux = tmux
  }

  /** What it shows, without the blanks at the end of each line and of all. */
  text() {
    return this.#tmux('capture-pane', '-p').replace(/ +$/gm, '').trimEnd()
  }

  /** Whether it shows a colour or another style anywhere. */
  hasStyles() {
    return this.#tmux('capture-pane', '-p', '-e').includes('\x1b')
  }

  /**
   * Waits until the screen matches, and returns it.
   *
   * @param {RegExp} pattern
   */
  async shows(pattern) {
    let text = ''
    const matches = () => {
      text = this.text()
      return pattern.test(text)
    }
    try {
      await waitFor(matches, { every: 20 })
    } catch {
      throw new Error(`the screen never matched ${pattern}:\n${text}`)
    }
    return text
  }

  /** @param {string[]} keys in the words of tmux(1) */
  press(...keys) {
    this.#tmux('send-keys', ...keys)
  }

  /**
   * @param {number} columns
   * @param {number} rows
   */
  resize(columns, rows) {
    this.#tmux('resize-window', '-x', String(columns), '-y', String(rows))
  }

  /** The modes of the terminal. */
  state() {
    const [alternate, cursor, pid] = this.#tmux(
      'display-message',
      '-p',
      '#{alternate_on} #{cursor_flag} #{pane_pid}',
    ).split(' ')
    return { alternate: alternate === '1', cursor: cursor === '1', pid: Number(pid) }
  }

  /** Ends it, as if its window was closed. */
  close() {
    this.#tmux('kill-server')
  }
}
