// npm run demo: from a bare checkout to the running demo.
import { run } from './lib/run.js'
import { setup } from './lib/setup.js'

await setup()
await run(process.execPath, ['examples/demo/main.js', ...process.argv.slice(2)])
