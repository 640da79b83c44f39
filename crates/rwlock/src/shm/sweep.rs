//! Removes what dead processes left of named locks: some of it when a process opens its first lock,
//! all of it on demand. No process waits for another that does this, even if that is stopped.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::layout::ANONYMOUS;
use super::location::LockLocation;
use super::lock_file::{LockFile, SETUP_BYTE};
use super::named::{self, Found};
use super::record::{Content, Record};
use super::removal::Attempt;
use super::segment::Segment;
use super::setup::Polling;
use super::{directory, memory, records};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::files::{self, no_such_file};

/// How long a process searches for left-over locks when it opens its first lock.
const SWEEP_TIME: Duration = Duration::from_millis(10);

/// Removes what crashed processes left in `directory`: locks that are not open and have no death to
/// report.
pub(super) fn sweep(directory: &Path) {
    let start = Instant::now();
    let Ok(mut found) = records::all(directory) else { return };
    // If there are too many records to check, each process checks different ones.
    let random = getrandom::u32().unwrap_or(0) as usize;
    for some in [&mut found.published, &mut found.unpublished] {
        let offset = random % some.len().max(1);
        some.rotate_left(offset);
    }
    let in_time = || start.elapsed() < SWEEP_TIME;
    for record in found.unpublished.iter().take_while(|_| in_time()) {
        let _ = remove_unpublished(record);
    }
    for record in found.published.into_iter().take_while(|_| in_time()) {
        let _ = remove_left_over(&named::unnamed(record), false);
    }
}

/// Removes every named lock of this user that is not open, and returns their number. Locks that
/// have the death of a writer to report stay unless `owner_died` is set.
pub(crate) fn prune(owner_died: bool) -> Result<usize> {
    let Some(directory) = directory::existing()? else { return Ok(0) };
    let cannot =
        |error| Error::access(format!("cannot read the directory {} of lock files", directory.display()), error);
    let found = records::all(&directory).map_err(cannot)?;
    for record in &found.unpublished {
        remove_unpublished(record)?;
    }
    let mut removed = 0;
    for record in found.published {
        match remove_left_over(&named::unnamed(record), owner_died) {
            Ok(left) => removed += usize::from(left),
            // Damaged or of another version, and in use.
            Err(error) if error.kind() != ErrorKind::Access => {}
            Err(error) => return Err(error),
        }
    }
    Ok(removed)
}

/// The unpublished records whose creators have died.
pub(crate) fn unfinished() -> Result<Vec<PathBuf>> {
    let Some(directory) = directory::existing()? else { return Ok(Vec::new()) };
    let cannot =
        |error| Error::access(format!("cannot read the directory {} of lock files", directory.display()), error);
    let found = records::all(&directory).map_err(cannot)?.unpublished.into_iter();
    let is_left = |record: &PathBuf| {
        let lock = LockFile::open(|| files::private().open(record));
        lock.is_ok_and(|lock| matches!(lock.is_locked(SETUP_BYTE, 1), Ok(false)) && record.exists())
    };
    Ok(found.filter(is_left).collect())
}

/// Returns whether a lock existed that was not open and is now removed.
fn remove_left_over(location: &LockLocation, owner_died: bool) -> Result<bool> {
    let Some(lock) = named::open_record(location)? else {
        records::forget(named::record_of(location));
        return Ok(false);
    };
    // Most locks are in use. (This is checked again after the removal was proposed.)
    if lock.is_in_use().unwrap_or(true) {
        return Ok(false);
    }
    match named::follow(lock, location)? {
        Found::Nothing | Found::Earlier(_) => Ok(false),
        Found::Lock(segment) => {
            let may = |segment: &Segment| named::is_settled(segment) || segment.has_flag(ANONYMOUS) || owner_died;
            Ok(named::remove_if(&segment, may)? == Attempt::Removed)
        }
        Found::Removed(segment) => named::delete(&segment).map(|()| false),
        // Only its own version knows whether a lock of another version has a death to report.
        Found::Unusable(unusable) if unusable.error.kind() == ErrorKind::Incompatible => Ok(false),
        Found::Unusable(unusable) => named::scrap(unusable, &mut Polling::new(Duration::ZERO)).map(|()| true),
    }
}

/// Removes an unpublished record and its memory, if its creator has died.
fn remove_unpublished(record: &Path) -> Result<()> {
    let cannot = |error| Error::access(format!("cannot remove {}", record.display()), error);
    crash_point!(open_unpublished);
    let Some(lock) = no_such_file(LockFile::open(|| files::private().open(record))).map_err(cannot)? else {
        records::forget(record);
        return Ok(());
    };
    crash_point!(claim_unpublished);
    // It may have been published meanwhile.
    if !lock.try_lock(SETUP_BYTE).map_err(cannot)? || !files::is_at(lock.file(), record).map_err(cannot)? {
        return Ok(());
    }
    unlink_memory_of(&lock).map_err(cannot)?;
    records::delete(record, lock.file()).map_err(cannot)
}

/// Removes a lock of an earlier version of this crate, so that a lock of this version can replace
/// it.
pub(super) fn remove_earlier(record: &Path, location: &LockLocation) -> Result<()> {
    let cannot = |error| Error::access(format!("cannot remove {}", record.display()), error);
    let Some(lock) = no_such_file(LockFile::open(|| files::private().open(record))).map_err(cannot)? else {
        return Ok(());
    };
    if lock.is_in_use().map_err(cannot)? || !lock.try_lock(SETUP_BYTE).map_err(cannot)? {
        return Err(Error::new(
            ErrorKind::Incompatible,
            format!(
                "{location} is open in processes with an earlier version of process-rwlock: use the same version in every process"
            ),
        ));
    }
    unlink_memory_of(&lock).map_err(cannot)?;
    no_such_file(fs::remove_file(record)).map(drop).map_err(cannot)
}

/// Removes the memory that a record names, if it names any.
fn unlink_memory_of(lock: &LockFile) -> io::Result<()> {
    match Record::read(lock.file())? {
        Content::Record(Record { id, .. }) => memory::unlink(&id),
        _ => Ok(()),
    }
}
