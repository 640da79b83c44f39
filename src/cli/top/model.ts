// What the user looks at, and how each key changes it.
import { SORT_KEYS, type SortKey, sorted } from './order.js'
import type { Sample } from './sampler.js'

export interface Model {
  page: 'list' | 'lock'
  help: boolean
  sort: SortKey
  reversed: boolean
  /** The key of the chosen lock; `null`: whichever is first. */
  chosen: string | null
  /** The first row of the table of a lock that is shown. */
  scroll: number
  /** The screen stays as it is. */
  paused: boolean
}

export type Action =
  | 'quit'
  | 'help'
  | 'open'
  | 'back'
  | 'next-order'
  | 'previous-order'
  | 'reverse'
  | 'pause'
  | 'up'
  | 'down'
  | 'page-up'
  | 'page-down'
  | 'first'
  | 'last'

const STEPS: Partial<Record<Action, (rows: number) => number>> = {
  up: () => -1,
  down: () => 1,
  'page-up': (rows) => -rows,
  'page-down': (rows) => rows,
  first: () => -Infinity,
  last: () => Infinity,
}

export function firstModel(sort: SortKey): Model {
  return { page: 'list', help: false, sort, reversed: false, chosen: null, scroll: 0, paused: false }
}

/** The chosen lock, in the list the first one if that is gone. */
export function chosenOf(model: Model, samples: readonly Sample[]): Sample | undefined {
  const chosen = samples.find(({ key }) => key === model.chosen)
  return chosen === undefined && model.page === 'list'
    ? sorted(samples, model.sort, model.reversed)[0]
    : chosen
}

/**
 * @param rows the number of rows that a page shows
 */
export function changed(model: Model, action: Action, samples: readonly Sample[], rows: number): Model {
  const step = STEPS[action]?.(rows)
  if (step !== undefined) return moved(model, step, samples)
  switch (action) {
    case 'help':
      return { ...model, help: !model.help }
    case 'open': {
      const lock = model.page === 'list' ? chosenOf(model, samples) : undefined
      return lock ? { ...model, page: 'lock', chosen: lock.key, scroll: 0 } : model
    }
    case 'back':
      return model.help ? { ...model, help: false } : { ...model, page: 'list' }
    case 'next-order':
    case 'previous-order': {
      const at = SORT_KEYS.indexOf(model.sort) + (action === 'next-order' ? 1 : SORT_KEYS.length - 1)
      return { ...model, sort: SORT_KEYS[at % SORT_KEYS.length] ?? model.sort }
    }
    case 'reverse':
      return { ...model, reversed: !model.reversed }
    case 'pause':
      return { ...model, paused: !model.paused }
    default:
      return model
  }
}

function moved(model: Model, step: number, samples: readonly Sample[]): Model {
  if (model.page === 'list') {
    const ordered = sorted(samples, model.sort, model.reversed)
    const at = Math.max(
      0,
      ordered.findIndex(({ key }) => key === model.chosen),
    )
    return { ...model, chosen: ordered[within(at + step, ordered.length)]?.key ?? null }
  }
  const lock = chosenOf(model, samples)?.snapshot
  const count = lock ? lock.holders.length + lock.waiters.length : 0
  return { ...model, scroll: within(model.scroll + step, count) }
}

function within(index: number, length: number): number {
  return Math.max(0, Math.min(index, length - 1))
}
