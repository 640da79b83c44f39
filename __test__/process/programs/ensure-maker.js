// Calls `lock.ensure()` on a message, with a thing that is written in two halves, in place.
import { appendFileSync, existsSync, readFileSync, truncateSync } from 'node:fs'
import { RWLock } from 'process-rwlock'

const [name, output, log, behaviour] = process.argv.slice(2)
const lock = new RWLock(name)

/** Gives whatever is there, even half of it. */
function load() {
  return existsSync(output) ? readFileSync(output, 'utf8') : undefined
}

async function make({ ownerDied }) {
  appendFileSync(log, `${process.pid} ${ownerDied?.pid ?? 'null'}\n`)
  if (ownerDied) truncateSync(output)
  appendFileSync(output, 'half,')
  if (behaviour === 'hangs') {
    process.send?.({ type: 'half' })
    await new Promise(() => setInterval(() => {}, 1000))
  }
  await new Promise((resolve) => setTimeout(resolve, 20))
  appendFileSync(output, 'whole')
}

process.once('message', async () => {
  process.send?.({ type: 'result', value: await lock.ensure(load, make) })
  process.disconnect()
})
process.send?.({ type: 'ready' })
