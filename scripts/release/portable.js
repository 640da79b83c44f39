// npm run build:portable: builds the addon so that it loads with every glibc since 2.17 (2012), and
// checks that. Zig has the symbols of old versions, so no old system is needed.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { readArguments } from '../lib/arguments.js'
import { npm, root } from '../lib/run.js'
import { addonName, fail, installFromPyPI } from '../lib/setup.js'
import { glibcOf, OLDEST_GLIBC } from './addon.js'

const PACKAGES = ['cargo-zigbuild==0.24.0', 'ziglang==0.15.2']

readArguments('npm run build:portable   builds the addon for any glibc since 2.17, on Linux with glibc', {})
if (!addonName().endsWith('-gnu.node')) fail('This command needs Linux with glibc.')
const arch = { x64: 'x86_64', arm64: 'aarch64' }[/** @type {string} */ (process.arch)]
const target = `${arch}-unknown-linux-gnu`
const tools = fileURLToPath(new URL('.cache/zig/', root))

await installFromPyPI(tools, PACKAGES, 'Zig is installed from PyPI')
Object.assign(process.env, {
  CARGO_ZIGBUILD_ZIG_PATH: `${tools}ziglang/zig`,
  ZIG_CC: `${tools}bin/cargo-zigbuild`,
  ZIG_TARGET: `${arch}-linux-gnu.2.${OLDEST_GLIBC}`,
  [`CARGO_TARGET_${target.toUpperCase().replaceAll('-', '_')}_LINKER`]: fileURLToPath(
    new URL('scripts/release/zig-cc.sh', root),
  ),
})
await npm('run', '--silent', 'build:native', '--', '--target', target)
checkFloor(addonName())

/** @param {string} file */
function checkFloor(file) {
  const newest = glibcOf(readFileSync(new URL(file, root)))
  if (newest === 0) fail(`${file} does not name a version of glibc.`)
  const needs = `${file} needs glibc 2.${newest}`
  if (newest > OLDEST_GLIBC) fail(`${needs}; the newest allowed is 2.${OLDEST_GLIBC}.`)
  console.log(`${needs}.`)
}
