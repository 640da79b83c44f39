// npm run mutants: the deliberate faults that the checks must find; each layer has one list (verify/mutants/lists).
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readArguments, usageError } from '../../scripts/lib/arguments.js'
import { capture, root } from '../../scripts/lib/run.js'
import { LAYERS } from './layers.js'
import { mutate } from './mutate.js'
import { LOCK, targetOf } from './run.js'

const HELP = `
npm run mutants                          tries each check on each of its mutants; hours
npm run mutants -- --layer crash         one check
                   --only PART           those whose names contain PART
npm run mutants -- --check               each mutant of each list applies and changes something; some seconds
npm run mutants -- --compile             those of the lock compile; minutes
npm run mutants -- --list                prints their names
`

const { values: asked } = readArguments(HELP, {
  check: { type: 'boolean' },
  compile: { type: 'boolean' },
  list: { type: 'boolean' },
  layer: { type: 'string' },
  only: { type: 'string', default: '' },
})
const names = asked.layer === undefined ? Object.keys(LAYERS) : [asked.layer]
const unknown = names.find((name) => !(name in LAYERS))
if (unknown !== undefined)
  usageError(`There is no layer "${unknown}": ${Object.keys(LAYERS).join(', ')}.`, HELP)

if (asked.list) await list()
else if (asked.check) await check()
else if (asked.compile) await compile()
else for (const name of names) await LAYERS[name]?.run(asked.only)

async function list() {
  for (const name of names) {
    for (const mutant of (await LAYERS[name]?.mutants()) ?? []) console.log(`${name}: ${mutant.name}`)
  }
}

async function check() {
  let count = 0
  const problems = []
  for (const name of names) {
    const found = await LAYERS[name]?.problems()
    const all = (await LAYERS[name]?.mutants()) ?? []
    if (found === undefined) console.log(`${name}: skipped, because the addon is not built`)
    else count += all.length
    problems.push(...(found ?? []).map((problem) => `${name}: ${problem}`))
    problems.push(...twice(all.map((mutant) => mutant.name)).map((each) => `${name}: two mutants "${each}"`))
  }
  for (const problem of problems) console.log(problem)
  console.log(`${count} mutants, ${problems.length} problems`)
  process.exitCode = problems.length > 0 ? 1 : 0
}

/** Compiles the crate with each mutant that changes it, one after the other in one copy. */
async function compile() {
  const copy = fileURLToPath(new URL('target/mutants/compile', root))
  const remove = () => rmSync(copy, { recursive: true, force: true })
  remove()
  process.once('exit', remove)
  mkdirSync(copy, { recursive: true })
  for (const each of ['Cargo.toml', 'Cargo.lock', 'crates']) {
    cpSync(fileURLToPath(new URL(each, root)), join(copy, each), { recursive: true })
  }
  const counts = { compile: 0, fail: 0 }
  for (const name of names) {
    const tree = await LAYERS[name]?.tree?.()
    if (tree?.language !== 'rust') continue
    for (const mutant of /** @type {any[]} */ ((await LAYERS[name]?.mutants()) ?? [])) {
      if (!mutant.name.includes(asked.only)) continue
      const texts = mutate(tree, mutant)
      for (const [file, text] of texts) writeFileSync(join(copy, LOCK.folder, file), text)
      const args = [
        'check',
        '--quiet',
        '--package',
        'process-rwlock',
        '--lib',
        '--features',
        'crash-injection',
      ]
      const env = {
        ...process.env,
        RUSTFLAGS: '-Awarnings',
        CARGO_TARGET_DIR: targetOf('compile'),
      }
      const { code, output } = await capture('cargo', args, { cwd: copy, env })
      counts[code === 0 ? 'compile' : 'fail']++
      if (code !== 0) console.log(`${name}: mutant "${mutant.name}" does not compile:\n${output}`)
      for (const file of texts.keys()) {
        writeFileSync(join(copy, LOCK.folder, file), tree.sources.get(file)?.text ?? '')
      }
    }
  }
  console.log(`${counts.compile} mutants compile, ${counts.fail} do not`)
  process.exitCode = counts.fail > 0 ? 1 : 0
}

/** @param {string[]} names */
function twice(names) {
  return names.filter((name, index) => names.indexOf(name) !== index)
}
