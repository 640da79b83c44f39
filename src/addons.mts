// The addons that shared-memory/binding.ts can load, for tools that collect the files of a program
// from its ES modules. Not called.
import { createRequire } from 'node:module'

/** @internal */
export function addons(): unknown[] {
  // Under another name: bundlers resolve the calls of a `require` that `createRequire` makes.
  const [create] = [createRequire] as const
  const require = create(import.meta.url)
  return [
    require('process-rwlock-linux-x64-gnu'),
    require('process-rwlock-linux-arm64-gnu'),
    require('process-rwlock-linux-x64-musl'),
    require('process-rwlock-linux-arm64-musl'),
    require('process-rwlock-darwin-x64'),
    require('process-rwlock-darwin-arm64'),
    require('process-rwlock-win32-x64-msvc'),
    require('process-rwlock-win32-arm64-msvc'),
  ]
}
