// Saves the results: one JSON file for each workload, and a page with the tables of all.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { ratiosOf, saveRatios } from '../check.js'
import { goals } from './goals.js'
import { markdown, tables } from './tables.js'

export const folder = new URL('../results/', import.meta.url)
/** In the order in which they are measured and shown. */
export const WORKLOADS = [
  'pairs',
  'scaling',
  'contended',
  'handoff',
  'recovery',
  'waiting',
  'caching',
  'growth',
  'commands',
]

/**
 * @param {Record<string, any>} machine
 * @param {boolean} quick
 * @param {Record<string, any>} results by workload
 */
export function save(machine, quick, results) {
  mkdirSync(folder, { recursive: true })
  for (const [name, result] of Object.entries(results)) {
    write(`${name}.json`, `${JSON.stringify({ machine, quick, result }, null, 1)}\n`)
  }
  if (results.pairs) saveRatios(ratiosOf(results.pairs))
  write('README.md', page())
}

/** The saved results, by workload. */
export function saved() {
  return WORKLOADS.flatMap((name) => {
    const file = new URL(`${name}.json`, folder)
    return existsSync(file) ? [{ name, ...JSON.parse(readFileSync(file, 'utf8')) }] : []
  })
}

function page() {
  const all = saved()
  const results = Object.fromEntries(all.map(({ name, result }) => [name, result]))
  const versions = all.map(
    ({ name, quick, machine: { date, commit, cpu, cores, memory, system, node } }) =>
      `| ${name}${quick ? ' (quick)' : ''} | ${date}, ${commit} | ${cpu}, ${cores} cores, ${memory} GiB, ${system} | ${node} |`,
  )
  const reached = goals(results).map(
    ({ goal, asked, measured, reached: yes }) =>
      `| ${goal} | ${asked} | ${measured} | ${yes ? 'yes' : '**no**'} |`,
  )
  return [
    '# Results of `npm run bench`',
    '',
    'This page is generated. [docs/performance.md](../../docs/performance.md) describes the measurements and what the figures mean.',
    '',
    '| workload | date, commit | machine | Node.js |',
    '|---|---|---|---|',
    ...versions,
    '',
    '## Versions',
    '',
    ...Object.entries(Object.assign({}, ...all.map(({ machine }) => machine.versions))).map(
      ([system, version]) => `- ${system} ${version}`,
    ),
    '',
    '## Goals',
    '',
    '| goal | required | measured | reached |',
    '|---|---:|---:|---|',
    ...reached,
    '',
    ...tables(results).map(markdown),
  ].join('\n')
}

/**
 * @param {string} name
 * @param {string} text
 */
function write(name, text) {
  writeFileSync(new URL(name, folder), text)
}
