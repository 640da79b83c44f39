// npm run storm: from a bare checkout to the running kill storm; with "mutants", to what it must find out.
import { run } from './run.js'
import { setup } from './setup.js'

const [first, ...rest] = process.argv.slice(2)
await setup({ testkit: true, storm: true })
if (first === 'mutants') await run(process.execPath, ['storm/mutants.js', ...rest])
else await run(process.execPath, ['storm/main.js', ...process.argv.slice(2)])
