//! The locks that are compared.

mod file;
mod futex;
mod memory;
mod nothing;
mod ours;
mod pthread;
mod raw_sync;

use std::path::Path;

use super::Result;

pub use file::{Fcntl, Flock};
pub use futex::Futex;
pub use nothing::Nothing;
pub use ours::ProcessRwLock;
pub use pthread::{PreferReader, PreferWriter, Pthread};
pub use raw_sync::RawSync;

/// A lock as the workloads use it. Guards release when they are dropped.
pub trait Lock: Sized {
    type Read<'a>
    where
        Self: 'a;
    type Write<'a>
    where
        Self: 'a;

    /// The lock that belongs to `prefix`, the same for every process.
    fn open(prefix: &Path) -> Result<Self>;

    /// The version of the library or system that provides the lock.
    fn version() -> String;

    fn read(&self) -> Result<Self::Read<'_>>;

    fn write(&self) -> Result<Self::Write<'_>>;
}
