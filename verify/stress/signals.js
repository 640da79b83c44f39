// A stress test that is interrupted leaves nothing behind.
import { SIGNALS } from '../../scripts/lib/run.js'

/**
 * Ends this process after a signal, and before it every process of the round that there is then.
 *
 * @param {() => import('./round.js').Round | undefined} current
 */
export function endOnSignal(current) {
  for (const signal of SIGNALS) {
    process.once(signal, async () => {
      const round = current()
      await round?.kill()
      round?.remove()
      process.exit(130)
    })
  }
}
