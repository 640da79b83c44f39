//! The memory of named locks: zeroed, shared by all processes of the user, and kept until it is
//! unlinked.

use std::fs::File;
use std::io;

use super::backing::Backing;
use super::directory;
pub(super) use crate::sys::shared_memory::Unusable;
use crate::sys::shared_memory::file;
#[cfg(unix)]
use crate::sys::shared_memory::unix as system;

/// The prefix of every ID, so that people recognize the memory of locks.
pub(super) fn id_prefix() -> String {
    #[cfg(unix)]
    return system::id_prefix();
    #[cfg(windows)]
    "memory-".into()
}

/// Maps the memory `id`.
pub(super) fn open(id: &str) -> Result<Backing, Unusable> {
    match directory::of_memory() {
        #[cfg(unix)]
        None => system::open(id).map(Backing::Shared),
        folder => file::open(&folder.unwrap_or_default().join(id)).map(Backing::File),
    }
}

/// Opens the memory `id` to read it without mapping it, and returns its length too. `None`: it must
/// be mapped, for a reason that [`open`] tells. On macOS shared memory can only be mapped.
#[cfg(target_os = "linux")]
pub(super) fn open_to_read(id: &str) -> Option<(File, u64)> {
    match directory::of_memory() {
        None => system::open_object(id).ok(),
        Some(folder) => file::open_file(&folder.join(id)).ok(),
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn open_to_read(_id: &str) -> Option<(File, u64)> {
    None
}

/// Creates the memory `id`, zeroed, with all pages allocated, so that a full `/dev/shm` or disk is
/// an error now instead of a signal later. The error comes with the call that failed.
pub(super) fn create(id: &str, bytes: usize) -> Result<Backing, (&'static str, io::Error)> {
    let made = match directory::of_memory() {
        #[cfg(unix)]
        None => system::create(id, bytes).map(Backing::Shared),
        folder => file::create(&folder.unwrap_or_default().join(id), bytes).map(Backing::File),
    };
    // An error of unlink would hide the original error. The record still names the memory.
    made.inspect_err(|_| drop(unlink(id)))
}

/// Unlinks the memory `id`. Processes that have mapped it keep it. Succeeds if it does not exist.
pub(super) fn unlink(id: &str) -> io::Result<()> {
    crash_point!(unlink_memory);
    match directory::of_memory() {
        #[cfg(unix)]
        None => system::unlink(id),
        folder => file::unlink(&folder.unwrap_or_default().join(id)),
    }
}
