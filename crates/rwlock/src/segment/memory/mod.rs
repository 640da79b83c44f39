//! The memory of named locks: zeroed, shared by every process of the user, and there until somebody unlinks it.

use std::io;

use crate::segment::{Backing, directory};

mod file;
#[cfg(unix)]
mod shared;

/// How an id begins, for whoever looks at the memory of a machine.
pub(super) fn id_prefix() -> String {
    #[cfg(unix)]
    return shared::id_prefix();
    #[cfg(windows)]
    "memory-".into()
}

/// Maps the memory `id`. `InvalidInput`: it is empty, its maker died on the way.
pub(super) fn open(id: &str) -> io::Result<Backing> {
    match directory::of_memory() {
        #[cfg(unix)]
        None => shared::open(id),
        folder => file::open(&folder.unwrap_or_default().join(id)),
    }
}

/// Makes the memory `id`, all zero, with all its pages: a full `/dev/shm` or disk is an error now, and not a signal later.
pub(super) fn create(id: &str, bytes: usize) -> io::Result<Backing> {
    let made = match directory::of_memory() {
        #[cfg(unix)]
        None => shared::create(id, bytes),
        folder => file::create(&folder.unwrap_or_default().join(id), bytes),
    };
    // An error of the unlinking would hide the one that matters; the record still says where the memory is.
    made.inspect_err(|_| drop(unlink(id)))
}

/// Removes the memory `id`, which those who have mapped it keep. No error if it is gone already.
pub(super) fn unlink(id: &str) -> io::Result<()> {
    step!(unlink_memory);
    match directory::of_memory() {
        #[cfg(unix)]
        None => shared::unlink(id),
        folder => file::unlink(&folder.unwrap_or_default().join(id)),
    }
}
