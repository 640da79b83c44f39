//! What watches a lock from outside while processes that use it are killed: a page that says who is inside, and a log of
//! what each of them asked for and got. The Rust worker and, through the test addon, the Node worker share it.
//!
//! An *actor* is one thread of one process, with one attachment to the lock. A process is a place among those of the storm
//! (`process`), which is taken by one life after the other (`life`); its threads are 0 and 1.

mod killer;
mod log;
mod page;
mod record;
pub mod system;
mod witness;

pub use killer::Killer;
pub use log::{Log, read_log};
pub use page::{ACTORS, Page, THREADS};
pub use record::{Died, Kind, Mode, Outcome, Record, Way, What};
pub use witness::{CANARY_STEPS, Witness, actor_log};

/// The monotonic time in ns, the same for all processes of the machine.
#[must_use]
pub fn now() -> u64 {
    process_rwlock::now()
}
