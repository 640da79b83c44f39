// node bench/files/main.js: updates of one JSON file by 1 and by 4 processes, and what is lost when
// processes are killed. Ratios are of figures of one run. The file is in memory (/dev/shm) where
// that exists, so that no disk is measured.
import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { readArguments } from '../../scripts/lib/arguments.js'
import { median } from '../../scripts/lib/statistics.js'
import { versions } from '../peers/index.js'
import { installPeers } from '../peers/install.js'
import { fresh } from '../scratch.js'

const HELP = `
node bench/files/main.js            compares updateJSON() with proper-lockfile + write-file-atomic, with the same
                                    program over process-rwlock/proper-lockfile, and with conf
node bench/files/main.js --quick    with fewer and shorter rounds
`
const { values } = readArguments(HELP, { quick: { type: 'boolean', default: false } })
const OURS = 'process-rwlock/file'
const SYSTEMS = [
  OURS,
  'process-rwlock/proper-lockfile + write-file-atomic',
  'proper-lockfile + write-file-atomic',
  'conf',
]
const ROUNDS = values.quick ? 3 : 7
const RUN = 1000 // ms
const KILLED_RUN = values.quick ? 5000 : 25_000 // ms: more than twice proper-lockfile's time until a lock counts as stale
const KILL_INTERVAL = 250 // ms
const START_TIMEOUT = 20_000 // ms

const worker = fileURLToPath(new URL('worker.js', import.meta.url))

/** A file, and the processes that update it. */
class Team {
  #folder = fresh()
  #file = join(this.#folder, 'counts.json')
  #system
  #processes = new Map()
  #lives = 0

  /** @param {string} system */
  constructor(system) {
    this.#system = system
    mkdirSync(this.#folder)
    writeFileSync(this.#file, '{}')
  }

  start() {
    const key = `p${++this.#lives}`
    writeFileSync(this.#log(key), '')
    const child = spawn(process.execPath, [worker, this.#system, this.#file, key, this.#log(key)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let stderr = ''
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text
    })
    const ended = new Promise((resolve) => {
      child.once('close', (_, signal) => {
        this.#processes.delete(key)
        resolve(signal === 'SIGKILL' ? undefined : stderr.trim())
      })
    })
    this.#processes.set(key, { child, ended })
    return key
  }

  /** @param {string} key */
  async kill(key) {
    const member = this.#processes.get(key)
    if (member === undefined) return
    member.child.kill('SIGKILL')
    await member.ended
  }

  killAll() {
    return Promise.all([...this.#processes.keys()].map((key) => this.kill(key)))
  }

  get running() {
    return [...this.#processes.keys()]
  }

  /** @param {string} key */
  acknowledged(key) {
    return statSync(this.#log(key)).size
  }

  get total() {
    let sum = 0
    for (let life = 1; life <= this.#lives; life++) sum += this.acknowledged(`p${life}`)
    return sum
  }

  /** Acknowledged updates that are not in the file; NaN if it cannot be read. */
  get lost() {
    let counts
    try {
      counts = JSON.parse(readFileSync(this.#file, 'utf8'))
    } catch {
      return Number.NaN
    }
    let lost = 0
    for (let life = 1; life <= this.#lives; life++) {
      lost += Math.max(0, this.acknowledged(`p${life}`) - (counts[`p${life}`] ?? 0))
    }
    return lost
  }

  /** Files in the folder besides the data. */
  get leftovers() {
    return readdirSync(this.#folder).filter((name) => !/^counts\.json$|\.log$/.test(name)).length
  }

  /** @param {string} key */
  #log(key) {
    return join(this.#folder, `${key}.log`)
  }
}

/**
 * Updates per second, and the share of them that is lost without any kill.
 *
 * @param {string} system
 * @param {number} processes
 */
async function throughput(system, processes) {
  const team = new Team(system)
  const keys = Array.from({ length: processes }, () => team.start())
  await started(team, keys)
  const before = team.total
  const began = performance.now()
  await sleep(RUN)
  const rate = ((team.total - before) / (performance.now() - began)) * 1000
  await team.killAll()
  return { rate, lost: team.lost / Math.max(1, team.total) }
}

/** Four processes, of which one is killed every 250 ms and replaced. @param {string} system */
async function killed(system) {
  const team = new Team(system)
  await started(
    team,
    Array.from({ length: 4 }, () => team.start()),
  )
  const began = performance.now()
  let kills = 0
  let failed = 0
  let last = team.total
  let changed = began
  let pause = 0
  for (let nextKill = began + KILL_INTERVAL; performance.now() < began + KILLED_RUN; ) {
    await sleep(5)
    const now = performance.now()
    if (team.total !== last) {
      last = team.total
      changed = now
    }
    pause = Math.max(pause, now - changed)
    while (team.running.length < 4) {
      failed++ // one ended by itself
      team.start()
    }
    if (now < nextKill) continue
    nextKill += KILL_INTERVAL
    const candidates = team.running.filter((key) => team.acknowledged(key) > 0)
    const key = candidates[Math.floor(Math.random() * candidates.length)]
    if (key === undefined) continue
    kills++
    await team.kill(key)
    team.start()
  }
  const rate = (last / (performance.now() - began)) * 1000
  await team.killAll()
  return { rate, kills, failed, pause, acknowledged: team.total, lost: team.lost, leftovers: team.leftovers }
}

/** @param {Team} team @param {string[]} keys */
async function started(team, keys) {
  const deadline = performance.now() + START_TIMEOUT
  while (keys.some((key) => team.acknowledged(key) === 0)) {
    if (performance.now() > deadline) throw new Error('the processes did not start')
    await sleep(5)
  }
}

await installPeers()
const version = (/** @type {string} */ system) =>
  system
    .split(' + ')
    .map((name) => (versions[name] ? `${name} ${versions[name]}` : name))
    .join(' + ')

/** @type {Record<string, Record<number, { rate: number, lost: number }[]>>} */
const results = Object.fromEntries(SYSTEMS.map((system) => [system, { 1: [], 4: [] }]))
for (let round = 0; round < ROUNDS; round++) {
  for (const processes of [1, 4]) {
    for (const system of SYSTEMS) results[system][processes].push(await throughput(system, processes))
  }
}
console.log('| updates/s (ratio of ours to it) | 1 process | 4 processes | lost by 4 |')
console.log('|---|---|---|---|')
for (const system of SYSTEMS) {
  const cells = [1, 4].map((processes) => {
    const runs = results[system][processes]
    const ratios = runs.map(({ rate }, round) => results[OURS][processes][round].rate / rate)
    const ratio = system === OURS ? '' : ` (${median(ratios).toFixed(1)})`
    return `${Math.round(median(runs.map(({ rate }) => rate)))}${ratio}`
  })
  const lost = median(results[system][4].map(({ lost }) => lost))
  console.log(`| ${version(system)} | ${cells.join(' | ')} | ${(100 * lost).toFixed(1)} % |`)
}

console.log(
  `\n| 4 processes, a kill every ${KILL_INTERVAL} ms | updates/s | longest pause | lost | files left |`,
)
console.log('|---|---|---|---|---|')
for (const system of SYSTEMS) {
  const { rate, kills, failed, pause, acknowledged, lost, leftovers } = await killed(system)
  const ends = failed > 0 ? `, ${failed} ended by an error` : ''
  console.log(
    `| ${version(system)} (${kills} kills${ends}) | ${Math.round(rate)} | ${Math.round(pause)} ms | ` +
      `${lost} of ${acknowledged} | ${leftovers} |`,
  )
}
