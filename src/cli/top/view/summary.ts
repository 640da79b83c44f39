// The two lines at the top of the list: all locks together.

import { briefRate, briefTime } from '../brief.js'
import { type Line, piece, spread } from '../line.js'
import { sparkline } from '../sparkline.js'
import type { Frame } from './frame.js'

const HISTORY = 12

export function summary({ look, time, interval, columns, unicode, model }: Frame): Line[] {
  const { locks, held, waitedFor, waiting, waitMs, writes, waits, history } = look.total
  const bars = (values: readonly (number | null)[]) =>
    piece(sparkline(values, HISTORY, unicode).trimStart(), 'cyan')
  const state = model.paused ? [piece('paused', 'yellow')] : [piece(`every ${interval / 1000} s`, 'dim')]
  return [
    spread(
      [piece('process-rwlock top', 'bold'), piece(`  ${clock(time)}  `), ...state],
      [
        piece(`${count(locks, 'lock')}: ${held} held, `),
        piece(`${waitedFor} waited for`, waitedFor > 0 ? 'yellow' : undefined),
      ],
      columns,
    ),
    spread(
      [
        piece(`${briefRate(writes)} writes/s `),
        bars(history.writes),
        piece(`  ${briefRate(waits)} waits/s `),
        bars(history.waits),
      ],
      [waiting > 0 ? piece(`${waiting} waiting, up to ${briefTime(waitMs)}`, 'yellow') : piece('none waits')],
      columns,
    ),
  ]
}

export function clock(time: Date): string {
  return [time.getHours(), time.getMinutes(), time.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':')
}

export function count(number: number, thing: string): string {
  return `${number} ${thing}${number === 1 ? '' : 's'}`
}
