// npm run build:native, npm run build:debug: compiles crates/node to
// process-rwlock.<platform>.node, and generates index.d.ts from it.
import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { readArguments } from './lib/arguments.js'
import { installFile } from './lib/install-files.js'
import { root, run } from './lib/run.js'
import { addonName, installDependencies } from './lib/setup.js'

const HELP = `
npm run build:native [-- --target TRIPLE]   builds the addon, optimized
npm run build:debug  [-- --target TRIPLE]   builds it unoptimized, several times faster
`

const { values } = readArguments(HELP, {
  debug: { type: 'boolean', default: false },
  target: { type: 'string' },
})

await installDependencies()
const output = `target/addon/${values.debug ? 'dev' : 'release'}`
mkdirSync(new URL(output, root), { recursive: true })
await run(process.execPath, [
  ...['node_modules/@napi-rs/cli/dist/cli.js', 'build', '--platform', '--no-js', '--dts', 'index.d.ts'],
  ...['--manifest-path', 'crates/node/Cargo.toml', '--output-dir', output],
  ...(values.debug ? [] : ['--release']),
  ...(values.target ? ['--target', values.target] : []),
])
for (const file of [addonName(), 'index.d.ts']) {
  installFile(fileURLToPath(new URL(`${output}/${file}`, root)), fileURLToPath(new URL(file, root)))
}
