//! The memory of named locks: zeroed, shared by every process of the user, and there until somebody unlinks it.

use std::io;

use super::backing::Backing;
use super::directory;
pub(super) use crate::sys::shared_memory::Unusable;
use crate::sys::shared_memory::file;
#[cfg(unix)]
use crate::sys::shared_memory::unix as system;

/// How an id begins, for whoever looks at the memory of a machine.
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

/// Makes the memory `id`, all zero, with all its pages: a full `/dev/shm` or disk is an error now, and not a signal later. An error
/// comes with the call that failed.
pub(super) fn create(id: &str, bytes: usize) -> Result<Backing, (&'static str, io::Error)> {
    let made = match directory::of_memory() {
        #[cfg(unix)]
        None => system::create(id, bytes).map(Backing::Shared),
        folder => file::create(&folder.unwrap_or_default().join(id), bytes).map(Backing::File),
    };
    // An error of the unlinking would hide the one that matters; the record still says where the memory is.
    made.inspect_err(|_| drop(unlink(id)))
}

/// Removes the memory `id`, which those who have mapped it keep. No error if it is gone already.
pub(super) fn unlink(id: &str) -> io::Result<()> {
    crash_point!(unlink_memory);
    match directory::of_memory() {
        #[cfg(unix)]
        None => system::unlink(id),
        folder => file::unlink(&folder.unwrap_or_default().join(id)),
    }
}
