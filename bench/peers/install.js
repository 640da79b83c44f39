// Installs the competitors from npm. Two of them are compiled.
import { fileURLToPath } from 'node:url'
import { npm } from '../../scripts/lib/run.js'
import { isInstalled, requireCpp, requirePython, say } from '../../scripts/lib/setup.js'

const folder = fileURLToPath(new URL('.', import.meta.url))

export async function installPeers() {
  if (isInstalled(folder)) return
  say('Installing the competitors (npm ci in bench/peers)')
  await requireCpp('Two of the competitors need a C++ compiler')
  await requirePython('node-gyp, which compiles two of the competitors, needs Python')
  await npm('ci', '--prefix', folder, '--no-audit', '--no-fund', '--loglevel=error')
}
