import type { Command } from './command.js'

/** The commands, in the order of the help. A description is loaded only when it is needed. */
const DESCRIPTIONS: Record<string, () => Command> = {
  exec: () => (require('./exec/description.js') as typeof import('./exec/description.js')).default,
  ls: () => (require('./ls/description.js') as typeof import('./ls/description.js')).default,
  show: () => (require('./show/description.js') as typeof import('./show/description.js')).default,
  doctor: () => (require('./doctor/description.js') as typeof import('./doctor/description.js')).default,
  prune: () => (require('./prune/description.js') as typeof import('./prune/description.js')).default,
  top: () => (require('./top/description.js') as typeof import('./top/description.js')).default,
  trace: () => (require('./trace/description.js') as typeof import('./trace/description.js')).default,
  postgres: () =>
    (require('./postgres/description.js') as typeof import('./postgres/description.js')).default,
  completion: () =>
    (require('./completion/description.js') as typeof import('./completion/description.js')).default,
}

export const COMMAND_NAMES: readonly string[] = Object.keys(DESCRIPTIONS)

export function commandOf(name: string): Command | undefined {
  return Object.hasOwn(DESCRIPTIONS, name) ? DESCRIPTIONS[name]?.() : undefined
}

export function allCommands(): Command[] {
  return Object.values(DESCRIPTIONS).map((load) => load())
}
