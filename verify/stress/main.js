// npm run stress: Node and Rust processes use one lock at random while they are killed and stopped.
import { readArguments, usageError } from '../../scripts/lib/arguments.js'
import { mutants } from '../mutants/lists/stress.js'
import { tryOnCopy } from '../mutants/run.js'
import { find, setUp } from './check.js'

const HELP = `
npm run stress -- --minutes N | --seconds S   how long; 60 s by default
                  --seed X                    repeats the decisions of that run; the scheduling of the kernel differs
                  --processes N               up to 16, the default
                  --nodes N                   how many of them run Node; half by default
npm run stress -- --mutants [PART]            breaks a copy of the lock in one way at a time (whose name contains PART):
                                              the check must find each within a minute
`

const { values, positionals } = readArguments(
  HELP,
  {
    minutes: { type: 'string' },
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 30)) },
    processes: { type: 'string', default: '16' },
    nodes: { type: 'string' },
    mutants: { type: 'boolean' },
  },
  { positionals: true },
)
const processes = number('processes', values.processes, 1, 16)
const options = {
  seconds: values.minutes ? number('minutes', values.minutes) * 60 : number('seconds', values.seconds),
  seed: number('seed', values.seed),
  processes,
  nodes: number('nodes', values.nodes ?? String(processes >> 1), 0, processes),
}

await setUp()
if (values.mutants) {
  await tryOnCopy({ check: 'stress', mutants, part: positionals[0], find })
} else {
  const { campaign } = await import('./campaign.js') // which imports what the set-up builds
  await campaign(options)
}

/**
 * @param {string} name
 * @param {string} text
 */
function number(name, text, least = 0, most = 2 ** 31) {
  const value = Number(text)
  if (value >= least && value <= most) return value
  return usageError(`--${name} takes a number from ${least} to ${most}, not "${text}".`, HELP)
}
