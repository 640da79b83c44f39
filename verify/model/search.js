// One search: the model with some bounds, by Spin, in a temporary directory that is removed afterwards.
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The models: the protocol in shared memory, and the engine over PostgreSQL, with its limit of readers. */
export const sources = new Map(
  ['rwlock.pml', 'session.pml', 'permits.pml'].map((model) => [
    model,
    readFileSync(new URL(model, import.meta.url), 'utf8'),
  ]),
)

export const source = /** @type {string} */ (sources.get('rwlock.pml'))

/**
 * @typedef {object} Search
 * @property {string} name
 * @property {string} bounds the model's knobs, without -D
 * @property {string} [model] which; without it, rwlock.pml
 * @property {string} [text] the model, if a mutant changed it
 * @property {number} [sample] log2 of the bits that say which states were seen: two may share theirs, so not all are visited
 * @property {boolean} [long] worth a compiler that optimizes, which takes longer itself
 * @property {number} [seconds] at most
 *
 * @typedef {object} Result
 * @property {'ok' | 'sampled' | 'violated' | 'unfinished' | 'broken'} verdict
 * @property {string} what the violation, or why there is no verdict
 * @property {number} states
 * @property {number} seconds
 * @property {number} megabytes
 * @property {string[]} trail the last steps before the violation
 */

/**
 * @param {Search} search
 * @returns {Promise<Result>}
 */
export async function run({
  bounds,
  model = 'rwlock.pml',
  text = sources.get(model),
  sample,
  long,
  seconds = 3600,
}) {
  const directory = mkdtempSync(join(tmpdir(), 'rwlock-model-'))
  try {
    const defines = bounds
      .split(' ')
      .filter(Boolean)
      .map((bound) => `-D${bound}`)
    writeFileSync(join(directory, model), text ?? '')
    const spin = spawnSync('spin', ['-a', ...defines, model], { cwd: directory, encoding: 'utf8' })
    if (spin.status !== 0 || / Error: /.test(spin.stdout)) return broken(spin.stdout + spin.stderr)
    const kind = sample ? ['-DBITSTATE'] : ['-DCOLLAPSE']
    const flags = [long ? '-O2' : '-O0', '-w', '-DSAFETY', '-DMEMLIM=6000', ...kind, '-o', 'pan', 'pan.c']
    const cc = spawnSync('cc', flags, { cwd: directory, encoding: 'utf8' })
    if (cc.status !== 0) return broken(cc.stderr)
    const output = await pan(directory, [`-m${DEPTH}`, `-w${sample ?? 22}`], seconds)
    const result = read(output)
    if (sample && result.verdict !== 'violated' && result.states > 0) result.verdict = 'sampled'
    if (result.verdict === 'violated') {
      const trail = spawnSync('spin', ['-t', '-p', ...defines, model], {
        cwd: directory,
        encoding: 'utf8',
        maxBuffer: 1 << 28,
      })
      result.trail = steps(trail.stdout, model, readFileSync(join(directory, model), 'utf8').split('\n'))
    }
    return result
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const DEPTH = 20_000

/**
 * @param {string} directory
 * @param {string[]} args
 * @param {number} seconds
 * @returns {Promise<string>}
 */
function pan(directory, args, seconds) {
  return new Promise((resolve, reject) => {
    const child = spawn('nice', ['./pan', ...args], { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (chunk) => {
      output += chunk
    })
    child.stderr.on('data', (chunk) => {
      output += chunk
    })
    // Interrupted, it says how far it came.
    const timer = setTimeout(() => child.kill('SIGINT'), seconds * 1000)
    const end = () => child.kill('SIGKILL')
    process.on('exit', end)
    child.on('error', reject)
    child.on('close', () => {
      clearTimeout(timer)
      process.off('exit', end)
      resolve(output)
    })
  })
}

/**
 * @param {string} output of pan
 * @returns {Result}
 */
function read(output) {
  const number = (/** @type {RegExp} */ pattern) => Number(pattern.exec(output)?.[1] ?? Number.NaN)
  const violation = /^pan:1: (.*) \(at depth/m.exec(output)?.[1]
  const why = /max search depth too small|reached -DMEMLIM bound|Search not completed|out of memory/.exec(
    output,
  )?.[0]
  /** @type {Result} */
  const result = {
    verdict: 'ok',
    what: '',
    states: number(/([\d.e+]+) states, stored/),
    seconds: number(/elapsed time ([\d.e+]+) seconds/),
    megabytes: number(/([\d.]+)\s+total actual memory usage/),
    trail: [],
  }
  if (violation) return { ...result, verdict: 'violated', what: violation }
  if (why) return { ...result, verdict: 'unfinished', what: why }
  return /errors: 0/.test(output) ? result : { ...result, ...broken(output) }
}

/**
 * @param {string} what
 * @returns {Result}
 */
function broken(what) {
  return { verdict: 'broken', what: what.trim(), states: 0, seconds: 0, megabytes: 0, trail: [] }
}

/**
 * The trail in the words of the code: which process came by which label.
 *
 * @param {string} trail
 * @param {string} model
 * @param {string[]} lines of the model
 */
function steps(trail, model, lines) {
  const steps = []
  let last = ''
  for (const [, process, line] of trail.matchAll(/proc +(\d+) \(\w+:\d+\) \w+\.pml:(\d+)/g)) {
    const label = /(?:crash point|step): (\w+)/.exec(lines[Number(line) - 1] ?? '')?.[1]
    const step = `${process} ${label} (verify/model/${model}:${line})`
    if (label && step !== last) steps.push(step)
    last = step
  }
  return steps
}
