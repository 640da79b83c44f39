use std::hint::spin_loop;
use std::ops::RangeInclusive;
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use process_rwlock::{ErrorKind, Result};

/// How long a test waits for an event that must happen: far longer than a loaded machine needs,
/// even if it runs Windows programs in an emulator, in which opening a file takes milliseconds.
pub const TEST_TIMEOUT: Duration = Duration::from_secs(if cfg!(windows) { 45 } else { 15 });

pub const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Waits until `condition` holds.
#[track_caller]
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + TEST_TIMEOUT;
    while !condition() {
        assert!(Instant::now() < deadline, "still not so after {TEST_TIMEOUT:?}: {what}");
        thread::sleep(ms(1));
    }
}

/// Returns the result of `act`, and its duration.
pub fn timed<T>(act: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    (act(), start.elapsed())
}

/// Returns the result of `act`, and checks its duration.
#[track_caller]
pub fn within<T>(bounds: RangeInclusive<Duration>, act: impl FnOnce() -> T) -> T {
    let (value, took) = timed(act);
    assert!(bounds.contains(&took), "it took {took:?}, not {bounds:?}");
    value
}

/// A pause of a random length: most are short.
pub fn pause(random: &mut Rng) {
    match random.u64(..32) {
        0 => thread::sleep(ms(1)),
        1..4 => thread::yield_now(),
        _ => (0..random.u64(..300)).for_each(|_| spin_loop()),
    }
}

/// `None` if the time has passed.
pub fn in_time<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::Timeout => Ok(None),
        Err(error) => Err(error),
    }
}
