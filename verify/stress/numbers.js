// What the recorder calls modes, ways and outcomes: the numbers of crates/stress/src/record.rs.
export const READ = 1
export const UPGRADABLE = 2
export const WRITE = 3

export const WAIT = 1
export const TRY = 2
export const SYNC = 3
export const CONSISTENT = 4
export const FAILED = 5
export const STEAL = 6
export const STOLEN = 7

export const REFUSED = 2
export const TIMED_OUT = 3
export const ABORTED = 4
export const CLOSED = 5
export const DEADLOCK = 6
