//! The clock that all processes share: ns of `CLOCK_MONOTONIC`.

use std::hint;
use std::thread;
use std::time::Duration;

pub use process_rwlock::now;

/// A sleeping thread may wake this late, in ns.
const LATE: u64 = 200_000;

/// Sleeps until `time`, and spins at the end, so that all processes that wait for one time start
/// together.
pub fn sleep_until(time: u64) {
    let left = time.saturating_sub(now());
    thread::sleep(Duration::from_nanos(left.saturating_sub(LATE)));
    spin_until(time);
}

pub fn spin_until(time: u64) {
    while now() < time {
        hint::spin_loop();
    }
}
