// The goals of the lock, as ratios within one run where possible.
import { leading, OURS } from '../competitors.js'
import { EXEC } from '../workloads/commands.js'
import { PROMISE } from '../workloads/pairs.js'
import { significant, size, time } from './text.js'

/** @typedef {{ goal: string, asked: string, measured: string, reached: boolean }} Reached */

/** @param {Record<string, any>} results @returns {Reached[]} */
export function goals({ pairs, scaling, contended, handoff, recovery, waiting, caching, growth, commands }) {
  return [
    ...(pairs ? ofPairs(pairs) : []),
    ...(scaling ? ofScaling(scaling) : []),
    ...(contended ? ofContended(contended) : []),
    ...(handoff ? ofHandoff(handoff) : []),
    ...(recovery ? ofRecovery(recovery) : []),
    ...(waiting ? ofWaiting(waiting) : []),
    ...(caching ? ofCaching(caching) : []),
    ...(growth ? ofGrowth(growth) : []),
    ...(commands ? ofCommands(commands) : []),
  ]
}

/**
 * @param {string} goal
 * @param {number} measured
 * @param {number} most
 * @param {(value: number) => string} [show]
 * @returns {Reached}
 */
export function atMost(goal, measured, most, show = significant) {
  return { goal, asked: `≤ ${show(most)}`, measured: show(measured), reached: measured <= most }
}

/**
 * @param {string} goal
 * @param {number} measured
 * @param {number} least
 * @returns {Reached}
 */
export function atLeast(goal, measured, least) {
  return {
    goal,
    asked: `≥ ${significant(least)}`,
    measured: significant(measured),
    reached: measured >= least,
  }
}

/** @param {any} pairs */
function ofPairs({ native, javaScript, between }) {
  const ratio = (/** @type {'read' | 'write'} */ mode, /** @type {number} */ slots) =>
    native[mode].find((/** @type {any} */ { name }) => name === `${OURS}, ${slots} attached`).ratioToPthread
  const inPython = (/** @type {string} */ system, /** @type {string} */ mode) => {
    const median = (/** @type {any} */ of) =>
      between.find(
        (/** @type {any} */ row) =>
          row.system === of.system && row.language === of.language && row.mode === mode,
      ).median
    return median({ system, language: 'Python' }) / median({ system: OURS, language: 'Node.js' })
  }
  const nodes = [...new Set(javaScript.map((/** @type {any} */ row) => row.node))]
  return [
    atMost('native read pair / pthread_rwlock', ratio('read', 1), 0.9),
    ...[1, 16].map((slots) =>
      atMost(`native write pair / pthread_rwlock, ${slots} slots`, ratio('write', slots), 1),
    ),
    atMost('native write pair / pthread_rwlock, 128 slots', ratio('write', 128), 2),
    ...['prwlock', 'fasteners'].flatMap((system) =>
      ['read', 'write'].map((mode) =>
        atLeast(
          `${system} / synchronous pair in JavaScript, ${mode}`,
          inPython(system, mode),
          system === 'prwlock' ? 10 : 250,
        ),
      ),
    ),
    ...nodes.flatMap((node) => {
      const of = (/** @type {string} */ name) =>
        javaScript.find((/** @type {any} */ row) => row.node === node && row.name === name)
      return [
        ...['Read', 'Write'].map((mode) =>
          atMost(
            `synchronous pair, try${mode}, ${node}`,
            of(`try${mode}() and release(), 1 slots`).median,
            60,
            time,
          ),
        ),
        ...['read', 'write'].flatMap((mode) => {
          const one = of(`await ${mode}(() => {}), 1 slots`)
          return [
            atMost(`await ${mode}(fn) / ${PROMISE}, ${node}`, one.ratio, 2),
            ...['async-lock', 'async-mutex'].map((peer) =>
              atMost(`await ${mode}(fn) / ${peer}, ${node}`, one.median / of(`${peer}, ${mode}`).median, 1),
            ),
          ]
        }),
      ]
    }),
  ]
}

/** @param {any[]} rows */
function ofScaling(rows) {
  const rate = (/** @type {string} */ system, /** @type {string} */ language) =>
    rows.find((row) => row.system === system && row.language === language && row.processes === 2).median
  return [
    atMost(
      'native read pair / pthread_rwlock, 2 processes at once',
      rate('pthread', 'C') / rate(OURS, 'Rust'),
      0.2,
    ),
  ]
}

/** @param {any[]} rows */
function ofContended(rows) {
  const bodies = [...new Set(rows.map(({ body }) => body))]
  return bodies.flatMap((body) => {
    const among = rows.filter((row) => row.mix === '90/10' && row.body === body)
    const of = (/** @type {string} */ system, /** @type {string} */ language) =>
      among.find((row) => row.system === system && row.language === language)
    return ['Rust', 'Node.js'].flatMap((language) => {
      const one = of(OURS, language)
      // Programs in Node.js use flock through fs-ext.
      const competitors = [
        of('prwlock', 'Python'),
        of('fasteners', 'Python'),
        language === 'Rust' ? of('flock', 'C') : of('fs-ext', 'Node.js'),
      ]
      const title = `contended 90/10, body ${body}, ${language}`
      return [
        ...competitors.map((competitor) =>
          atLeast(`${title}: operations / those of ${competitor.system}`, one.median / competitor.median, 1),
        ),
        atMost(
          `${title}: longest wait of a writer`,
          one.waits.write.usualMax,
          5e6 + (body === 'empty' ? 0 : 50_000),
          time,
        ),
        atMost(`${title}: luckiest / unluckiest process`, one.luck, 1.3),
      ]
    })
  })
}

/** @param {any[]} rows */
function ofHandoff(rows) {
  const of = (/** @type {string} */ system) =>
    rows.find((row) => row.system === system && row.language === 'Node.js').median
  return [
    atMost('handoff between two Node.js processes / half of a pipe round trip', of(OURS) / of('pipe'), 1.3),
  ]
}

/** @param {any[]} rows */
function ofRecovery(rows) {
  const takeovers = rows.filter(({ system }) => system === leading.system)
  return [
    ...rows
      .filter(({ system, size: what }) => system === OURS && what === 'small')
      .flatMap(({ language, median, p99 }) => [
        atMost(`recovery from a kill, ${language}, median`, median, 3e6, time),
        atMost(`recovery from a kill, ${language}, p99`, p99, 15e6, time),
      ]),
    ...takeovers.map(({ median }) => atMost('takeover of the lead after a kill, median', median, 5e6, time)),
  ]
}

/** @param {any[]} rows */
function ofWaiting(rows) {
  return rows
    .filter(({ system }) => system === OURS)
    .flatMap(({ waits, locks, cpu, heapPerWait, residentPerWait, readingRatio }) => {
      const title = `${waits} waits for ${locks} lock${locks > 1 ? 's' : ''}`
      return [
        atMost(`${title}: CPU`, cpu, 0.005, (share) => `${significant(share * 100)} %`),
        atMost(`${title}: memory a wait (heap)`, heapPerWait, 1024, size),
        atMost(`${title}: memory a wait (resident)`, residentPerWait, 1024, size),
        atMost(
          `${title}: reading a file takes as long as before`,
          readingRatio ?? Number.POSITIVE_INFINITY,
          1.3,
        ),
      ]
    })
}

/** @param {any} caching */
function ofCaching({ operations, notices }) {
  return [
    atLeast(
      'lock caching, no other process: operations / those with an acquisition each',
      operations[0].ratio,
      1,
    ),
    atMost('from a request to the notice of the holder, median', notices.notice.median, 5e6, time),
  ]
}

/** @param {any} growth */
function ofGrowth({ named = [] }) {
  return named
    .filter((/** @type {any} */ { size }) => size === 1000)
    .flatMap((/** @type {any} */ { size, listing, inspecting, pruning }) => [
      atMost('RWLock.list() of 1,000 locks', size * listing, 30e6, time),
      atMost('inspect() of each of 1,000 locks', size * inspecting, 30e6, time),
      atMost('RWLock.prune() with 1,000 locks in use', size * pruning, 30e6, time),
    ])
}

/** @param {{ rows: { name: string, ratio: number }[] }} commands */
function ofCommands({ rows }) {
  const exec = rows.find(({ name }) => name === EXEC)
  return [atMost(`${EXEC}, by node -e 0`, exec?.ratio ?? Number.NaN, 1.3)]
}
