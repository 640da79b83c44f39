import type { Session } from './session.js'
import type { Sessions } from './sessions.js'
import { within } from './time.js'

/**
 * A cancel that comes between two statements of a function is lost, so it is repeated, with growing
 * pauses, in milliseconds.
 */
const FIRST_PAUSE = 5
const LONGEST_PAUSE = 100

/**
 * Cancels the statement with that number in a session, until it has answered. Not before what was
 * sent ahead of it has: a cancelled release would release nothing. When this resolves, no cancel is
 * under way that could reach a later statement.
 */
export async function cancelStatement(
  sessions: Sessions,
  session: Session,
  number: number,
  answered: Promise<unknown>,
): Promise<void> {
  let done = false
  const end = answered.then(
    () => (done = true),
    () => (done = true),
  )
  await Promise.race([session.reached(number), end])
  for (let ms = FIRST_PAUSE; !done && session.dead === null; ms = Math.min(2 * ms, LONGEST_PAUSE)) {
    try {
      const main = await sessions.main()
      await main.run('cancel', [session.backend])
    } catch (error) {
      // Nothing is left to cancel it with. The server ends the wait when it sees that the client is gone.
      if (sessions.mainNow === null) return session.die(error as Error)
    }
    await within(ms, end)
  }
}
