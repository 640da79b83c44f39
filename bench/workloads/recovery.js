// From the kill of a holder to the start of the next holder, which waits.
import { setTimeout } from 'node:timers/promises'
import { summary } from '../../scripts/lib/statistics.js'
import { leading, OURS } from '../competitors.js'
import { TimeoutError } from '../drivers/start.js'
import { fresh } from '../scratch.js'

/** ms; a waiter that has not acquired the lock by then never will. */
const BOUND = { quick: 2000, full: 15_000 }

/**
 * @param {{ competitors: import('../competitors.js').Competitor[], quick: boolean, log: (line: string) => void }} options
 */
export async function recovery({ competitors, quick, log }) {
  const rows = []
  const isMeasured = competitors.some(({ system }) => system === OURS)
  for (const competitor of isMeasured ? [...competitors, leading] : competitors) {
    const isOurs = competitor.system === OURS
    const bound = quick ? BOUND.quick : BOUND.full
    const times =
      isOurs || competitor === leading ? (quick ? 15 : 200) : competitor.polls ? 1 : quick ? 3 : 15
    const { twin = competitor, language } = competitor
    const cases = [{ size: twin.language === 'Node.js' ? 'Node.js' : 'small', killed: twin, mb: 0, times }]
    if (twin !== competitor) cases.push({ size: 'Node.js', killed: competitor, mb: 0, times })
    if (isOurs) cases.push({ size: '1 GB', killed: twin, mb: 1024, times: quick ? 2 : 15 })
    for (const { size, killed, mb, times } of cases) {
      const found = await kills(competitor, killed, { mb, times, bound })
      rows.push({ system: competitor.system, language, size, ...found })
      log(`recovery: ${competitor.system} (${competitor.language}), ${size}`)
    }
  }
  return rows
}

/**
 * @param {import('../competitors.js').Competitor} competitor the waiter
 * @param {import('../competitors.js').Competitor} killed
 * @param {{ mb: number, times: number, bound: number }} options
 */
async function kills(competitor, killed, { mb, times, bound }) {
  const path = fresh()
  const samples = []
  const waiter = await competitor.start(path)
  try {
    for (let i = 0; i < times; i++) {
      const holder = await killed.start(path)
      if (mb > 0) await holder.ask({ do: 'grow', mb })
      await holder.ask({ do: 'hold', mode: 'write' })
      const acquired = waiter.ask({ do: 'acquire', mode: 'write' }, bound)
      acquired.catch(() => {}) // awaited below
      await setTimeout(30 + 20 * Math.random()) // it sleeps by now; at a random moment between two of its checks
      const time = Number(process.hrtime.bigint())
      holder.kill()
      samples.push((await acquired).start - time)
      await holder.died()
    }
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error
    return { never: bound }
  } finally {
    await waiter.end()
  }
  return summary(samples)
}
