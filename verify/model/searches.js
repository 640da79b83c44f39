// The searches of the unchanged model, all of which must end without a violation. A sample does not visit every state.

/** @type {import('./search.js').Search[]} Run with every change; about a minute. */
export const quick = [
  { name: 'all modes and turns', bounds: 'KINDS=44 ACTS=509' },
  { name: 'giving up, closing', bounds: 'KINDS=33 NOPS=2 CANCEL CLOSE' },
  { name: 'skipping', bounds: 'KINDS=33 NOPS=2 CHECKS=1' },
  { name: 'three writers', bounds: 'N=3 KINDS=333' },
  { name: 'a lasting hold does not keep others out', bounds: 'KINDS=41 ACTS=124 LINGER' },
  { name: 'a death', bounds: 'KINDS=44 DEATHS=1' },
  { name: 'a stop', bounds: 'KINDS=33 ACTS=4 STOPS=1' },
  { name: 'a stop beside a reader', bounds: 'KINDS=31 ACTS=13 STOPS=1' },
  { name: 'a stop of the process that skips', bounds: 'KINDS=42 ACTS=12 STOPS=1 CHECKS=1' },
  { name: 'pruning', bounds: 'KINDS=31 NOPS=2 PRUNES=1' },
  { name: 'closing and opening', bounds: 'BORN=1 KINDS=113 DROP' },
  { name: 'strict order', bounds: 'KINDS=44 ACTS=2 STRICT CLOSE' },
  { name: 'strict order, a second request', bounds: 'KINDS=31 SECOND=1 STRICT CLOSE' },
  { name: 'nested reads in turn', bounds: 'KINDS=44 ACTS=6 IN_TURN_READS STRICT CLOSE' },
]

/** @type {import('./search.js').Search[]} In addition to the quick ones. */
export const full = [
  // Two processes.
  { name: 'two, all turns, giving up', bounds: 'KINDS=44 ACTS=511 CANCEL CLOSE' },
  { name: 'two, all turns, checks', bounds: 'KINDS=44 ACTS=511 CANCEL CHECKS=1' },
  { name: 'two, two each', bounds: 'NOPS=2 CANCEL CLOSE CHECKS=1' },
  { name: 'two, turn after turn', bounds: 'KINDS=42 MORE=2 ACTS=124 CANCEL CHECKS=1' },
  { name: 'two, failing tries check', bounds: 'KINDS=44 ACTS=13 TRIES CHECKS=2' },
  { name: 'two, a death', bounds: 'KINDS=44 ACTS=509 CANCEL DEATHS=1' },
  { name: 'two, a death in a wake', bounds: 'KINDS=44 DEATHS=1 CALLS CANCEL' },
  { name: 'two, a death of the process that skips', bounds: 'KINDS=42 ACTS=12 DEATHS=1 CHECKS=1' },
  { name: 'two, a stop', bounds: 'KINDS=44 ACTS=511 STOPS=1' },
  { name: 'two, pruning, all turns', bounds: 'KINDS=44 ACTS=509 PRUNES=2' },
  { name: 'two, pruning, checks', bounds: 'KINDS=31 NOPS=2 ACTS=32 CHECKS=1 PRUNES=1' },
  { name: 'two, pruning, a death', bounds: 'KINDS=31 NOPS=2 DEATHS=1 PRUNES=1' },
  // A slot that changes hands.
  { name: 'reused, pruning', bounds: 'BORN=1 KINDS=131 DROP PRUNES=1' },
  { name: 'reused, pruning, a death', bounds: 'BORN=1 KINDS=131 DEATHS=1 PRUNES=1' },
  { name: 'reused, reading', bounds: 'BORN=1 KINDS=131 DEATHS=1' },
  { name: 'reused, upgradable', bounds: 'BORN=1 KINDS=222 DEATHS=1 CHECKS=1 TRIES' },
  { name: 'reused, writing', bounds: 'BORN=1 KINDS=333 DEATHS=1' },
  { name: 'reused, a second death', bounds: 'BORN=1 KINDS=222 DEATHS=2' },
  { name: 'reused, spare', bounds: 'SPARE=1 BORN=1 KINDS=133 DEATHS=1' },
  { name: 'reused, after an abandoned hold', bounds: 'SPARE=1 BORN=1 KINDS=333 ACTS=256 DROP' },
  // Three processes.
  { name: 'three, a reader', bounds: 'N=3 KINDS=313' },
  { name: 'three, closing', bounds: 'N=3 KINDS=333 CLOSE' },
  { name: 'three, giving up', bounds: 'N=3 KINDS=233 CANCEL' },
  { name: 'three, upgrading', bounds: 'N=3 KINDS=312 ACTS=4' },
  { name: 'three, skipping', bounds: 'N=3 KINDS=332 CHECKS=1' },
  { name: 'three, a death', bounds: 'N=3 KINDS=333 DEATHS=1' },
  { name: 'three, a stop', bounds: 'N=3 KINDS=333 STOPS=1' },
  { name: 'three, a stop beside a reader', bounds: 'N=3 KINDS=313 STOPS=1' },
  { name: 'three, pruning', bounds: 'N=3 KINDS=313 PRUNES=1' },
  // Strict order.
  { name: 'strict, a second request, two each', bounds: 'NOPS=2 KINDS=1 SECOND=1 STRICT CLOSE' },
  { name: 'strict, a second request, giving up', bounds: 'KINDS=31 SECOND=1 STRICT CLOSE CANCEL' },
  { name: 'strict, a second request, a death', bounds: 'KINDS=31 SECOND=1 STRICT CLOSE DEATHS=1' },
  { name: 'strict, three, a second request', bounds: 'N=3 KINDS=311 SECOND=1 STRICT CLOSE' },
  { name: 'nested reads in turn, giving up', bounds: 'KINDS=44 ACTS=2 IN_TURN_READS CANCEL' },
  { name: 'nested reads in turn, a death', bounds: 'KINDS=44 ACTS=2 IN_TURN_READS DEATHS=1' },
  // Too large to search completely.
  {
    name: 'sample: three, all',
    bounds: 'N=3 KINDS=444 ACTS=511 CANCEL CLOSE CHECKS=1',
    sample: 31,
    seconds: 180,
  },
  { name: 'sample: three, two deaths', bounds: 'N=3 KINDS=444 ACTS=509 DEATHS=2', sample: 31, seconds: 180 },
  {
    name: 'sample: reused, all',
    bounds: 'SPARE=1 BORN=2 KINDS=4444 ACTS=509 CANCEL DEATHS=2',
    sample: 31,
    seconds: 180,
  },
].map((search) => ({ ...search, long: true }))
