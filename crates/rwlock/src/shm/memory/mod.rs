//! The memory of named locks: zeroed, shared by every process of the user, and there until somebody unlinks it.

use std::io;

use crate::shm::{Backing, directory};

mod file;
#[cfg(unix)]
mod shared;

/// Why memory cannot be used.
pub(super) enum Unusable {
    Gone,
    /// It was cut off.
    Empty,
    /// Somebody else made it.
    #[cfg_attr(windows, expect(dead_code, reason = "it lies in a folder of the user's own"))]
    Foreign(String),
    /// Others may open it: its mode.
    #[cfg_attr(windows, expect(dead_code, reason = "it lies in a folder of the user's own"))]
    Open(u32),
    /// Perhaps it is all right, and only we cannot have it: too many open files, no memory. What failed, and how.
    Refused(&'static str, io::Error),
}

/// How an id begins, for whoever looks at the memory of a machine.
pub(super) fn id_prefix() -> String {
    #[cfg(unix)]
    return shared::id_prefix();
    #[cfg(windows)]
    "memory-".into()
}

/// Maps the memory `id`.
pub(super) fn open(id: &str) -> Result<Backing, Unusable> {
    match directory::of_memory() {
        #[cfg(unix)]
        None => shared::open(id),
        folder => file::open(&folder.unwrap_or_default().join(id)),
    }
}

/// Makes the memory `id`, all zero, with all its pages: a full `/dev/shm` or disk is an error now, and not a signal later. An error
/// comes with the call that failed.
pub(super) fn create(id: &str, bytes: usize) -> Result<Backing, (&'static str, io::Error)> {
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
    crash_point!(unlink_memory);
    match directory::of_memory() {
        #[cfg(unix)]
        None => shared::unlink(id),
        folder => file::unlink(&folder.unwrap_or_default().join(id)),
    }
}
