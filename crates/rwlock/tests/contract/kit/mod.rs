//! What the tests share: locks that are removed, child processes that are killed, and waiting that ends.

mod child;
#[cfg(unix)]
mod forked;
mod lock;
mod page;
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
pub use time::{SKIP_GRACE, ms, timed, until, within};

/// Whether this runs under an emulator (`npm run cross`). There it may take longer to wake a process than the lock has patience
/// with one whose turn it is, and the order of the queue is not kept. Says so.
pub fn is_emulated() -> bool {
    let emulator = std::env::var_os("PROCESS_RWLOCK_EMULATOR");
    if let Some(emulator) = &emulator {
        println!("skipped: {} may take too long to wake a process", emulator.display());
    }
    emulator.is_some()
}
