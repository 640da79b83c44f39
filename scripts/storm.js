// npm run storm: from a bare checkout to the running kill storm; with `--mutants [part of a name]`, to what it must find out.

import { run } from './lib/run.js'
import { setup } from './lib/setup.js'
import { takeMutants } from './mutants.js'

const args = process.argv.slice(2)
const part = takeMutants(args)
await setup({ testkit: true, storm: true })
if (part !== undefined) await run(process.execPath, ['storm/mutants.js', part])
else await run(process.execPath, ['storm/main.js', ...args])
