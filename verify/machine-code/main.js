// npm run machine-code: checks that the compiler generates the instructions that the orderings need, which no model of the
// language shows. It compiles the crate for x86-64 and ARM64, and compares the atomic instructions of its fast paths.
//
// Why those of ARM64 keep a store and a later load in order, as Dekker's scheme needs it: SWPAL (and the loop of LDAXR and
// STLXR that `__aarch64_swp8_acq_rel` runs on processors without it) stores with release, LDAR loads with acquire, and no LDAR
// is done before an earlier store-release is visible to all processors ("RCsc", Arm ARM B2.3.7, barrier-ordered-before). LDAPR may be:
// it is what an Acquire load becomes where there is FEAT_LRCPC.
import { readArguments } from '../../scripts/lib/arguments.js'
import { root } from '../../scripts/lib/run.js'
import { mutants } from '../mutants/lists/machine-code.js'
import { tryOnCopy } from '../mutants/run.js'
import { faults, find, MACHINES, untouched } from './check.js'

const HELP = `
npm run machine-code                       compares the instructions of the fast paths with the expected ones
npm run machine-code -- --mutants [PART]   weakens one ordering at a time (whose name contains PART): the check must find it
`

const { values, positionals } = readArguments(HELP, { mutants: { type: 'boolean' } }, { positionals: true })

if (values.mutants) {
  await tryOnCopy({ check: 'machine-code', mutants, part: positionals[0], find, untouched })
} else {
  const found = await faults(root, MACHINES, console.log)
  process.exitCode = found.length > 0 ? 1 : 0
  console.log(found.join('\n') || 'Every fast path has the instructions that it needs.')
}
