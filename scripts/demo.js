// npm run demo: prepares the checkout, then runs examples/demo.
import { readArguments } from './lib/arguments.js'
import { run } from './lib/run.js'
import { setup } from './lib/setup.js'

const HELP = `
npm run demo                  four servers, one file, a crash, and the proof that nothing was lost, in some 12 s
npm run demo -- --port 3000   serves until Ctrl-C
`

const { values } = readArguments(HELP, { port: { type: 'string' } })
await setup()
const port = values.port === undefined ? [] : ['--port', values.port]
await run(process.execPath, ['examples/demo/main.js', ...port])
