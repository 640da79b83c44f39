// The summary that a stress test prints at the end.
import { summary } from '../../scripts/lib/statistics.js'

/** The sums of what the checks of the rounds' histories counted. */
export class Figures {
  lives = 0
  kills = 0
  stops = 0
  late = 0
  longestWait = 0
  /** @type {Record<string, number>} */
  counts = {}
  /** @type {number[]} */
  fromKill = []
  /** @type {number[]} */
  fromRelease = []

  /** @param {any} round */
  add(round) {
    this.lives += round.lives
    this.kills += round.kills
    this.stops += round.stops
    this.late += round.late
    this.longestWait = Math.max(this.longestWait, round.longestWait)
    this.fromKill.push(...round.fromKill)
    this.fromRelease.push(...round.fromRelease)
    for (const [name, count] of Object.entries(round.counts)) {
      this.counts[name] = (this.counts[name] ?? 0) + Number(count)
    }
  }

  get text() {
    const count = (/** @type {number} */ number) => number.toLocaleString('en')
    const operations = Object.values(this.counts).reduce((sum, value) => sum + value, 0)
    const lines = Object.entries(this.counts).map(
      ([name, value]) => `  ${name.padEnd(32)} ${count(value).padStart(12)}`,
    )
    return [
      `${count(operations)} operations:`,
      ...lines,
      `${count(this.lives)} actors lived; ${count(this.kills)} kills, ${count(this.stops)} stops; ${count(this.late)} times the machine was late by 100 ms`,
      `recovery, from a kill inside an exclusive hold that a process waited for to the next grant (${this.fromKill.length} times):`,
      `  from the kill                    ${quantiles(this.fromKill)}`,
      `  from the kernel's release        ${quantiles(this.fromRelease)}`,
      `longest wait that was granted, with processes being stopped: ${(this.longestWait / 1e6).toFixed(0)} ms`,
    ].join('\n')
  }
}

/** @param {number[]} times ns */
function quantiles(times) {
  if (times.length === 0) return 'never'
  const { median, p99, max } = summary(times)
  const ms = (/** @type {number} */ time) => `${(time / 1e6).toFixed(2)} ms`
  return `p50 ${ms(median)}, p99 ${ms(p99)}, max ${ms(max)}`
}
