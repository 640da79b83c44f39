// Starts the processes of each competitor, all of them with one lock.
import { fresh } from '../scratch.js'

/** From the command to the moment when all drivers start, in ns. */
const NOTICE = 30e6

/**
 * @typedef {{ competitor: import('../competitors.js').Competitor, drivers: import('../drivers/start.js').Driver[] }} Team
 */

/**
 * @param {import('../competitors.js').Competitor[]} competitors
 * @param {number} size
 * @returns {Promise<Team[]>}
 */
export function startTeams(competitors, size) {
  return Promise.all(
    competitors.map(async (competitor) => {
      const path = fresh()
      const drivers = []
      for (let i = 0; i < size; i++) drivers.push(await competitor.start(path))
      return { competitor, drivers }
    }),
  )
}

/** @param {Team[]} teams */
export async function endTeams(teams) {
  await Promise.all(teams.flatMap(({ drivers }) => drivers.map((driver) => driver.end())))
}

/**
 * Starts a command in all drivers at the same moment.
 *
 * @param {import('../drivers/start.js').Driver[]} drivers
 * @param {object} command
 */
export function together(drivers, command) {
  const at = Number(process.hrtime.bigint()) + NOTICE
  return Promise.all(drivers.map((driver) => driver.ask({ ...command, at })))
}

/**
 * Rotates a list, so that the order of the competitors changes from round to round.
 *
 * @template T
 * @param {T[]} list
 * @param {number} by
 */
export function rotated(list, by) {
  return list.map((_, index) => list[(index + by) % list.length])
}
