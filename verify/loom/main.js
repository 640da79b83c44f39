// npm run loom: the crate's code under the model checker loom, which tries the interleavings of two to four threads and, for
// each load, the values that its memory ordering allows (verify/loom/loom.rs).
import { readArguments } from '../../scripts/lib/arguments.js'
import { root, run } from '../../scripts/lib/run.js'
import { mutants } from '../mutants/lists/loom.js'
import { tryOnCopy } from '../mutants/run.js'
import { checks, find } from './check.js'

const HELP = `
npm run loom -- [NAME]              all checks, or those whose names begin with NAME
npm run loom -- --preemptions 4     how often a thread may be preempted, 3 by default; each costs ten times the time
npm run loom -- --mutants [PART]    weakens one ordering at a time (whose name contains PART): a check must find it
`

const { values, positionals } = readArguments(
  HELP,
  { preemptions: { type: 'string' }, mutants: { type: 'boolean' } },
  { positionals: true },
)

if (values.preemptions) process.env.LOOM_MAX_PREEMPTIONS = values.preemptions
if (values.mutants) await tryOnCopy({ check: 'loom', mutants, part: positionals[0], find })
else await run(...checks(root, positionals[0]))
