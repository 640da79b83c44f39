// npm run loom: the crate's code under the model checker loom, which tries the interleavings of two to four threads and, for
// each load, the values that its memory ordering allows (verify/loom/loom.rs).
//
//   npm run loom -- --preemptions 4   how often a thread may be preempted, 3 by default; each costs about ten times the time
//   npm run loom -- --mutants [part of a name]   weakens one ordering at a time: a check must find it
//   npm run loom -- name              one check, or those whose names begin with it
import { root, run } from '../../scripts/lib/run.js'
import { mutants } from '../mutants/lists/loom.js'
import { takeMutants, tryOnCopy } from '../mutants/run.js'
import { checks, find } from './check.js'

const args = process.argv.slice(2)
const option = args.indexOf('--preemptions')
const preemptions = option < 0 ? undefined : args.splice(option, 2)[1]
if (preemptions) process.env.LOOM_MAX_PREEMPTIONS = preemptions

const part = takeMutants(args)
if (part !== undefined) await tryOnCopy({ check: 'loom', mutants, part, find })
else await run(...checks(root, args[0]))
