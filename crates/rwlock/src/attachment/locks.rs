//! All locks of this user: listing and removing them.

#[cfg(doc)]
use super::Attachment;
use super::snapshot::{self, Snapshot};
use crate::error::{Error, ErrorKind, Result};
use crate::options::LockRef;
use crate::shm;
use crate::shm::segment::Segment;

/// A snapshot of every named lock of this user. Locks whose record or memory is corrupt, and locks
/// of other versions of this crate, are left out.
///
/// # Errors
/// [`ErrorKind::Access`] if one of them cannot be inspected (too many open files, no memory). The
/// list is never incomplete.
pub fn list() -> Result<Vec<Snapshot>> {
    let fails = |error: Error| if error.kind() == ErrorKind::Access { Err(error) } else { Ok(None) };
    shm::named::each(snapshot::of_copy, |segment| snapshot::of_segment(segment, usize::MAX), |_, _, error| fails(error))
}

/// A snapshot of one lock, which is neither created nor attached. `None` if it does not exist, or if
/// it is damaged and no process has it open.
///
/// # Errors
/// Those of [`Attachment::open`].
pub fn inspect(lock: LockRef<'_>) -> Result<Option<Snapshot>> {
    let see = |segment: &Segment| snapshot::of_segment(segment, usize::MAX);
    match lock {
        LockRef::Name(name) => shm::named::see(name, see),
        LockRef::Path(path) => shm::path::see(path, see),
    }
}

/// The note that the named lock was created with; see [`crate::Options::note`]. `None` if it has
/// none, or does not exist.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`], [`ErrorKind::Access`].
pub fn note(name: &str) -> Result<Option<Vec<u8>>> {
    shm::named::note(name)
}

/// Removes a lock and its persisted state. Returns `false` if there is none. For a path, the file
/// is removed: a symbolic link to it stays and becomes dangling; other hard links of the file stay
/// and are still the lock.
///
/// # Errors
/// [`ErrorKind::Busy`] while the lock is attached, or if another process was stopped while it
/// removed the same file; the errors of [`Attachment::open`].
pub fn remove(lock: LockRef<'_>) -> Result<bool> {
    match lock {
        LockRef::Name(name) => shm::named::remove(name),
        LockRef::Path(path) => shm::path::remove(path),
    }
}

/// Removes the named locks of this user that dead processes left and that no process has open.
/// Returns their number. Opening the first lock of a process does the same, for a few milliseconds.
///
/// Locks whose writer died stay, so that the next opener learns of it, unless `owner_died` is set.
/// Locks with a random name (see [`crate::Options::anonymous`]) never stay.
///
/// # Errors
/// [`ErrorKind::Access`] if one of them cannot be inspected or removed.
pub fn prune(owner_died: bool) -> Result<usize> {
    shm::sweep::prune(owner_died)
}
