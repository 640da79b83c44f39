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
  { name: 'the value', bounds: 'KINDS=33 ACTS=512 MORE=2 LOOKS=2' },
  { name: 'the value, a death', bounds: 'KINDS=33 ACTS=512 MORE=2 LOOKS=1 DEATHS=1' },
  { name: 'notices', bounds: 'KINDS=44 ACTS=1024' },
  { name: 'notices, a death in a call', bounds: 'KINDS=31 ACTS=1024 DEATHS=1 CALLS' },
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
  { name: 'two, notices and turns', bounds: 'KINDS=44 ACTS=1660 CANCEL' },
  { name: 'two, notices and upgrades, checks', bounds: 'KINDS=42 ACTS=516 CHECKS=1' },
  { name: 'two, notices, a stop', bounds: 'KINDS=43 ACTS=1024 STOPS=1' },
  { name: 'two, yielding', bounds: 'KINDS=44 ACTS=2048 NOPS=2' },
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
  // The value.
  { name: 'the value, two holds each', bounds: 'KINDS=33 NOPS=2 ACTS=512 MORE=1 LOOKS=2' },
  { name: 'the value, two deaths', bounds: 'BORN=1 KINDS=333 ACTS=512 LOOKS=1 DEATHS=2' },
  { name: 'the value, all turns, a death', bounds: 'KINDS=43 ACTS=1021 LOOKS=1 DEATHS=1' },
  { name: 'three, notices', bounds: 'N=3 KINDS=313 ACTS=1024' },
  { name: 'three, notices, a death in a call', bounds: 'N=3 KINDS=113 ACTS=1024 DEATHS=1 CALLS KEEPER' },
  { name: 'three, yielding', bounds: 'N=3 KINDS=333 ACTS=2048' },
  // Too large to search completely.
  {
    name: 'sample: three, the value, two deaths',
    bounds: 'N=3 KINDS=333 ACTS=512 LOOKS=1 DEATHS=2',
    sample: 31,
    seconds: 180,
  },
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
