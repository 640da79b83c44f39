// npm run model: the models (verify/model/README.md) are searched by Spin, and the labels of the protocol's are compared with
// those of the code.
import { readArguments } from '../../scripts/lib/arguments.js'
import { requireSpin } from '../../scripts/lib/setup.js'
import { mutants } from '../mutants/lists/model.js'
import { mutate } from '../mutants/mutate.js'
import { Tree } from '../mutants/tree.js'
import { differences, labelsOfModel } from './labels.js'
import { run as search, source, sources } from './search.js'
import { full, quick } from './searches.js'

const HELP = `
npm run model                       the quick set: the labels, small searches, the quick mutants
npm run model -- --full             every search; with --seconds N, none for longer than N seconds
npm run model -- --mutants [PART]   breaks the model in one way at a time (whose name contains PART): its search must find
                                    each
npm run model -- --only 'a death'   the searches and mutants whose names contain this; prints the steps to a violation
`

const { values: asked, positionals } = readArguments(
  HELP,
  {
    full: { type: 'boolean' },
    only: { type: 'string' },
    seconds: { type: 'string' },
    mutants: { type: 'boolean' },
  },
  { positionals: true },
)
const part = asked.mutants ? (positionals[0] ?? '') : undefined
const tree = new Tree(sources, 'promela')
let passed = 0
let failed = 0
let unfinished = 0

await requireSpin()
labels()
const [searches, broken] = selected()
for (const each of searches) await unchanged(each)
for (const each of broken) await mutant(each)
const rest = unfinished > 0 ? `, ${unfinished} not finished` : ''
console.log(`\n${passed} passed, ${failed} failed${rest}`)
process.exitCode = failed > 0 ? 1 : 0

/** @returns {[import('./search.js').Search[], typeof mutants]} */
function selected() {
  const named =
    (/** @type {string} */ part) =>
    (/** @type {{ name: string }} */ { name }) =>
      name.includes(part)
  const { only } = asked
  if (only !== undefined) return [[...quick, ...full].filter(named(only)), mutants.filter(named(only))]
  if (asked.full || part !== undefined)
    return [asked.full ? [...quick, ...full] : [], part === undefined ? [] : mutants.filter(named(part))]
  return [quick, mutants.filter(({ quick }) => quick)]
}

/** The two sides agree, and a label that one side lacks would be seen. */
function labels() {
  const found = differences()
  for (const difference of found) console.log(difference)
  report(found.length === 0, `${labelsOfModel().size} labels of the model are those of the code`)
  const renamed = source.replaceAll('crash point: free_gate */', 'crash point: no_such_point */')
  report(differences(renamed).length === 2, 'a label that one side lacks is seen')
}

/** @param {import('./search.js').Search} each */
async function unchanged(each) {
  const result = await search(asked.seconds ? { ...each, seconds: Number(asked.seconds) } : each)
  if (asked.seconds && result.verdict === 'unfinished') {
    unfinished++
    console.log(`       ${line(each, result)} so far`)
    return
  }
  const good = result.verdict === 'ok' || (each.sample !== undefined && result.verdict === 'sampled')
  report(good, line(each, result))
  if (!good) explain(result)
}

/** @param {(typeof mutants)[number]} each */
async function mutant(each) {
  const [text] = mutate(tree, each).values()
  const result = await search({ ...each, text })
  const expected = each.survives ? 'ok' : 'violated'
  report(result.verdict === expected, `mutant ${line(each, result)}`)
  if (result.verdict !== expected) console.log(`    expected: ${expected}; ${each.breaks}`)
  if (asked.only !== undefined) explain(result)
}

/**
 * @param {import('./search.js').Search} each
 * @param {import('./search.js').Result} result
 */
function line({ name, bounds }, { verdict, states, seconds, megabytes }) {
  return `${name} (${bounds}): ${verdict}; ${states} states, ${seconds} s, ${Math.round(megabytes)} MB`
}

/** @param {import('./search.js').Result} result */
function explain({ verdict, what, trail }) {
  if (verdict === 'ok') return
  console.log(`    ${what}`)
  for (const step of trail) console.log(`    process ${step}`)
}

/**
 * @param {boolean} good
 * @param {string} title
 */
function report(good, title) {
  if (good) passed++
  else failed++
  console.log(`${good ? 'ok    ' : 'FAILED'} ${title}`)
}
