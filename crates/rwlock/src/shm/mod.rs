//! Where a lock is stored: shared memory found by name, or a file found by path. Each has a lock
//! file.
//!
//! Opening and closing never wait for another process. A new lock is built under a private name,
//! complete and with its creator attached, and then renamed to its final name in one step, which
//! fails if another process was faster. To open an existing lock, a process takes the byte lock of
//! a slot ([`crate::sys::byte_lock`]) and then checks whether the lock was removed meanwhile
//! ([`removal`]). Only where a file must be initialized in place, or is removed, do processes take
//! turns, by the setup byte of the file ([`setup`]).

mod backing;
pub(crate) mod claim;
pub(crate) mod copy;
mod directory;
#[cfg(all(test, target_os = "linux"))]
pub(crate) mod heap;
pub(crate) mod layout;
pub(crate) mod location;
pub(crate) mod lock_file;
mod memory;
pub(crate) mod named;
pub(crate) mod path;
mod record;
mod records;
pub(crate) mod removal;
pub(crate) mod segment;
mod setup;
pub(crate) mod sweep;
mod token_floor;
pub(crate) mod tokens;
mod unfinished;
