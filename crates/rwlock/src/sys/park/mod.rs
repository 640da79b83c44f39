//! Sleeping on a word of shared memory, and waking the sleeper. One file for each system, all with
//! the same signatures.
//!
//! Times are monotonic nanoseconds of this process' own clock; [`shared`] converts them for the
//! shared memory.

mod word;

#[cfg(loom)]
mod loom;
#[cfg(loom)]
use loom as system;

#[cfg(all(unix, not(loom)))]
mod clock;

#[cfg(all(target_os = "linux", not(loom)))]
mod linux;
#[cfg(all(target_os = "linux", not(loom)))]
use linux as system;

#[cfg(all(target_os = "macos", not(loom)))]
mod macos;
#[cfg(all(target_os = "macos", not(loom)))]
use macos as system;

#[cfg(all(windows, not(loom)))]
mod windows;
#[cfg(all(windows, not(loom)))]
use windows as system;

pub(crate) use system::{coarse_now, now, wait, wait_any, wait_any_limit, wake_sleeper};
pub(crate) use word::Word;

/// Converts the time `own` of this process so that all processes can compare it. For display only.
/// 0: unknown.
#[inline]
pub(crate) fn shared(own: u64) -> u64 {
    #[cfg(all(target_os = "linux", not(loom), not(miri)))]
    return linux::clock_offset().map_or(0, |offset| own.wrapping_sub(offset as u64));
    #[cfg(not(all(target_os = "linux", not(loom), not(miri))))]
    own
}

/// Whether the process is ending and its other threads have been stopped, at any instruction. Then
/// the process must not wait for anything that one of them might hold. It leaves everything as it
/// is, and the kernel notifies the others.
#[must_use]
pub fn is_process_ending() -> bool {
    #[cfg(all(windows, not(loom)))]
    return windows::is_process_ending();
    #[cfg(not(all(windows, not(loom))))]
    false
}
