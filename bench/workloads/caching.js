// Lock caching: a process keeps its hold over many operations until another process wants the lock,
// compared with one that acquires the lock for each; and how soon a holder learns that it is wanted.
import { writeFileSync } from 'node:fs'
import { median, summary } from '../../scripts/lib/statistics.js'
import { floors, ours } from '../competitors.js'
import { fresh } from '../scratch.js'
import { handoffs } from './handoff.js'
import { endTeams, rotated, startTeams, together } from './teams.js'

/** What the other process does meanwhile: a write of HOLD ns, and then a pause; or the same. */
const HOLD = 1e5
const SITUATIONS = [
  { others: 'none' },
  { others: 'none, operations on a file', file: true },
  { others: 'one, every 10 ms', pause: 10e6 },
  { others: 'one that does the same', same: true },
]
/** Long enough that the keeper holds the lock again. */
const PAUSE = 5e6

/** @param {{ quick: boolean, log: (line: string) => void }} options */
export async function caching({ quick, log }) {
  const { rounds, ns, times } = quick
    ? { rounds: 5, ns: 50e6, times: 25 }
    : { rounds: 15, ns: 200e6, times: 50 }
  const operations = []
  for (const situation of SITUATIONS) {
    operations.push(await compare(situation, { rounds, ns }))
    log(`caching: other processes: ${situation.others}`)
  }
  const notices = await notice({ rounds, times })
  log('caching: notices')
  return { operations, notices }
}

/**
 * The operations per second of a process, with and without caching, in turn; the ratio is the median
 * of the rounds' ratios.
 *
 * @param {{ others: string, file?: boolean, pause?: number, same?: boolean }} situation
 * @param {{ rounds: number, ns: number }} pace
 */
async function compare({ others, file: hasFile, pause, same }, { rounds, ns }) {
  const [{ drivers }] = await startTeams([ours], 2)
  const file = hasFile ? fresh() : undefined
  if (file) writeFileSync(file, '0')
  const rates = new Map([true, false].map((cached) => [cached, /** @type {number[]} */ ([])]))
  for (let round = -1; round < rounds; round++) {
    for (const cached of rotated([true, false], round + 1)) {
      const command = { do: 'operations', cached, file, ns }
      const [one, other] = drivers
      const meanwhile = pause && other.ask({ do: 'handoff', times: Math.ceil(ns / pause), hold: HOLD, pause })
      const [answer] = await together(same ? drivers : [one], command)
      await meanwhile
      if (round >= 0) rates.get(cached)?.push((answer.operations / answer.ns) * 1e9) // the first warms up
    }
  }
  await Promise.all(drivers.map((driver) => driver.end()))
  const [kept, each] = [rates.get(true) ?? [], rates.get(false) ?? []]
  return {
    others,
    cached: summary(kept),
    acquired: summary(each),
    ratio: median(kept.map((rate, round) => rate / each[round])),
  }
}

/**
 * From the request of another process to the notice of the holder, and to the grant; and half of a
 * pipe's round trip between two event loops, in the same rounds.
 *
 * @param {{ rounds: number, times: number }} pace
 */
async function notice({ rounds, times }) {
  const teams = await startTeams([ours, floors.pipe], 2)
  const [{ drivers }, pipe] = teams
  const [keeper, other] = drivers
  const command = { do: 'handoff', times, hold: HOLD, pause: PAUSE }
  const samples = {
    notice: /** @type {number[]} */ ([]),
    grant: /** @type {number[]} */ ([]),
    pipe: /** @type {number[]} */ ([]),
  }
  for (let round = 0; round < rounds; round++) {
    await keeper.ask({ do: 'keep' })
    const { holds } = await other.ask(command)
    const { kept } = await keeper.ask({ do: 'kept' })
    samples.notice.push(...noticed(kept, holds))
    samples.grant.push(...holds.map(([asked, start]) => start - asked))
    const answers = await Promise.all(pipe.drivers.map((driver) => driver.ask(command)))
    samples.pipe.push(...handoffs(answers.map(({ holds }) => holds)))
  }
  await endTeams(teams)
  return Object.fromEntries(Object.entries(samples).map(([name, values]) => [name, summary(values)]))
}

/**
 * How long after each request the holder had its notice. A request that came when the lock was free
 * has none.
 *
 * @param {number[][]} kept
 * @param {number[][]} holds of the other process, as in protocol.md
 */
export function noticed(kept, holds) {
  return kept.flatMap(([start, at, released]) => {
    const request = holds.find(([asked, granted]) => start < asked && asked < at && granted > released)
    return request ? [at - request[0]] : []
  })
}
