// The page that explains keys and columns.
import { type Line, piece } from '../line.js'

const KEYS = [
  ['up, down', 'choose a lock; in a lock, scroll (also k, j)'],
  ['page up/down', 'the same by pages; home and end: to the first and the last'],
  ['enter', 'look into the chosen lock'],
  ['escape', 'go back to the list (also backspace)'],
  ['s, S', 'sort by the next or the previous column'],
  ['r', 'reverse the order'],
  ['space', 'pause, and continue'],
  ['?, h', 'this page'],
  ['q, Ctrl-C', 'quit'],
] as const

const COLUMNS = [
  ['!', 'a writer died during its hold; the next holder is told'],
  ['HOLDS, QUEUE', 'holds, and requests that wait, at this moment'],
  ['WAIT, WORST', 'the longest wait now, and since top began, as far as seen'],
  ['WRITE/S', 'write holds that began, each second: fencing tokens'],
  ['WAIT/S', 'requests of any mode that were not granted at once: tickets'],
  ['HISTORY', 'WRITE/S of the last looks'],
] as const

export function help(): Line[] {
  return [
    [piece('Keys', 'bold')],
    ...KEYS.map(described),
    [],
    [piece('Columns', 'bold')],
    ...COLUMNS.map(described),
    [],
    [piece('Reads that are granted at once leave no count in a lock: only HOLDS shows them.')],
  ]
}

function described([name, text]: readonly [string, string]): Line {
  return [piece(`  ${name.padEnd(13)}`, 'cyan'), piece(`  ${text}`)]
}
