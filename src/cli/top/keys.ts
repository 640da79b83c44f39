import type { Action } from './model.js'

/** As `readline.emitKeypressEvents()` describes a key. */
export interface Key {
  name?: string | undefined
  ctrl?: boolean | undefined
  shift?: boolean | undefined
  sequence?: string | undefined
}

const ACTIONS = new Map<string, Action>([
  ['q', 'quit'],
  ['?', 'help'],
  ['h', 'help'],
  ['return', 'open'],
  ['enter', 'open'],
  ['right', 'open'],
  ['escape', 'back'],
  ['backspace', 'back'],
  ['left', 'back'],
  ['s', 'next-order'],
  ['S', 'previous-order'],
  ['r', 'reverse'],
  ['space', 'pause'],
  ['up', 'up'],
  ['k', 'up'],
  ['down', 'down'],
  ['j', 'down'],
  ['pageup', 'page-up'],
  ['pagedown', 'page-down'],
  ['home', 'first'],
  ['end', 'last'],
])

/** What the terminal itself does with a key while it is not in raw mode. */
const SIGNALS = new Map<string, NodeJS.Signals>([
  ['c', 'SIGINT'],
  ['z', 'SIGTSTP'],
  ['\x1c', 'SIGQUIT'], // Ctrl-\, which has no name
])

export type Pressed = { action: Action; signal?: never } | { signal: NodeJS.Signals; action?: never } | null

export function pressed({ name, ctrl, shift, sequence }: Key): Pressed {
  const letter = name ?? sequence ?? ''
  if (ctrl || letter === '\x1c') {
    const signal = SIGNALS.get(letter)
    return signal ? { signal } : null
  }
  const action = ACTIONS.get(shift && letter.length === 1 ? letter.toUpperCase() : letter)
  return action ? { action } : null
}
