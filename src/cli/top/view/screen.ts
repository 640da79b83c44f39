// The lines of a frame.
import { harmless } from '../../text/width.js'
import { columnsOf, fit, type Line, piece, spread } from '../line.js'
import { sorted } from '../order.js'
import type { Frame, Lines } from './frame.js'
import { help } from './help.js'
import * as list from './list.js'
import * as lock from './lock.js'
import { summary } from './summary.js'

/** Between the keys of the last line. */
const GAP = '   '

/** The whole screen: as many lines as it has rows, or fewer. */
export function screen(frame: Frame): Lines {
  const { above, below, room } = partsOf(frame)
  const body = bodyOf(frame, room).slice(0, room)
  const space: Line[] = below.length === 0 ? [] : Array.from({ length: room - body.length }, () => [])
  return [...above, ...body, ...space, ...below].map((line) => shown(line, frame))
}

/** The list without what only a screen needs: for output that is read later. */
export function page(frame: Frame): Lines {
  const { model, look } = frame
  const table = list.table(frame, sorted(look.samples, model.sort, model.reversed))
  const body = table.length === 0 ? [[piece('No lock exists.')]] : [list.titles(frame), ...table]
  return [...summary(frame), ...body].map((line) => shown(line, frame))
}

/** Names that are not ASCII are the user's own; the ellipsis is not. */
function shown(line: Line, { columns, unicode }: Frame): Line {
  const cut = fit(line, columns)
  return unicode ? cut : cut.map(({ text, style }) => piece(text.replaceAll('…', '~'), style))
}

/** The number of rows of the table that a screen shows. */
export function roomOf(frame: Frame): number {
  return partsOf(frame).room
}

/** A screen with few rows shows the rows of the table, their titles, and nothing else. */
function partsOf(frame: Frame): { above: Line[]; below: Line[]; room: number } {
  const fixed = fixedLines(frame)
  const isLow = frame.rows < fixed.length + 3
  const above = isLow ? fixed.slice(-1) : fixed
  const below = isLow ? [] : [footer(frame)]
  return { above, below, room: Math.max(0, frame.rows - above.length - below.length) }
}

function fixedLines(frame: Frame): Line[] {
  if (frame.model.help) return [[piece('process-rwlock top', 'bold')]]
  if (frame.model.page === 'lock') return [...lock.head(frame), [], lock.titles(frame)]
  return [...summary(frame), [], list.titles(frame)]
}

function bodyOf(frame: Frame, room: number): Line[] {
  if (frame.model.help) return help()
  if (frame.model.page === 'lock') return lock.rows(frame, room)
  if (frame.look.samples.length === 0) return [[piece('  No lock exists.')]]
  return list.rows(frame, room)
}

function footer({ model, columns, failure }: Frame): Line {
  if (failure !== null) return [piece(harmless(failure), 'red')]
  const isList = model.page === 'list' && !model.help
  const right = isList ? [piece(`by ${model.sort}${model.reversed ? ', reversed' : ''}`, 'dim')] : []
  const keys = isList
    ? ['q quit', '? help', 'enter look into', 's sort', 'r reverse', 'space pause']
    : ['q quit', 'escape back', ...(model.help ? [] : ['up/down scroll', 'space pause', '? help'])]
  const left = () => [piece(keys.join(GAP), 'dim')]
  while (keys.length > 1 && columnsOf(left()) + GAP.length + columnsOf(right) > columns) keys.pop()
  return spread(left(), right, columns)
}
