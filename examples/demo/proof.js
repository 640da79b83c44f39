// What must be true in the end, according to the file and the load generator's record.

/**
 * @typedef {object} Evidence
 * @property {Record<string, string>} initial what the store held at first
 * @property {import('./store.js').State} state what the file holds in the end
 * @property {LoadRecord} load
 * @property {{ pid: number, tornOnDisk: boolean } | undefined} kill
 * @property {{ died: number, torn: boolean }[]} repairs
 */

/**
 * @typedef {object} LoadRecord
 * @property {[key: string, put: { acknowledged?: number, sent: number[] }][]} puts
 * @property {[version: number, token: string][]} acknowledged
 * @property {number} reads
 * @property {number} stale
 * @property {number} failed
 * @property {number} cutOff
 * @property {string} failure
 */

/**
 * @param {Evidence} evidence
 * @returns {{ passed: boolean, text: string }[]}
 */
export function prove({ initial, state, load, kill, repairs }) {
  const { entries } = state
  const count = (value) => value.toLocaleString('en')
  const acknowledged = load.acknowledged.sort(([a], [b]) => a - b)

  // A PUT without an answer may or may not have been written.
  const put = new Map(load.puts)
  const lost = load.puts.filter(
    ([key, { acknowledged = initial[key], sent }]) =>
      entries[key] !== acknowledged && !sent.includes(/** @type {number} */ (entries[key])),
  )
  const untouched = Object.keys(initial).filter((key) => !put.has(key))
  const changed = untouched.filter((key) => entries[key] !== initial[key])

  const versions = new Set(acknowledged.map(([version]) => version))
  // The file began with version 1. A PUT without an answer may have created a version, too.
  const unaccounted = state.version - 1 - acknowledged.length
  const tokensGrow = acknowledged.every(
    ([, token], i) => i === 0 || BigInt(token) > BigInt(acknowledged[i - 1][1]),
  )
  return [
    {
      passed: acknowledged.length > 0 && lost.length === 0,
      text:
        lost.length === 0
          ? `${count(acknowledged.length)} PUTs were acknowledged, and not one is lost`
          : `${count(lost.length)} acknowledged PUTs are lost, the first of them ${JSON.stringify(lost[0])}: ` +
            `the file has ${JSON.stringify(entries[lost[0]?.[0] ?? ''])}`,
    },
    {
      passed: changed.length === 0 && Object.keys(entries).length === Object.keys(initial).length,
      text: `the ${count(untouched.length)} entries that no PUT changed are unchanged${changed.length ? `, except ${changed}` : ''}`,
    },
    {
      passed: versions.size === acknowledged.length && unaccounted >= 0 && unaccounted <= load.cutOff,
      text: `the file is at version ${count(state.version)}: every write built on the one before it`,
    },
    {
      passed: tokensGrow,
      text: 'fencing tokens rose with every write, and across the crash',
    },
    {
      passed: load.reads > 0 && load.stale === 0 && load.failed === 0,
      text:
        load.stale + load.failed === 0
          ? `${count(load.reads)} GETs were answered: none saw a torn file, none an old value`
          : `${load.stale} GETs saw an old value, ${load.failed} requests failed: ${load.failure.trim()}`,
    },
    {
      passed: kill?.tornOnDisk === true && repairs.some(({ died, torn }) => died === kill.pid && torn),
      text: 'the kill left the file torn; the next writer was notified, and repaired it',
    },
  ]
}
