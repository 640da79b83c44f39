//! The few cases in which opening must wait for another process.

use std::fmt::Display;
use std::time::{Duration, Instant};

use super::location::LockLocation;
use super::lock_file::{LockFile, SETUP_BYTE};
use crate::error::{Error, ErrorKind, Result};

/// Polling that ends after `timeout`.
pub(super) struct Polling {
    start: Instant,
    timeout: Duration,
    pause: Duration,
}

impl Polling {
    pub fn new(timeout: Duration) -> Self {
        Self { start: Instant::now(), timeout, pause: Duration::from_micros(20) }
    }

    /// Sleeps for a short time; `false` when the timeout has passed.
    pub fn pause(&mut self) -> bool {
        let left = self.timeout.saturating_sub(self.start.elapsed());
        std::thread::sleep(self.pause.min(left));
        self.pause = (self.pause * 2).min(Duration::from_millis(1));
        !left.is_zero()
    }
}

/// Takes the setup byte. A process holds it while it initializes a file in place or removes one.
pub(super) fn enter(lock: &LockFile, location: &LockLocation, timeout: Duration) -> Result<()> {
    let mut polling = Polling::new(timeout);
    loop {
        crash_point!(setup_lock);
        // Polled, because a blocking request cannot have a timeout.
        if lock.try_lock(SETUP_BYTE).map_err(|error| location.cannot_lock(error))? {
            return Ok(());
        }
        if !polling.pause() {
            return Err(busy(location, "is making or removing", timeout));
        }
    }
}

pub(super) fn leave(lock: &LockFile) {
    // Unlocking a locked byte fails only for a closed descriptor, and closing has unlocked the
    // byte.
    crash_point!(setup_unlock);
    let _ = lock.unlock(SETUP_BYTE);
}

fn busy(location: &impl Display, does: &str, timeout: Duration) -> Error {
    Error::new(
        ErrorKind::Busy,
        format!(
            "another process {does} {location}, and has not finished within {} ms. Try again; if this stays, a stopped process \
             (SIGSTOP, a debugger, a frozen container) has the file open: let it continue, or end it",
            timeout.as_millis()
        ),
    )
}
