//! Sleeping on a word of shared memory, and waking who sleeps there. One file per platform, one signature.
//!
//! Times are monotonic nanoseconds of this process' own clock: what goes into shared memory is converted by [`shared`].

use std::sync::atomic::Ordering::SeqCst;

use crate::sync::AtomicU32;

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

/// What this process calls `own`, as all processes may compare it: for people, nothing is decided by it. 0: not known.
#[inline]
pub(crate) fn shared(own: u64) -> u64 {
    #[cfg(all(target_os = "linux", not(loom), not(miri)))]
    return linux::clock_offset().map_or(0, |offset| own.wrapping_sub(offset as u64));
    #[cfg(not(all(target_os = "linux", not(loom), not(miri))))]
    own
}

/// Whether the process is ending and the threads beside this one have been stopped already, at whatever instruction. Then
/// nothing may be waited for that one of them might have held: leave everything as it is, and the kernel tells the others.
#[must_use]
pub fn is_process_ending() -> bool {
    #[cfg(all(windows, not(loom)))]
    return windows::is_process_ending();
    #[cfg(not(all(windows, not(loom))))]
    false
}

/// What can be slept on: for one thread in [`wait`], and beside it one in [`wait_any`].
#[derive(Default)]
#[repr(C)]
pub(crate) struct Word {
    /// 0, or news: what its bits mean is the business of who sets them.
    pub news: AtomicU32,
    /// Where each of the two is woken, if the system cannot do so by the address of `news` (`windows`).
    #[cfg(not(loom))]
    sleepers: [std::sync::atomic::AtomicU32; 2],
}

impl Word {
    /// Forgets what was said to an earlier owner.
    pub fn reset(&self) {
        self.news.store(0, SeqCst);
        #[cfg(not(loom))]
        for sleeper in &self.sleepers {
            sleeper.store(0, SeqCst);
        }
    }
}
