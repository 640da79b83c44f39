// npm run storm: from a bare checkout to the running kill storm.
import { run } from './run.js'
import { setup } from './setup.js'

await setup({ testkit: true, storm: true })
await run(process.execPath, ['storm/main.js', ...process.argv.slice(2)])
