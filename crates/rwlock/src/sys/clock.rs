//! The time of day, and the uptime of the system. (Waits use the clock of [`crate::sys::park`].)

use std::time::{SystemTime, UNIX_EPOCH};

/// Unix time in ns.
pub(crate) fn unix_nanos() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

/// The uptime of the system in ns; `u64::MAX` if unknown, so that only an attachment that is alone
/// raises tokens.
#[cfg(target_os = "linux")]
pub(crate) fn uptime() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid for writes.
    if unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) } == 0 {
        time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
    } else {
        u64::MAX
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn uptime() -> u64 {
    u64::MAX
}
