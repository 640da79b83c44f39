// npm run watch: builds and tests again what changed.
import { watch } from 'node:fs'
import { readArguments } from './lib/arguments.js'
import { attempt, root } from './lib/run.js'

const HELP = `
npm run watch -- [FILE…]   watches crates/, src/ and __test__/ until Ctrl-C

  after a change in crates/rwlock    the unit tests of the crate, then FILE…
  after a change in crates/, src/    FILE… of __test__, with a fresh build
  after a change of a test           that test; after a change of its helpers: FILE…
`

const QUIET = 100 // ms: an editor may write several files at once

const { positionals: files } = readArguments(HELP, {}, { positionals: true })

/** @type {Set<string>} */
const changed = new Set()
/** @type {NodeJS.Timeout | undefined} */
let timer
let isRunning = true

for (const folder of ['crates', 'src', '__test__']) {
  watch(new URL(folder, root), { recursive: true }, (_, name) => {
    if (name && /\.(rs|toml|js|ts)$/.test(name)) noteChange(`${folder}/${name.replaceAll('\\', '/')}`)
  })
}
await test(files)
isRunning = false
await runChanged()

/** @param {string} file */
function noteChange(file) {
  changed.add(file)
  clearTimeout(timer)
  timer = setTimeout(runChanged, QUIET)
}

async function runChanged() {
  if (isRunning) return // it starts again when it has finished
  isRunning = true
  try {
    while (changed.size > 0) {
      const now = [...changed]
      changed.clear()
      await runFor(now)
    }
  } finally {
    isRunning = false
  }
  console.log('Waiting for a change.')
}

/** @param {string[]} sources */
async function runFor(sources) {
  console.log(`\nChanged: ${sources.join(', ')}`)
  if (sources.some((name) => name.startsWith('crates/rwlock/'))) {
    const { code } = await attempt('cargo', ['test', '--quiet', '--package', 'process-rwlock', '--lib'])
    if (code !== 0) return
  }
  const tests = sources.filter((name) => name.endsWith('.test.js'))
  const isOther = sources.length > tests.length
  await test([...new Set([...tests, ...(isOther ? files : [])])])
}

/** @param {string[]} tests */
async function test(tests) {
  if (tests.length === 0) return

  await attempt(process.execPath, ['scripts/test.js', ...tests])
}
