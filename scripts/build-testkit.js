// npm run build:testkit: builds crates/testkit and copies it to where the tests load it from.
import { fileURLToPath } from 'node:url'
import { readArguments } from './lib/arguments.js'
import { installFile } from './lib/install-files.js'
import { root, run } from './lib/run.js'

readArguments('npm run build:testkit   builds the addon of the tests', {})

const library = {
  darwin: 'libprocess_rwlock_testkit.dylib',
  win32: 'process_rwlock_testkit.dll',
}

// The dev profile: it shares its dependencies with `cargo test`, and no test depends on its speed.
await run('cargo', ['build', '--package', 'process-rwlock-testkit'])
const built = `target/debug/${library[process.platform] ?? 'libprocess_rwlock_testkit.so'}`
installFile(
  fileURLToPath(new URL(built, root)),
  fileURLToPath(new URL('__test__/helpers/testkit.node', root)),
)
