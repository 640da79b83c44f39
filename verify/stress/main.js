// npm run stress: Node and Rust processes use one lock at random while they are killed and stopped.
//
//   npm run stress -- --minutes N | --seconds S   how long; 60 s by default
//                     --seed X                    repeats the decisions of that run; the scheduling of the kernel differs
//                     --processes N               up to 16
//                     --nodes N                   how many of them run Node; half by default
//                     --mutants [part of a name]  breaks a copy of the lock in one way at a time: each must be found
import { mutants } from '../mutants/lists/stress.js'
import { takeMutants, tryOnCopy } from '../mutants/run.js'
import { find, setUp } from './check.js'

const args = process.argv.slice(2)
const part = takeMutants(args)
await setUp()
if (part !== undefined) {
  await tryOnCopy({ check: 'stress', mutants, part, find })
} else {
  const { campaign } = await import('./campaign.js') // which imports what the set-up builds
  await campaign(args)
}
