// npm run machine-code: whether the compiler makes of the orderings what the processors need, which no model of the language
// shows. The crate is compiled for x86-64 and ARM64, and the atomic instructions of its fast paths are compared.
//
//   npm run machine-code -- --mutants [part of a name]   weakens an ordering at a time: it must be noticed
//
// Why those of ARM64 keep a store and a later load in order, as Dekker's scheme needs it: SWPAL (and the loop of LDAXR and
// STLXR that `__aarch64_swp8_acq_rel` runs on processors without it) stores with release, LDAR loads with acquire, and no LDAR
// is done before an earlier store-release is seen by everybody ("RCsc", Arm ARM B2.3.7, barrier-ordered-before). LDAPR may be:
// it is what an Acquire load becomes where there is FEAT_LRCPC.
import { root } from '../../scripts/lib/run.js'
import { mutants } from '../mutants/lists/machine-code.js'
import { takeMutants, tryOnCopy } from '../mutants/run.js'
import { faults, find, MACHINES, untouched } from './check.js'

const part = takeMutants(process.argv)
if (part !== undefined) {
  await tryOnCopy({ check: 'machine-code', mutants, part, find, untouched })
} else {
  const found = await faults(root, MACHINES, console.log)
  process.exitCode = found.length > 0 ? 1 : 0
  console.log(found.join('\n') || 'Every fast path has the instructions that it needs.')
}
