//! Detects the exit of other processes by their PIDs. PIDs are reused, and differ between
//! containers, so the result is a hint.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

#[cfg(all(target_os = "linux", not(loom), not(miri)))]
#[path = "linux.rs"]
mod system;
#[cfg(all(target_os = "macos", not(miri)))]
#[path = "macos.rs"]
mod system;
#[cfg(all(windows, not(miri)))]
#[path = "windows.rs"]
mod system;

#[cfg(not(any(loom, miri)))]
mod listen;
#[cfg(not(any(loom, miri)))]
use system::own_namespace;
#[cfg(not(any(loom, miri)))]
pub(crate) use {listen::Listening, system::has_ended};

#[cfg(any(loom, miri))]
mod none;
#[cfg(any(loom, miri))]
use none::own_namespace;
#[cfg(any(loom, miri))]
pub(crate) use none::{Listening, has_ended};

/// The kernel's number of this process' PID namespace; 0: unknown.
pub(crate) fn namespace() -> u32 {
    let mut own = OWN.load(Relaxed);
    if own == 0 {
        own = own_namespace();
        OWN.store(own, Relaxed);
    }
    own
}

/// Not a `OnceLock`: every thread computes the same number.
static OWN: AtomicU32 = AtomicU32::new(0);

/// For a forked child, which may be in another namespace, and does not have the listening thread.
#[cfg(all(unix, not(miri)))]
pub(crate) fn forget_at_fork() {
    OWN.store(0, Relaxed);
    #[cfg(not(loom))]
    listen::forget_at_fork();
}
