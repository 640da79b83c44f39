// npm run bench [-- --quick]: what the lock costs here, beside what cannot be had for less.
//
// Prints tables, and writes them to bench/results/latest.json.
import { mkdirSync, writeFileSync } from 'node:fs'
import { arch, availableParallelism, cpus, platform, release } from 'node:os'
import { RWLock } from 'process-rwlock'
import { floors, ours } from './cases.js'
import { handoff } from './handoff.js'
import { measure, print } from './measure.js'
import { rust } from './rust.js'

const quick = process.argv.includes('--quick')
const pace = quick ? { rounds: 15, batch: 10 } : { rounds: 51, batch: 25 }

const machine = {
  cpu: cpus()[0]?.model,
  cores: availableParallelism(),
  system: `${platform()} ${release()} ${arch()}`,
  node: process.version,
  v8: process.versions.v8,
}
console.log(`${machine.cpu}, ${machine.cores} cores, ${machine.system}, Node.js ${machine.node}`)
console.log(`${pace.rounds} rounds of ${pace.batch} ms for each line, all lines taking turns`)

const lock = new RWLock()
const between = await handoff()
const groups = {
  Floors: floors,
  'One process, nobody else': ours(lock),
  'Two processes': [between],
}
const found = await measure(Object.values(groups).flat(), pace)
between.end()
lock.close()

/** @type {Record<string, import('./measure.js').Result[]>} */
const results = {}
for (const [title, cases] of Object.entries(groups)) results[title] = found.splice(0, cases.length)
results['Without Node.js, uncontended pairs'] = await rust({ quick })
for (const [title, lines] of Object.entries(results)) print(title, lines)

const file = new URL('results/latest.json', import.meta.url)
mkdirSync(new URL('.', file), { recursive: true })
writeFileSync(file, `${JSON.stringify({ date: new Date(), quick, machine, results }, null, 2)}\n`)
console.log('\nWritten to bench/results/latest.json')
