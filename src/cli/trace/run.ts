import { performance } from 'node:perf_hooks'
import { examine } from '../../shared-memory/survey.js'
import { SHARED } from '../../trace/clock.js'
import type { Invocation } from '../command.js'
import { type Ref, refsOf } from '../ref.js'
import { duration } from '../text/duration.js'
import { messageOf } from '../text/message.js'
import { UsageError } from '../usage-error.js'
import type { Values } from './description.js'
import { LOCKS, Sampler, type Totals } from './sampler.js'
import { TraceFile } from './trace-file.js'

/** So that the file has what a program did until it was killed, and this one with it; in ms. */
const FLUSH = 200
/** How long a lock may be unreadable, in ms. */
const PATIENCE = 1000
/** A timer cannot wait longer. */
const MOST_SECONDS = 2 ** 31 / 1000 - 1

export async function run(invocation: Invocation & { values: Values }): Promise<number> {
  const { values, positionals, stderr } = invocation
  const refs = refsOf(values, positionals)
  const { out = 'rwlock-trace.json' } = values
  const interval = numberOf(values.interval, 10, 'interval', 1, 60_000)
  const seconds = numberOf(values.seconds, undefined, 'seconds', 0, MOST_SECONDS)
  const file = new TraceFile(out, aboutOf(interval))
  const sampler = new Sampler((events) => file.append(events))
  file.append(LOCKS)
  const unreadable = new Map<Ref, number>()
  look(refs, sampler, unreadable)
  const begun = performance.now()
  try {
    await new Promise<void>((resolve, reject) => {
      const guarded = (step: () => void) => () => {
        try {
          step()
        } catch (error) {
          reject(error)
          finish()
        }
      }
      const timers = [
        setInterval(
          guarded(() => look(refs, sampler, unreadable)),
          interval,
        ),
        setInterval(
          guarded(() => file.flush()),
          FLUSH,
        ),
        ...(seconds === undefined ? [] : [setTimeout(finish, seconds * 1000)]),
      ]
      for (const signal of SIGNALS) process.on(signal, finish)
      const until = seconds === undefined ? 'until Ctrl-C' : `for ${seconds} s`
      stderr.write(messageOf(`tracing ${refs.map(({ text }) => text).join(', ')} ${until}`))
      function finish(): void {
        for (const timer of timers) clearTimeout(timer)
        for (const signal of SIGNALS) process.off(signal, finish)
        resolve()
      }
    })
  } finally {
    sampler.end()
    file.close(sampler.totals)
  }
  stderr.write(messageOf(`${out}: ${textOf(sampler.totals, performance.now() - begun)}`))
  return 0
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Looks at the locks. One that does not exist yet may be created while the trace is made, and cannot
 * be read before it is complete.
 */
function look(refs: readonly Ref[], sampler: Sampler, unreadable: Map<Ref, number>): void {
  sampler.totals.looks++
  for (const each of refs) {
    const now = performance.now()
    const found = examine(each.ref)
    if (!found?.error) unreadable.delete(each)
    else if (now - (unreadable.get(each) ?? now) > PATIENCE) throw found.error
    else if (!unreadable.has(each)) unreadable.set(each, now)
    const name = typeof each.ref === 'string' ? each.ref : each.ref.path
    sampler.take((now + SHARED) * 1000, name, found, (performance.now() + SHARED) * 1000)
  }
}

function aboutOf(interval: number): object {
  return {
    source: `process-rwlock trace ${(require('../../../package.json') as { version: string }).version}`,
    begun: new Date().toISOString(),
    interval: `${interval} ms`,
    limits:
      'The locks were looked at once in each interval. Holds and waits that begin and end between two looks are not ' +
      'drawn; write holds and waits are counted in the process "locks". A span begins when its hold or wait began, ' +
      'and ends with the last look that found it, up to an interval before its real end. The reads of one thread are ' +
      'one span; of its waits three are drawn.',
  }
}

function textOf({ looks, processes, holds, waits, writeHolds, writeHoldsSeen }: Totals, ms: number): string {
  const missed = Math.max(0, writeHolds - writeHoldsSeen)
  return (
    `${duration(ms)}, ${counted(looks, 'look')}, ${counted(processes, 'process', 'es')}, ` +
    `${counted(holds, 'hold')}, ${counted(waits, 'wait')}` +
    `${missed > 0 ? `; ${missed} of ${writeHolds} write holds were too short to be seen` : ''}. ` +
    'Open it at https://ui.perfetto.dev'
  )
}

function counted(count: number, noun: string, plural = 's'): string {
  return `${count} ${noun}${count === 1 ? '' : plural}`
}

function numberOf<Default>(
  text: string | undefined,
  byDefault: Default,
  name: string,
  least: number,
  most: number,
): number | Default {
  if (text === undefined) return byDefault
  const number = Number(text)
  if (text.trim() !== '' && number >= least && number <= most) return number
  throw new UsageError(`--${name} is a number from ${least} to ${most}, not ${text}`)
}
