// Takes permits of a semaphore in random ways until it is killed or told to stop, says on a shared
// page how many it has, and checks that there are never more than there may be.
//   node takes-permits.js JOB
import { setTimeout as sleep, setImmediate as tick } from 'node:timers/promises'
import { Semaphore } from 'process-rwlock'
import { PermitPage } from '../../helpers/permit-page.js'
import { random } from '../../helpers/random.js'

/** @type {{ ref: any, page: string, place: number, processes: number, permits: number, seed: number, tasks: number }} */
const job = JSON.parse(process.argv[2])
const page = new PermitPage(job.page, job.processes)
const semaphore = new Semaphore(job.ref, { permits: job.permits })
let stops = false
process.on('message', () => {
  stops = true
})
process.send?.({ type: 'ready' })

await Promise.all(Array.from({ length: job.tasks }, (_, task) => run(random(job.seed + 100 * task))))
process.send?.({ type: 'done' })
semaphore.close()
process.disconnect()

/** @param {ReturnType<typeof random>} dice */
async function run(dice) {
  while (!stops) {
    const way = dice.below(8)
    try {
      if (way === 0) {
        using(semaphore.tryAcquire())
      } else if (way === 1) {
        using(semaphore.acquireSync({ timeout: dice.below(4) }))
      } else if (way === 2) {
        await inside(await semaphore.acquire({ timeout: dice.below(10) }), dice)
      } else if (way === 3) {
        await inside(await semaphore.acquire({ signal: AbortSignal.timeout(dice.below(10)) }), dice)
      } else if (way === 4) {
        await inside(await semaphore.acquire(), dice)
      } else {
        await semaphore.use(() => entered(dice))
      }
    } catch (error) {
      const { code, name } = /** @type {any} */ (error)
      if (!['ERR_LOCK_TIMEOUT', 'ERR_LOCK_DEADLOCK'].includes(code) && name !== 'TimeoutError') throw error
    }
    await tick()
  }
}

/** @param {import('process-rwlock').Permit | null} permit */
function using(permit) {
  if (permit === null) return
  enter()
  page.leave(job.place)
  permit.release()
}

/** @param {import('process-rwlock').Permit} permit @param {ReturnType<typeof random>} dice */
async function inside(permit, dice) {
  try {
    await entered(dice)
  } finally {
    permit.release()
  }
}

/** @param {ReturnType<typeof random>} dice */
async function entered(dice) {
  enter()
  if (dice.below(2)) await sleep(dice.below(4))
  else await tick()
  check()
  page.leave(job.place)
}

function enter() {
  page.enter(job.place)
  check()
}

function check() {
  const held = page.held()
  if (held !== undefined && held > job.permits) throw new Error(`${held} permits of ${job.permits} are held`)
}
