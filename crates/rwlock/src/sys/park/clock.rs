//! The clocks of Unix.

pub(super) const NANOS: u64 = 1_000_000_000;

/// Nanoseconds of a clock that exists on the system: those used here exist in Linux since 2.6.32,
/// in macOS since 10.12.
#[inline]
pub(super) fn clock(id: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid for writes; an existing clock cannot fail.
    unsafe { libc::clock_gettime(id, &raw mut time) };
    time.tv_sec as u64 * NANOS + time.tv_nsec as u64
}
