// The time of one short command under a lock that is free: process-rwlock exec beside flock(1), and
// beside the start of Node.js, which is most of it.
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { median } from '../../scripts/lib/statistics.js'
import { fresh } from '../scratch.js'

const program = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const FLOOR = 'node -e 0'
export const EXEC = 'process-rwlock exec lock -- true'

/**
 * The contenders take turns, and the ratio is the median of those of each round.
 *
 * @param {{ quick: boolean, log: (line: string) => void }} options
 * @returns {{ node: string, rows: { name: string, median: number, ratio: number }[] }} times in ms; `ratio` to the
 * start of Node.js
 */
export function commands({ quick, log }) {
  const folder = fresh()
  mkdirSync(folder)
  const env = { ...process.env, PROCESS_RWLOCK_DIR: folder }
  const contenders = /** @type {[string, string, string[]][]} */ ([
    [FLOOR, process.execPath, ['-e', '0']],
    [EXEC, process.execPath, [program, 'exec', 'lock', '--', 'true']],
    ['flock file true', 'flock', [join(folder, 'file'), 'true']],
  ]).filter(([, command]) => spawnSync(command, ['--version']).status === 0)
  /** @type {Map<string, number[]>} */
  const times = new Map(contenders.map(([name]) => [name, []]))
  const rounds = quick ? 30 : 200
  for (let round = -2; round < rounds; round++) {
    for (const [name, command, args] of contenders) {
      const start = process.hrtime.bigint()
      const { status, stderr } = spawnSync(command, args, { env, stdio: ['ignore', 'ignore', 'pipe'] })
      const ms = Number(process.hrtime.bigint() - start) / 1e6
      if (status !== 0) throw new Error(`${name} ended with ${status}: ${stderr}`)
      if (round >= 0) times.get(name)?.push(ms)
    }
  }
  log(`commands: ${rounds} rounds`)
  const floor = times.get(FLOOR) ?? []
  return {
    node: process.version,
    rows: [...times].map(([name, all]) => ({
      name,
      median: median(all),
      ratio: median(all.map((ms, round) => ms / (floor[round] ?? Number.NaN))),
    })),
  }
}
