// The columns of the list, and which of them fit.
import { harmless } from '../../text/width.js'
import { briefRate, briefTime } from '../brief.js'
import type { SortKey } from '../order.js'
import type { Sample } from '../sampler.js'
import { sparkline } from '../sparkline.js'

export interface Column {
  title: string
  width: number
  align: 'left' | 'right'
  /** The order that goes by this column. */
  sort?: SortKey
  text: (sample: Sample, width: number, unicode: boolean) => string
}

const NARROWEST_NAME = 14
const WIDEST_HISTORY = 40
/** The first two columns: the mark of the chosen lock, and of one whose writer died. */
export const MARKS = 2

const HISTORY: Column = {
  title: 'HISTORY',
  width: 8,
  align: 'right',
  text: ({ history }, width, unicode) => sparkline(history.writes, width, unicode),
}

/** In the order of the screen. */
const COLUMNS: Record<string, Column> = {
  mode: { title: 'MODE', width: 5, align: 'left', text: ({ snapshot }) => modeOf(snapshot) },
  holds: column('HOLDS', 5, 'holds', ({ holds }) => String(holds)),
  queue: column('QUEUE', 5, 'queue', ({ waiting }) => String(waiting)),
  wait: column('WAIT', 7, 'wait', ({ waitMs }) => longest(waitMs)),
  worst: column('WORST', 7, 'worst', ({ worstMs }) => longest(worstMs)),
  writes: column('WRITE/S', 7, 'writes', ({ writes }) => briefRate(writes)),
  waits: column('WAIT/S', 7, 'waits', ({ waits }) => briefRate(waits)),
  history: HISTORY,
}

/** Left out first, if there is no room. */
const LEAST_NEEDED = ['history', 'worst', 'waits', 'holds', 'writes', 'mode', 'queue']

function column(title: string, width: number, sort: SortKey, text: Column['text']): Column {
  return { title, width, align: 'right', sort, text }
}

/** The columns for a screen of that width. The name has what the others leave. */
export function columnsFor(width: number): Column[] {
  const names = new Set(Object.keys(COLUMNS))
  const used = () => [...names].reduce((sum, name) => sum + 1 + (COLUMNS[name]?.width ?? 0), MARKS)
  for (const name of LEAST_NEEDED) {
    if (used() + NARROWEST_NAME <= width) break
    names.delete(name)
  }
  const free = width - used() - NARROWEST_NAME
  // Two thirds of a wide screen for the names, the rest for the history.
  const longer = names.has('history')
    ? Math.min(WIDEST_HISTORY - HISTORY.width, Math.max(0, Math.floor((free - 16) / 3)))
    : 0
  const others = [...names].flatMap((name) => COLUMNS[name] ?? [])
  const shown = others.map((each) => (each === HISTORY ? { ...each, width: each.width + longer } : each))
  const name: Column = {
    title: 'LOCK',
    width: Math.max(1, width - MARKS - shown.reduce((sum, each) => sum + 1 + each.width, 0)),
    align: 'left',
    sort: 'name',
    text: ({ snapshot }) => nameOf(snapshot),
  }
  return [name, ...shown]
}

/** What the terminal shows as the name of a lock. */
export function nameOf({ name, path }: Sample['snapshot']): string {
  return harmless(path ?? name ?? '')
}

/** The strongest mode in which it is held. */
export function modeOf({ holders }: Sample['snapshot']): string {
  const modes = new Set(holders.map(({ mode }) => mode))
  if (modes.has('write')) return 'write'
  if (modes.has('upgradable')) return 'upgr'
  return modes.has('read') ? 'read' : '-'
}

function longest(ms: number): string {
  return ms === 0 ? '-' : briefTime(ms)
}
