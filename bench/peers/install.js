// Installs the peers of npm. Two of them are compiled.
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { npm } from '../../scripts/lib/run.js'
import { requireCpp, requirePython, say } from '../../scripts/lib/setup.js'

const folder = fileURLToPath(new URL('.', import.meta.url))

export async function installPeers() {
  const installed = join(folder, 'node_modules/.package-lock.json')
  const isCurrent =
    existsSync(installed) && statSync(installed).mtimeMs > statSync(join(folder, 'package-lock.json')).mtimeMs
  if (isCurrent) return
  say('Installing the peers (npm ci in bench/peers)')
  await requireCpp('Two of the peers need a C++ compiler')
  await requirePython('node-gyp, which compiles two of the peers, needs Python')
  await npm('ci', '--prefix', folder, '--no-audit', '--no-fund', '--loglevel=error')
}
