// Checks that the lock did not become slower: compares ratios, not times, with those saved with the
// results.
import { readFileSync, writeFileSync } from 'node:fs'
import { capture } from '../scripts/lib/run.js'
import { mutants } from '../verify/mutants/lists/bench.js'
import { tryOnCopy } from '../verify/mutants/run.js'
import { OURS } from './competitors.js'
import { processor } from './machine.js'
import { javaScriptPairs, nativePairs, PROMISE } from './workloads/pairs.js'

/**
 * A ratio may exceed the saved one by this factor, because of noise, or because this processor has
 * no saved ratios.
 */
export const TOLERANCE = 1.4
/** Each ratio is the best of this many runs: noise makes a ratio worse, never better. */
const ATTEMPTS = 4
/** The version of Node.js whose ratios are compared. */
const NODE = '20'
/** The case that synchronous pairs are compared with. */
const NOTHING = 'empty N-API function, twice'
const SLOTS = [1, 16, 128]

/**
 * The ratios that are compared: native pairs to `pthread_rwlock`, pairs in JavaScript to floors of
 * the same run.
 *
 * @param {{ native: any, javaScript: any[] }} pairs
 * @returns {Record<string, number>}
 */
export function ratiosOf({ native, javaScript }) {
  /** @type {Record<string, number>} */
  const ratios = {}
  for (const mode of ['read', 'write']) {
    for (const { name, ratioToPthread } of native[mode]) {
      if (name.startsWith(OURS)) ratios[`native ${mode} pair, ${name}, by pthread_rwlock`] = ratioToPthread
    }
  }
  const rows = javaScript.filter(({ node }) => node.startsWith(`v${NODE}.`))
  // The fastest round of each: other load makes some rounds slower, and none faster.
  const fastest = (/** @type {string} */ wanted) => rows.find(({ name }) => name === wanted).min
  for (const { group, name, min } of rows) {
    if (group !== 'ours') continue
    if (name.startsWith('try')) ratios[`${name}, by an ${NOTHING}`] = min / fastest(NOTHING)
    else ratios[`${name}, by an awaited async function`] = min / fastest(PROMISE)
  }
  return Object.fromEntries(Object.entries(ratios).map(([name, ratio]) => [name, Number(ratio.toFixed(3))]))
}

/**
 * The ratios that exceed the saved ones.
 *
 * @param {Record<string, number>} saved
 * @param {Record<string, number>} now
 */
export function slower(saved, now) {
  return Object.entries(saved).flatMap(([name, before]) => {
    const ratio = now[name]
    if (ratio === undefined) throw new Error(`"${name}" is no longer measured; run: npm run bench -- pairs`)
    return ratio > before * TOLERANCE ? [{ name, before, ratio }] : []
  })
}

/**
 * @param {Record<string, number>} best of the runs before
 * @param {Record<string, number>} now
 */
function takeBest(best, now) {
  for (const [name, ratio] of Object.entries(now)) best[name] = Math.min(best[name] ?? ratio, ratio)
}

const file = new URL('results/ratios.json', import.meta.url)

/**
 * The saved ratios, by processor: the cost of an atomic operation relative to other instructions
 * differs between them.
 *
 * @returns {Record<string, Record<string, number>>}
 */
const savedRatios = () => JSON.parse(readFileSync(file, 'utf8'))

/**
 * Saves the ratios of this processor, and keeps those of others.
 *
 * @param {Record<string, number>} ratios
 */
export function saveRatios(ratios) {
  writeFileSync(file, `${JSON.stringify({ ...savedRatios(), [processor()]: ratios }, null, 2)}\n`)
}

/**
 * The ratios to compare with on this processor: those saved on it, or the largest of all
 * processors.
 *
 * @param {Record<string, Record<string, number>>} all
 * @param {string} processor
 * @returns {Record<string, number>}
 */
export function ratiosFor(all, processor) {
  /** @type {Record<string, number>} */
  const largest = {}
  for (const ratios of Object.values(all)) {
    for (const [name, ratio] of Object.entries(ratios))
      largest[name] = Math.max(largest[name] ?? ratio, ratio)
  }
  return all[processor] ?? largest
}

async function measure() {
  const native = await nativePairs({ quick: true, slots: SLOTS })
  const quiet = { log: () => {} }
  const javaScript = await javaScriptPairs({
    quick: true,
    nodes: [NODE],
    peers: false,
    slots: SLOTS,
    ...quiet,
  })
  return ratiosOf({ native, javaScript })
}

/** Measures as {@link check} does, and saves the ratios of this processor. */
export async function checkAndSave() {
  /** @type {Record<string, number>} */
  const best = {}
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) takeBest(best, await measure())
  saveRatios(best)
}

/** @param {(line: string) => void} log */
export async function check(log) {
  const saved = ratiosFor(savedRatios(), processor())
  /** @type {Record<string, number>} */
  const best = {}
  for (let attempt = 1; ; attempt++) {
    takeBest(best, await measure())
    const found = slower(saved, best)
    if (found.length === 0) {
      for (const [name, before] of Object.entries(saved)) console.log(`${best[name]}  was ${before}  ${name}`)
      return true
    }
    for (const { name, before, ratio } of found) {
      log(`run ${attempt} of ${ATTEMPTS}: ${name}: ${ratio}, more than ${TOLERANCE} times ${before}`)
    }
    if (attempt === ATTEMPTS) {
      console.error(
        'The lock is slower than its saved ratios. If that is intended, run npm run bench and commit its results.',
      )
      return false
    }
  }
}

/**
 * Shows that the check finds a slower lock. Only native pairs are measured, because they build
 * fast.
 *
 * @param {string} part of the mutants' names
 */
export async function checkMutants(part) {
  const saved = Object.fromEntries(
    Object.entries(ratiosFor(savedRatios(), processor())).filter(([name]) => name.startsWith('native')),
  )
  await tryOnCopy({
    check: 'bench',
    mutants,
    part,
    find: async (copy) => {
      // Outside of the copy, so that the next mutant can reuse the dependencies.
      const target = `${copy}-target`
      const args = [
        'build',
        '--release',
        '--quiet',
        '--package',
        'process-rwlock-bench',
        '--target-dir',
        target,
      ]
      const { code, output } = await capture('cargo', args, { cwd: copy })
      if (code !== 0) throw new Error(`cargo build ended with ${code}: ${output}`)
      /** @type {Record<string, number>} */
      const best = {}
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const driver = `${target}/release/process-rwlock-bench`
        const native = await nativePairs({ quick: true, slots: SLOTS, driver })
        takeBest(best, ratiosOf({ native, javaScript: [] }))
      }
      const [first] = slower(saved, best)
      return first && `${first.name}: ${first.ratio}, was ${first.before}`
    },
  })
}
