// Uncontended pairs in JavaScript, in a separate process, so that each version of Node.js can run
// them:
//
//   node main.js '{"rounds":…,"batch":…,"locks":{"1":path,"16":path},"peers":true,"compiled":true,"scratch":path}'
//
// The locks exist already. Each key is the number of slots in use once this process has opened the
// lock.
import { createRequire } from 'node:module'
import { RWLock } from 'process-rwlock'
import { floors, ours, oursBesides, peers } from './cases.js'
import { measure } from './measure.js'

const { rounds, batch, locks, peers: withPeers, compiled, scratch } = JSON.parse(process.argv[2])
const nothing = createRequire(import.meta.url)('../../__test__/helpers/testkit.node').nothing()

const opened = Object.entries(locks).map(([slots, path]) => ({ slots, lock: new RWLock({ path }) }))
let count = 0
const groups = {
  floors: floors({ nothing }),
  ours: [...opened.flatMap(({ slots, lock }) => ours(lock, slots)), ...oursBesides(opened[0].lock)],
  peers: withPeers ? await peers(() => `${scratch}-${count++}`, compiled) : [],
}
const measured = await measure(Object.values(groups).flat(), { rounds, batch })
process.stdout.write(
  JSON.stringify({
    version: process.version,
    groups: Object.entries(groups).map(([group, { length }]) => ({
      group,
      cases: measured.splice(0, length),
    })),
  }),
)
process.exit() // although a competitor may keep the process alive
