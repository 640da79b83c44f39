// The terminal while `top` runs: another screen without a cursor, and keys one by one. However the
// program ends or stops, the terminal is given back as it was; only SIGKILL leaves no time for that.
import { writeSync } from 'node:fs'
import { emitKeypressEvents } from 'node:readline'
import type { Key } from './keys.js'
import type { Size } from './paint.js'

/**
 * The alternate screen, a hidden cursor, and lines that do not wrap: terminals disagree about the
 * width of some characters. Source: "XTerm Control Sequences".
 */
const ENTER = '\x1b[?1049h\x1b[?25l\x1b[?7l'
const LEAVE = '\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l'
/** Signals that end a process, and that it may catch. */
const ENDS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const

export interface TerminalEvents {
  key(key: Key): void
  /** The screen has another size, or is empty: everything must be drawn anew. */
  redraw(): void
}

export class Terminal {
  readonly #stdin: NodeJS.ReadStream
  readonly #stdout: NodeJS.WriteStream
  readonly #events: TerminalEvents
  /** What this has registered: one more step to take it back for each. */
  #undo: Array<() => void> = []
  #entered = false

  constructor(stdin: NodeJS.ReadStream, stdout: NodeJS.WriteStream, events: TerminalEvents) {
    this.#stdin = stdin
    this.#stdout = stdout
    this.#events = events
  }

  get size(): Size {
    return { columns: this.#stdout.columns || 80, rows: this.#stdout.rows || 24 }
  }

  open(): void {
    this.#on(process, 'exit', () => this.#leave())
    // Before the error is printed, which would be on the screen that is left.
    this.#on(process, 'uncaughtExceptionMonitor', () => this.close())
    for (const signal of ENDS) this.#on(process, signal, () => this.raise(signal))
    this.#on(process, 'SIGTSTP', () => this.#stop())
    this.#on(process, 'SIGCONT', () => this.#resume())
    this.#on(this.#stdout, 'resize', () => this.#events.redraw())
    this.#on(this.#stdout, 'error', () => this.#lost())
    if (this.#stdin.isTTY) {
      // An escape by itself is the key; one that begins a sequence is followed by the rest at once.
      emitKeypressEvents(this.#stdin, { escapeCodeTimeout: 50 } as never)
      this.#on(this.#stdin, 'keypress', (_text, key) => this.#events.key(key as Key))
      this.#on(this.#stdin, 'end', () => this.#lost())
      this.#on(this.#stdin, 'error', () => this.#lost())
    }
    this.#enter()
  }

  /** Gives the terminal back. No effect the second time. */
  close(): void {
    for (const step of this.#undo.splice(0)) step()
    this.#leave()
  }

  /** Whether the terminal has not taken yet what was written last. */
  get isBusy(): boolean {
    return this.#stdout.writableNeedDrain
  }

  write(text: string): void {
    if (text !== '') this.#stdout.write(text)
  }

  /** Ends the process by the signal, or stops it, as if the signal had not been caught. */
  raise(signal: NodeJS.Signals): void {
    if (signal === 'SIGTSTP') {
      // As the terminal itself does: to every process of the foreground, such as npx.
      if (process.platform !== 'win32') process.kill(0, signal)
      return
    }
    this.close()
    process.kill(process.pid, signal)
  }

  /**
   * The terminal is gone, and its signal has not come yet. An ordinary end would be an abort with a
   * core dump: Node.js insists on resetting the terminal.
   */
  #lost(): void {
    this.raise('SIGHUP')
  }

  #enter(): void {
    if (this.#entered) return
    this.#entered = true
    if (this.#stdin.isTTY) this.#stdin.setRawMode(true).resume()
    this.#stdout.write(ENTER)
  }

  #leave(): void {
    if (!this.#entered) return
    this.#entered = false
    try {
      writeSync((this.#stdout as NodeJS.WriteStream & { fd: number }).fd, LEAVE)
      if (this.#stdin.isTTY) this.#stdin.setRawMode(false).pause()
    } catch {
      // The terminal is gone.
    }
  }

  #stop(): void {
    this.#leave()
    // Without a listener the signal stops the process, here and now.
    const listeners = process.listeners('SIGTSTP')
    process.removeAllListeners('SIGTSTP')
    process.kill(process.pid, 'SIGTSTP')
    for (const listener of listeners) process.on('SIGTSTP', listener)
    // It runs again; or it could not be stopped, because no shell is there to continue it.
    this.#resume()
  }

  #resume(): void {
    // After SIGSTOP, which cannot be caught, the shell has the terminal as it was before.
    this.#leave()
    this.#enter()
    this.#events.redraw()
  }

  #on(emitter: NodeJS.EventEmitter, event: string, listener: (...args: unknown[]) => void): void {
    emitter.on(event, listener)
    this.#undo.push(() => emitter.off(event, listener))
  }
}
