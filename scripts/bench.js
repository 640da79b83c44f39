// npm run bench: from a bare checkout to the running benchmarks.
import { run } from './lib/run.js'
import { setup } from './lib/setup.js'

await setup({ testkit: true, bench: true })
await run(process.execPath, ['bench/main.js', ...process.argv.slice(2)])
