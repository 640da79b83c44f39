// npm run crash: kills, stops and ends processes at each crash point of the lock (verify/crash).
//
//   npm run crash                 every label in every scenario once, each way; what CI runs
//   npm run crash -- --full       and each crash point up to the third time and the last
//   npm run crash -- --only write-timeout:publish:1:kill    one scenario; one label; one time; one action
//   npm run crash -- --mutants [part of a name]    breaks a copy of the lock in one way at a time: each must be found
import { mutants } from '../mutants/lists/crash.js'
import { takeMutants, tryOnCopy } from '../mutants/run.js'
import { crash, find, untouched } from './check.js'

const args = process.argv.slice(2)
const part = takeMutants(args)
if (part !== undefined) await tryOnCopy({ check: 'crash', mutants, part, find, untouched })
else await crash(args)
