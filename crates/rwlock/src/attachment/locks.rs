//! The locks of this user as a whole: listing and removing them.

#[cfg(doc)]
use super::Attachment;
use super::snapshot::{self, Snapshot};
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::options::LockRef;
use crate::shm;

/// Every named lock of this user, each as it was at one moment. What is no valid lock, since something else wrote into its record
/// or its memory, is left out, and so are locks of other versions of this crate.
///
/// # Errors
/// [`ErrorKind::Access`] if one of them cannot be looked at: too many open files, no memory. There is no list then, rather than one
/// that lacks some.
pub fn list() -> Result<Vec<Snapshot>> {
    shm::named::each(|segment| snapshot::of_segment(segment, usize::MAX))
}

/// Removes a lock, with what it remembers. `false` if there is none. For a path it removes the file: a symbolic link that leads to
/// it stays, and leads nowhere; other hard links of the file stay, and are the lock still.
///
/// # Errors
/// [`ErrorKind::Busy`] while somebody is attached, or if another process was stopped while it removed the same file; the errors of
/// [`Attachment::open`].
pub fn remove(lock: LockRef<'_>) -> Result<bool> {
    match lock {
        LockRef::Name(name) => shm::named::remove(name),
        LockRef::Path(path) => shm::path::remove(path),
    }
}

/// Removes the named locks of this user that dead processes left and nobody has open, and returns how many those were. The first
/// lock that a process opens does so too, for a few milliseconds.
///
/// Those whose writer died stay, to report that to whoever opens them next, unless `owner_died` is set. Locks with a random name
/// (see [`crate::Options::anonymous`]) do not stay either way.
///
/// # Errors
/// [`ErrorKind::Access`] if one of them cannot be looked at or removed.
pub fn prune(owner_died: bool) -> Result<usize> {
    shm::sweep::prune(owner_died)
}
