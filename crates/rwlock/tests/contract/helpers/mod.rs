//! Shared by the tests: locks that are removed, child processes that are killed, and bounded
//! waiting.

#[cfg(target_os = "linux")]
use std::sync::RwLockWriteGuard;
use std::sync::{PoisonError, RwLock};

use process_rwlock::Snapshot;

mod child;
#[cfg(unix)]
mod forked;
mod lock;
mod page;
pub mod permits;
mod system;
mod time;
mod workload;

pub use child::Child;
#[cfg(unix)]
pub use forked::Forked;
pub use lock::TestLock;
pub use page::Page;
#[cfg(any(target_os = "linux", windows))]
pub use system::records_and_memories;
pub use time::{TEST_TIMEOUT, ms, timed, until, within};

/// Locked for writing while the memory of a lock cannot be used: `list()` and `prune()` look at all
/// locks of the user, and fail then.
static MEMORY: RwLock<()> = RwLock::new(());

/// No test looks at all locks while it lives.
#[cfg(target_os = "linux")]
pub fn with_unusable_memory() -> RwLockWriteGuard<'static, ()> {
    MEMORY.write().unwrap_or_else(PoisonError::into_inner)
}

pub fn list() -> Vec<Snapshot> {
    let _usable = MEMORY.read().unwrap_or_else(PoisonError::into_inner);
    process_rwlock::list().unwrap()
}

#[cfg(target_os = "linux")]
pub fn prune(owner_died: bool) -> usize {
    let _usable = MEMORY.read().unwrap_or_else(PoisonError::into_inner);
    process_rwlock::prune(owner_died).unwrap()
}

/// Whether the test runs under an emulator (`npm run cross`). There, waking a process can take
/// longer than the lock's grace period, so that the order of the queue is not kept. Prints a
/// message if so.
pub fn is_emulated() -> bool {
    let emulator = std::env::var_os("PROCESS_RWLOCK_EMULATOR");
    if let Some(emulator) = &emulator {
        println!("skipped: {} may take too long to wake a process", emulator.display());
    }
    emulator.is_some()
}
