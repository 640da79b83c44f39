//! Where a lock lives: shared memory found by name, or a file found by path. Both come with a lock file.
//!
//! Opening and closing wait for nobody. A new lock is made aside, complete and with its maker attached, and then gets its name in
//! one step, which fails if another process was faster. Who opens an existing one takes the byte of a slot ([`crate::sys::byte_lock`])
//! and then looks whether the lock was removed meanwhile ([`removal`]). Only where a file must be laid out in place, and where a
//! file is removed, one process after the other holds the file's setup byte ([`setup`]).

mod backing;
pub(crate) mod claim;
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
