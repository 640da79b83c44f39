// npm run stress: Node and Rust processes use one lock at random while they are killed and stopped.
//
//   npm run stress -- --minutes N | --seconds S   how long; 60 s by default
//                     --seed X                    repeats the decisions of that run; the scheduling of the kernel differs
//                     --processes N               up to 16
//                     --nodes N                   how many of them run Node; half by default
//                     --mutants [part of a name]  breaks a copy of the lock in one way at a time: each must be found
import { setup } from '../../scripts/lib/setup.js'
import { MUTANTS } from '../mutants/lists/stress.js'
import { showMutants, takeMutants } from '../mutants/run.js'

const args = process.argv.slice(2)
const part = takeMutants(args)
await setup({ testkit: true, stress: true })
// They import what the set-up builds.
if (part !== undefined) {
  const { find } = await import('./find.js')
  await showMutants({ check: 'stress', mutants: MUTANTS, part, find })
} else {
  const { campaign } = await import('./campaign.js')
  await campaign(args)
}
