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
  { name: 'notices, a limit', bounds: 'LIMIT=1 KINDS=44 ACTS=1024' },
  { name: 'strict order', bounds: 'KINDS=44 ACTS=2 STRICT CLOSE' },
  { name: 'strict order, a second request', bounds: 'KINDS=31 SECOND=1 STRICT CLOSE' },
  { name: 'nested reads in turn', bounds: 'KINDS=44 ACTS=6 IN_TURN_READS STRICT CLOSE' },
  { name: 'kept turns', bounds: 'KINDS=33 NOPS=2 STRICT CLOSE KEEPS_TURNS CHECKS=1' },
  { name: 'kept turns, a death', bounds: 'KINDS=31 STRICT CLOSE KEEPS_TURNS DEATHS=1' },
  { name: 'a steal', bounds: 'KINDS=44 STEALS=1 ACTS=4096' },
  { name: 'a steal, a death', bounds: 'KINDS=33 STEALS=1 ACTS=4096 DEATHS=1 CALLS' },
  { name: 'a limit of one', bounds: 'LIMIT=1 KINDS=44 ACTS=509' },
  { name: 'a limit of two, three readers', bounds: 'LIMIT=2 N=3 KINDS=111' },
  { name: 'a limit, a death', bounds: 'LIMIT=1 KINDS=11 NOPS=2 DEATHS=1' },
  // The engine over PostgreSQL.
  ...[
    { name: 'two processes', bounds: 'KINDS=1303' },
    { name: 'upgrades and downgrades', bounds: 'KINDS=102 TURNS GIVEN_UP=1' },
    { name: 'giving up', bounds: 'KINDS=303 GIVEN_UP=1 LINGER=2' },
    { name: 'cancels by others', bounds: 'KINDS=33 CANCELS=1 GIVEN_UP=1' },
    { name: 'a session ends', bounds: 'KINDS=303 LOSSES=1' },
    { name: 'a process dies', bounds: 'KINDS=303 DEATHS=1 GIVEN_UP=1' },
    { name: 'no session to spare', bounds: 'KINDS=11 NOPS=2 LINGER=1' },
  ].map(ofSession),
  ...[
    { name: 'three readers for two', bounds: 'KINDS=111 N=2 NOPS=2' },
    { name: 'a writer', bounds: 'KINDS=311 NOPS=2' },
    { name: 'tries', bounds: 'KINDS=321 N=2' },
    { name: 'an upgradable hold', bounds: 'KINDS=411' },
    { name: 'removal', bounds: 'KINDS=511' },
    { name: 'cancels', bounds: 'KINDS=211 N=2 CANCELS=1' },
    { name: 'a session ends', bounds: 'KINDS=111 DEATHS=1' },
  ].map(ofPermits),
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
  { name: 'two, notices and turns', bounds: 'KINDS=44 ACTS=3196 CANCEL' },
  { name: 'two, notices and upgrades, checks', bounds: 'KINDS=42 ACTS=1028 CHECKS=1' },
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
  // Strict order.
  { name: 'strict, a second request, two each', bounds: 'NOPS=2 KINDS=1 SECOND=1 STRICT CLOSE' },
  { name: 'strict, a second request, giving up', bounds: 'KINDS=31 SECOND=1 STRICT CLOSE CANCEL' },
  { name: 'strict, a second request, a death', bounds: 'KINDS=31 SECOND=1 STRICT CLOSE DEATHS=1' },
  { name: 'strict, three, a second request', bounds: 'N=3 KINDS=311 SECOND=1 STRICT CLOSE' },
  { name: 'nested reads in turn, giving up', bounds: 'KINDS=44 ACTS=2 IN_TURN_READS CANCEL' },
  { name: 'nested reads in turn, a death', bounds: 'KINDS=44 ACTS=2 IN_TURN_READS DEATHS=1' },
  // Steals.
  { name: 'steals, giving up, checks', bounds: 'KINDS=31 STEALS=1 ACTS=4096 CANCEL CHECKS=1' },
  { name: 'steals from upgraders', bounds: 'KINDS=44 STEALS=1 ACTS=4100 MORE=2' },
  { name: 'steals from each other', bounds: 'KINDS=33 STEALS=2 ACTS=4096 STRICT CLOSE' },
  { name: 'steals, two deaths', bounds: 'KINDS=33 STEALS=2 ACTS=4096 DEATHS=2' },
  { name: 'steals, a stop', bounds: 'KINDS=43 STEALS=1 ACTS=4096 STOPS=1' },
  {
    name: 'sample: three, a steal beside a reader and a writer',
    bounds: 'N=3 KINDS=331 STEALS=1 ACTS=4096',
    sample: 31,
    seconds: 180,
  },
  // A limit on readers.
  { name: 'limit, all turns of two', bounds: 'LIMIT=2 KINDS=44 ACTS=509' },
  { name: 'limit, nested reads', bounds: 'LIMIT=2 KINDS=11 ACTS=2 NOPS=2' },
  { name: 'limit, three for one', bounds: 'LIMIT=1 N=3 KINDS=111' },
  { name: 'limit, giving up, checks', bounds: 'LIMIT=1 KINDS=11 NOPS=2 CHECKS=1 CANCEL' },
  { name: 'limit, closing', bounds: 'LIMIT=1 KINDS=11 NOPS=2 CLOSE CHECKS=1' },
  { name: 'limit, pruning', bounds: 'LIMIT=1 KINDS=31 NOPS=2 PRUNES=1' },
  { name: 'limit, two deaths', bounds: 'LIMIT=1 KINDS=11 NOPS=2 DEATHS=2' },
  { name: 'limit, three, two deaths', bounds: 'LIMIT=2 N=3 KINDS=111 DEATHS=2' },
  { name: 'limit, three for one, a death', bounds: 'LIMIT=1 N=3 KINDS=111 DEATHS=1' },
  { name: 'limit, any, a death', bounds: 'LIMIT=1 KINDS=44 DEATHS=1' },
  { name: 'limit, a stop', bounds: 'LIMIT=1 KINDS=31 ACTS=13 STOPS=1' },
  { name: 'limit, three, a stop', bounds: 'LIMIT=2 N=3 KINDS=111 STOPS=1' },
  { name: 'limit, notices', bounds: 'LIMIT=1 KINDS=11 ACTS=1024' },
  { name: 'limit, notices, a death in a call', bounds: 'LIMIT=1 KINDS=11 ACTS=1024 DEATHS=1 CALLS' },
  { name: 'limit, reused', bounds: 'LIMIT=1 BORN=1 KINDS=111 DROP' },
  { name: 'limit, reused, a death', bounds: 'LIMIT=1 BORN=1 KINDS=111 DEATHS=1' },
  { name: 'limit, notices, three for two', bounds: 'LIMIT=2 N=3 KINDS=111 ACTS=1024' },
  { name: 'limit, a downgrade beside readers', bounds: 'LIMIT=1 N=3 KINDS=121 ACTS=16' },
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
  // The engine over PostgreSQL.
  ...[
    { name: 'two tasks each', bounds: 'KINDS=4313 GIVEN_UP=1' },
    { name: 'two tasks each, upgrades', bounds: 'KINDS=3232 TURNS' },
    { name: 'two tasks each, upgrades, giving up', bounds: 'KINDS=1032 TURNS GIVEN_UP=2' },
    { name: 'upgrades, sessions end', bounds: 'KINDS=102 TURNS LOSSES=2 GIVEN_UP=1' },
    { name: 'upgrades, cancels by others', bounds: 'KINDS=32 TURNS CANCELS=1 GIVEN_UP=1' },
    { name: 'upgrades, a process dies', bounds: 'KINDS=1032 TURNS DEATHS=1' },
    { name: 'two each, a session ends', bounds: 'KINDS=303 NOPS=2 LOSSES=1 GIVEN_UP=1' },
    { name: 'cancels by others, a session ends', bounds: 'KINDS=303 CANCELS=1 LOSSES=1 GIVEN_UP=1' },
    { name: 'two sessions each', bounds: 'KINDS=3031 SESSIONS=2 GIVEN_UP=1' },
  ].map(ofSession),
  ...[
    { name: 'three readers, cancels and ends', bounds: 'KINDS=111 NOPS=2 CANCELS=2 DEATHS=1' },
    { name: 'tries and a writer, cancels', bounds: 'KINDS=321 N=2 NOPS=2 CANCELS=1' },
    { name: 'tries beside tries', bounds: 'KINDS=122 N=2 CANCELS=2' },
    { name: 'tries and a writer, a session ends', bounds: 'KINDS=321 N=2 CANCELS=1 DEATHS=1' },
    { name: 'upgradable and write holds', bounds: 'KINDS=431 NOPS=2 CANCELS=1 DEATHS=1' },
  ].map(ofPermits),
].map((search) => ({ ...search, long: true }))

/** @param {import('./search.js').Search} search */
function ofSession(search) {
  return { ...search, name: `session: ${search.name}`, model: 'session.pml' }
}

/** @param {import('./search.js').Search} search */
function ofPermits(search) {
  return { ...search, name: `permits: ${search.name}`, model: 'permits.pml' }
}
