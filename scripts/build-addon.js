// npm run build:native, npm run build:debug: compiles crates/node to
// process-rwlock.<platform>.node, and generates index.d.ts from it.
import { readArguments } from './lib/arguments.js'
import { run } from './lib/run.js'
import { installDependencies } from './lib/setup.js'

const HELP = `
npm run build:native [-- --target TRIPLE]   builds the addon, optimized
npm run build:debug  [-- --target TRIPLE]   builds it unoptimized, several times faster
`

const { values } = readArguments(HELP, {
  debug: { type: 'boolean', default: false },
  target: { type: 'string' },
})

await installDependencies()
await run(process.execPath, [
  ...['node_modules/@napi-rs/cli/dist/cli.js', 'build', '--platform', '--no-js', '--dts', 'index.d.ts'],
  ...['--manifest-path', 'crates/node/Cargo.toml', '--output-dir', '.'],
  ...(values.debug ? [] : ['--release']),
  ...(values.target ? ['--target', values.target] : []),
])
