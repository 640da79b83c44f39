// A storm that is interrupted leaves nothing behind.

/**
 * Ends this process after a signal, and before it every process of the round that there is then.
 *
 * @param {() => import('./round.js').Round | undefined} current
 * @param {() => void} [tidy] what else is to be done
 */
export function endOnSignal(current, tidy = () => {}) {
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.once(signal, async () => {
      const round = current()
      await round?.kill()
      round?.remove()
      tidy()
      process.exit(130)
    })
  }
}
