// node bench/postgres/main.js: the lock over PostgreSQL beside locks that other packages offer over
// PostgreSQL and Redis. All servers are on this machine, and started here.
import { PostgresLocks } from 'process-rwlock/postgres'
import { readArguments, usageError } from '../../scripts/lib/arguments.js'
import { nameOf } from '../competitors.js'
import { versions } from '../drivers/start.js'
import { installPeers } from '../peers/install.js'
import { goals } from './goals.js'
import { POSTGRES, REDIS } from './locks.js'
import { startNetwork, startPostgres, startRedis } from './servers.js'
import { systems } from './systems.js'
import { tables } from './tables.js'
import { workloads } from './workloads.js'

const HELP = `
node bench/postgres/main.js [WORKLOAD…]   measures all workloads, or only these
  WORKLOAD   one of ${Object.keys(workloads).join(', ')}
  --quick    fewer and shorter rounds
`
const { values, positionals: names } = readArguments(
  HELP,
  { quick: { type: 'boolean', default: false } },
  { positionals: true },
)
const unknown = names.find((name) => !(name in workloads))
if (unknown !== undefined) usageError(`There is no workload "${unknown}".`, HELP)

/** Half of a round trip through a network, in ms. */
const DELAY = 5.5

await installPeers()
const postgres = await startPostgres()
const redis = await startRedis()
const networks = {
  postgres: await startNetwork(postgres.port, DELAY),
  redis: await startNetwork(redis.port, DELAY),
}
/** Drivers that start from now on reach the servers directly, or through the network. @param {boolean} far */
function connectThrough(far) {
  process.env[POSTGRES] = postgres.url(far ? networks.postgres.port : undefined)
  process.env[REDIS] = redis.url(far ? networks.redis.port : undefined)
}
connectThrough(false)
const locks = new PostgresLocks({ connectionString: postgres.url() })
await locks.migrate()
await locks.close()

/** @type {Record<string, any>} */
const results = {}
try {
  for (const [name, run] of Object.entries(workloads)) {
    if (names.length > 0 && !names.includes(name)) continue
    const log = (/** @type {string} */ line) => console.error(`> ${line}`)
    results[name] = await run({
      systems,
      servers: { postgres, redis },
      connectThrough,
      quick: values.quick,
      log,
    })
  }
} finally {
  await Promise.all([postgres.close(), redis.close(), networks.postgres.close(), networks.redis.close()])
}

console.log(`Node.js ${process.versions.node}`)
for (const { title, columns, rows } of tables(results, nameOf)) {
  console.log(`\n${title}\n\n| ${columns.join(' | ')} |\n|${columns.map(() => '---').join('|')}|`)
  for (const row of rows) console.log(`| ${row.join(' | ')} |`)
}
console.log()
for (const { goal, asked, measured, reached } of goals(results)) {
  console.log(`${reached ? 'reached' : 'MISSED '} ${goal}: ${measured} (required: ${asked})`)
}
console.log(
  `\n${Object.entries(versions)
    .flatMap(([system, version]) => (version ? [`${system} ${version}`] : []))
    .join(', ')}`,
)
process.exit()
