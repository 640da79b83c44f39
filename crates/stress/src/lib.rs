//! Observes a lock from outside while processes that use it are killed. The *oracle page* says which actors are inside; a log
//! of each actor says what it requested and what it got. The Rust worker uses this library directly, the Node worker through
//! the test addon.
//!
//! An *actor* is one thread of one process, with one attachment to the lock. `process` is a number, from 0 to 15, that
//! successive processes (`life`) take one after the other. Its threads are 0 and 1.

mod killer;
mod log;
mod oracle_page;
mod record;
mod recorder;
pub mod system;
mod value;

pub use killer::Killer;
pub use log::{Log, read_log};
pub use oracle_page::{ACTORS, OraclePage, THREADS};
pub use record::{Died, Kind, Mode, Outcome, Record, Way, What};
pub use recorder::{CANARY_STEPS, Recorder, actor_log};

/// The monotonic time in ns, the same for all processes of the machine.
#[must_use]
pub fn now() -> u64 {
    process_rwlock::now()
}
