// The searches of the unchanged model. All must end without a violation. What is sampled is not covered completely.

/** @type {import('./search.js').Search[]} With every change: about a minute. */
export const quick = [
  { name: 'all modes and turns', bounds: 'KINDS=44 ACTS=509' },
  { name: 'giving up, closing', bounds: 'KINDS=33 NOPS=2 CANCEL CLOSE' },
  { name: 'passing over', bounds: 'KINDS=33 NOPS=2 LOOKS=1' },
  { name: 'three writers', bounds: 'N=3 KINDS=333' },
  { name: 'who stays does not keep others out', bounds: 'KINDS=41 ACTS=124 LINGER' },
  { name: 'a death', bounds: 'KINDS=44 DEATHS=1' },
  { name: 'a stop', bounds: 'KINDS=33 ACTS=4 STOPS=1' },
  { name: 'closing and opening', bounds: 'BORN=1 KINDS=113 DROP' },
]

/** @type {import('./search.js').Search[]} */
export const full = [
  { name: 'all at once, two', bounds: 'KINDS=44 ACTS=511 CANCEL CLOSE LOOKS=1' },
  { name: 'two each', bounds: 'KINDS=0 NOPS=2 CANCEL CLOSE LOOKS=1' },
  { name: 'two acts each', bounds: 'KINDS=42 MORE=2 ACTS=124 CANCEL LOOKS=1' },
  { name: 'failing tries look', bounds: 'KINDS=44 ACTS=13 TRIES LOOKS=2' },
  { name: 'nested reads', bounds: 'N=2 KINDS=31 ACTS=2 NOPS=2 CANCEL CLOSE LOOKS=1' },
  { name: 'a death, and all else', bounds: 'KINDS=44 ACTS=509 CANCEL DEATHS=1' },
  { name: 'a death in a wake', bounds: 'KINDS=44 DEATHS=1 CALLS CANCEL' },
  { name: 'two deaths', bounds: 'N=3 KINDS=333 DEATHS=2' },
  { name: 'a stop, three', bounds: 'N=3 KINDS=333 STOPS=1' },
  { name: 'a stop, all turns', bounds: 'KINDS=44 ACTS=511 STOPS=1' },
  { name: 'three, a reader between', bounds: 'N=3 KINDS=313' },
  { name: 'three, closing', bounds: 'N=3 KINDS=333 CLOSE' },
  { name: 'three, passing over', bounds: 'N=3 KINDS=333 LOOKS=1' },
  { name: 'three, giving up', bounds: 'N=3 KINDS=233 CANCEL' },
  { name: 'three, upgrading', bounds: 'N=3 KINDS=312 ACTS=4' },
  { name: 'three, a death', bounds: 'N=3 KINDS=333 DEATHS=1' },
  { name: 'a slot used again, reading', bounds: 'BORN=1 KINDS=131 DEATHS=1' },
  { name: 'a slot used again, upgradable', bounds: 'BORN=1 KINDS=222 DEATHS=1 LOOKS=1 TRIES' },
  { name: 'a slot used again, writing', bounds: 'BORN=1 KINDS=333 DEATHS=1' },
  { name: 'the spare slot', bounds: 'SPARE=1 BORN=1 KINDS=333 DEATHS=1' },
  { name: 'used again twice', bounds: 'BORN=2 KINDS=2222 DEATHS=2' },
  { name: 'left and used again', bounds: 'BORN=1 KINDS=333 ACTS=256 DROP' },
]
