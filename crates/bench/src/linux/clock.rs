//! Time as all processes see it: ns of `CLOCK_MONOTONIC`.

use std::hint;
use std::thread;
use std::time::Duration;

pub use process_rwlock::now;

/// A sleeper may wake that much late.
const LATE: u64 = 200_000;

/// Sleeps until `time`, the last bit awake: whoever waits for the same time goes on together.
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
