// Builds crates/testkit and puts it where the tests load it from.
import { copyFileSync } from 'node:fs'
import { root, run } from './lib/run.js'

const library = {
  darwin: 'libprocess_rwlock_testkit.dylib',
  win32: 'process_rwlock_testkit.dll',
}

// The dev profile: it shares its dependencies' build with `cargo test`, and its speed matters to no test.
await run('cargo', ['build', '--package', 'process-rwlock-testkit'])
copyFileSync(
  new URL(`target/debug/${library[process.platform] ?? 'libprocess_rwlock_testkit.so'}`, root),
  new URL('__test__/helpers/testkit.node', root),
)
