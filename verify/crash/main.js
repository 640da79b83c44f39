// npm run crash: kills, stops and ends processes at each crash point of the lock.
import { readArguments } from '../../scripts/lib/arguments.js'
import { mutants } from '../mutants/lists/crash.js'
import { tryOnCopy } from '../mutants/run.js'
import { crash, find, untouched } from './check.js'

const HELP = `
npm run crash                        each label in each scenario once, in each way
npm run crash -- --full              also each crash point up to the third time and the last
npm run crash -- --only write-timeout:publish:1:kill
                                     one scenario; one label of it; one time; one action
npm run crash -- --mutants [PART]    breaks a copy of the lock in one way at a time (whose name contains PART): the
                                     check must find each
`

const { values, positionals } = readArguments(
  HELP,
  { full: { type: 'boolean' }, only: { type: 'string' }, mutants: { type: 'boolean' } },
  { positionals: true },
)

if (values.mutants) {
  await tryOnCopy({ check: 'crash', mutants, part: positionals[0], find, untouched })
} else {
  await crash([...(values.full ? ['--full'] : []), ...(values.only ? ['--only', values.only] : [])])
}
