// npm run bench: measures this lock and the locks that people use today, on this machine, in one
// run.
import { readArguments, usageError } from '../scripts/lib/arguments.js'
import { setup } from '../scripts/lib/setup.js'
import { check, checkAndSave, checkMutants } from './check.js'
import { all, floors, OURS } from './competitors.js'
import { python } from './drivers/python.js'
import { versions as driverVersions } from './drivers/start.js'
import { machine } from './machine.js'
import { versions as peerVersions } from './peers/index.js'
import { installPeers } from './peers/install.js'
import { drawCharts } from './report/charts.js'
import { goals } from './report/goals.js'
import { save, WORKLOADS } from './report/save.js'
import { printTables } from './report/tables.js'
import { caching } from './workloads/caching.js'
import { commands } from './workloads/commands.js'
import { contended } from './workloads/contended.js'
import { growth } from './workloads/growth.js'
import { handoff } from './workloads/handoff.js'
import { javaScriptPairs, nativePairs, pairsBetween } from './workloads/pairs.js'
import { recovery } from './workloads/recovery.js'
import { scaling } from './workloads/scaling.js'
import { waiting } from './workloads/waiting.js'

const HELP = `
npm run bench -- [WORKLOAD…]           measures all workloads, or only these
npm run bench -- --check               fails if the lock is slower than bench/results/ratios.json says (bench/check.js)
npm run bench -- --check --save        saves the ratios of this processor instead
npm run bench -- --mutants [PART]      makes the lock slower in one way at a time (whose name contains PART): --check must
                                       find each

  WORKLOAD     one of ${WORKLOADS.join(', ')}
  --quick      two minutes instead of a quarter of an hour: fewer rounds, and only the small cases
  --no-save    leaves bench/results unchanged
`

const { values: options, positionals: names } = readArguments(
  HELP,
  {
    quick: { type: 'boolean', default: false },
    'no-save': { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    save: { type: 'boolean', default: false },
    mutants: { type: 'boolean', default: false },
  },
  { positionals: true },
)

const unknown = names.find((name) => !WORKLOADS.includes(name))
if (unknown !== undefined && !options.mutants) usageError(`There is no workload "${unknown}".`, HELP)

const log = (/** @type {string} */ line) => console.error(`> ${line}`)

await setup({ testkit: true, bench: true })

if (options.mutants) {
  await checkMutants(names[0] ?? '')
  process.exit()
}
if (options.check) {
  if (options.save) await checkAndSave()
  process.exit(options.save || (await check(log)) ? 0 : 1)
}

await installPeers()
const competitors = all(await python())
const context = { competitors, quick: options.quick, log }
const only = (/** @type {string[]} */ ...systems) =>
  competitors.filter(({ system, language }) => systems.includes(system) || systems.includes(language))

const workloads = {
  pairs: async () => ({
    native: await nativePairs(context),
    javaScript: await javaScriptPairs(context),
    between: await pairsBetween(context),
  }),
  scaling: () => scaling(context),
  contended: () => contended({ ...context, competitors: [floors.nothing, ...competitors] }),
  handoff: () =>
    handoff({
      ...context,
      competitors: [
        floors.pipe,
        floors.futex,
        ...only(OURS, 'flock', 'pthread', 'fs-ext', 'proper-lockfile', 'Python'),
      ],
    }),
  recovery: () => recovery(context),
  waiting: () => waiting(context),
  caching: () => caching(context),
  growth: () => growth(context),
  commands: () => commands(context),
}

const here = machine()
console.log(`${here.cpu}, ${here.cores} cores, ${here.memory} GiB, ${here.system}, Node.js ${here.node}`)
/** @type {Record<string, any>} */
const results = {}
for (const [name, run] of Object.entries(workloads)) {
  if (names.length > 0 && !names.includes(name)) continue
  const start = performance.now()
  results[name] = await run()
  log(`${name}: ${((performance.now() - start) / 1000).toFixed(0)} s`)
}
printTables(results)
for (const { goal, asked, measured, reached } of goals(results)) {
  console.log(`${reached ? 'reached' : 'MISSED '} ${goal}: ${measured} (required: ${asked})`)
}
if (!options['no-save']) {
  save({ ...here, versions: { ...peerVersions, ...driverVersions } }, options.quick, results)
  await drawCharts()
  console.log('\nWritten to bench/results')
}
process.exit()
