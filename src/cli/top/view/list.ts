// The list of the locks.
import { cell, type Line, type Piece, piece, type Style } from '../line.js'
import { chosenOf } from '../model.js'
import { sorted } from '../order.js'
import type { Sample } from '../sampler.js'
import { type Column, columnsFor } from './columns.js'
import type { Frame } from './frame.js'

/** A wait that is shown in red, in ms. */
const LONG_WAIT = 1000

export function titles({ columns, model }: Frame): Line {
  const cells = columnsFor(columns).map((column) =>
    piece(cell(column.title, column.width, column.align), column.sort === model.sort ? 'inverse' : 'dim'),
  )
  return [piece('  '), ...separated(cells)]
}

/**
 * @param room the number of rows that are shown; around the chosen lock
 */
export function rows(frame: Frame, room: number): Line[] {
  const { model, look } = frame
  const ordered = sorted(look.samples, model.sort, model.reversed)
  const chosen = chosenOf(model, look.samples)
  const at = chosen === undefined ? 0 : ordered.indexOf(chosen)
  const first = Math.max(0, at - room + 1)
  return table(frame, ordered.slice(first, first + room), chosen)
}

export function table(frame: Frame, samples: readonly Sample[], chosen?: Sample): Line[] {
  const columns = columnsFor(frame.columns)
  return samples.map((sample) => row(frame, sample, sample === chosen, columns))
}

function row({ unicode }: Frame, sample: Sample, isChosen: boolean, columns: Column[]): Line {
  const died = sample.snapshot.ownerDied !== null
  const cells = columns.map((column) => {
    const text = column.text(sample, column.width, unicode)
    return piece(cell(text, column.width, column.align), styleOf(column, sample, isChosen))
  })
  return [piece(isChosen ? '>' : ' ', 'bold'), piece(died ? '!' : ' ', 'red'), ...separated(cells)]
}

function styleOf({ title }: Column, { waitMs, holds }: Sample, isChosen: boolean): Style | undefined {
  if (title === 'LOCK') return isChosen ? 'bold' : undefined
  if (title === 'WAIT' || title === 'QUEUE')
    return waitMs >= LONG_WAIT ? 'red' : waitMs > 0 ? 'yellow' : 'dim'
  if (title === 'HISTORY') return 'cyan'
  if (title === 'MODE' && holds > 0) return 'green'
  return undefined
}

function separated(cells: Piece[]): Piece[] {
  return cells.flatMap((cell, index) => (index === 0 ? [cell] : [piece(' '), cell]))
}
