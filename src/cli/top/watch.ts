import { setTimeout as sleep } from 'node:timers/promises'
import { type Look, Sampler } from './sampler.js'
import type { Source } from './source.js'

export interface Watching {
  /** In ms. */
  interval: number
  signal?: AbortSignal
}

/** A look, or why there is none. */
export type Seen =
  | { look: Look; time: Date; failure?: never }
  | { failure: Error; look?: never; time?: never }

/**
 * Looks at once and then at each interval, until the signal aborts. A look that takes longer than
 * the interval delays the next one to the interval after.
 *
 * @throws if the first look fails: then the later ones would, too.
 */
export async function* watch(source: Source, { interval, signal }: Watching): AsyncGenerator<Seen, void> {
  const sampler = new Sampler()
  const began = performance.now()
  const look = async () => ({ look: sampler.sample(await source(), performance.now()), time: new Date() })
  for (let seen: Seen = await look(); !signal?.aborted; seen = await look().catch(failed)) {
    yield seen
    const passed = performance.now() - began
    const next = (Math.floor(passed / interval) + 1) * interval
    await sleep(next - passed, undefined, signal && { signal }).catch(() => {})
  }
}

const failed = (failure: Error): Seen => ({ failure })
