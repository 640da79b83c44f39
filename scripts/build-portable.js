// npm run build:portable: the addon for this machine's Linux, linked so that it loads with every glibc from 2.17 on (2012), and
// the proof of that. Zig knows the symbols of old versions, so no old system is needed.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { npm, root, run } from './run.js'
import { addonName, fail, requirePython } from './setup.js'

const FLOOR = [2, 17]
const PACKAGES = ['cargo-zigbuild==0.24.0', 'ziglang==0.15.2']

if (!addonName().endsWith('-gnu.node')) fail('Only Linux with glibc has something to be portable between.')
const arch = { x64: 'x86_64', arm64: 'aarch64' }[/** @type {string} */ (process.arch)]
const target = `${arch}-unknown-linux-gnu`
const tools = fileURLToPath(new URL('.cache/zig/', root))

await requirePython('Zig comes from PyPI')
const pip = [
  '-m',
  'pip',
  'install',
  '--quiet',
  '--root-user-action=ignore',
  '--disable-pip-version-check',
  '--only-binary=:all:',
]
await run('python3', [...pip, '--target', tools, '--upgrade', ...PACKAGES])
Object.assign(process.env, {
  CARGO_ZIGBUILD_ZIG_PATH: `${tools}ziglang/zig`,
  ZIG_CC: `${tools}bin/cargo-zigbuild`,
  ZIG_TARGET: `${arch}-linux-gnu.${FLOOR.join('.')}`,
  [`CARGO_TARGET_${target.toUpperCase().replaceAll('-', '_')}_LINKER`]: fileURLToPath(
    new URL('scripts/zig-cc.sh', root),
  ),
})
await npm('run', '--silent', 'build:native', '--', '--target', target)
checkFloor(addonName())

/** @param {string} file */
function checkFloor(file) {
  const { stdout } = spawnSync('readelf', ['--version-info', file], { cwd: root, encoding: 'utf8' })
  const versions = [...(stdout ?? '').matchAll(/GLIBC_(\d+)\.(\d+)/g)].map((match) =>
    match.slice(1).map(Number),
  )
  const newest = versions.sort(([a = 0, b = 0], [c = 0, d = 0]) => c - a || d - b)[0]
  if (!newest) fail(`readelf shows no version of glibc in ${file}.`)
  const needs = `${file} needs glibc ${newest.join('.')}`
  if (newest[0] > FLOOR[0] || newest[1] > FLOOR[1]) fail(`${needs}, and may need ${FLOOR.join('.')} at most.`)
  console.log(`${needs}.`)
}
