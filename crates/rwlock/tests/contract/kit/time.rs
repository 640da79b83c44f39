use std::ops::RangeInclusive;
use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for what must happen: far above what a loaded machine needs, also where that runs Windows' programs by
/// an emulator, under which opening a file takes milliseconds.
pub const SKIP_GRACE: Duration = Duration::from_secs(if cfg!(windows) { 45 } else { 15 });

pub const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Waits until `condition` holds.
#[track_caller]
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + SKIP_GRACE;
    while !condition() {
        assert!(Instant::now() < deadline, "still not so after {SKIP_GRACE:?}: {what}");
        thread::sleep(ms(1));
    }
}

/// What `act` returns, and how long it took.
pub fn timed<T>(act: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    (act(), start.elapsed())
}

/// What `act` returns, if it took neither too short nor too long.
#[track_caller]
pub fn within<T>(bounds: RangeInclusive<Duration>, act: impl FnOnce() -> T) -> T {
    let (value, took) = timed(act);
    assert!(bounds.contains(&took), "it took {took:?}, not {bounds:?}");
    value
}
