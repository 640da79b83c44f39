//! What dead processes left of named locks, and how it goes: a little whenever a process opens its first lock, all of it on
//! demand. Nobody waits for who does this, wherever it is stopped.

use std::fs;
use std::io;
use std::path::Path;
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

/// How long a process looks for left-overs when it opens its first lock.
const SWEEP_TIME: Duration = Duration::from_millis(10);

/// Removes what crashed processes left in `directory`: locks that nobody has open and that have nothing to report to anybody.
pub(super) fn sweep(directory: &Path) {
    let start = Instant::now();
    let Ok(mut found) = records::all(directory) else { return };
    // Where there are too many to look at them all, each process looks at others.
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

/// Removes every named lock of this user that nobody has open, and returns how many there were. Those that have the death of a
/// writer to report stay, unless `owner_died` says otherwise.
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
            // Damaged, or of another version, and in use.
            Err(error) if error.kind() != ErrorKind::Access => {}
            Err(error) => return Err(error),
        }
    }
    Ok(removed)
}

/// Returns whether there was a lock that nobody had open, and that is gone now.
fn remove_left_over(location: &LockLocation, owner_died: bool) -> Result<bool> {
    let Some(lock) = named::open_record(location)? else {
        records::forget(named::record_of(location));
        return Ok(false);
    };
    // Most are in use. (It is asked once more when the removal was proposed.)
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
        // Whether those of another version have something to report only that version knows.
        Found::Unusable(unusable) if unusable.error.kind() == ErrorKind::Incompatible => Ok(false),
        Found::Unusable(unusable) => named::scrap(unusable, &mut Polling::new(Duration::ZERO)).map(|()| true),
    }
}

/// Removes a record that was not published yet, with its memory, if its maker died.
fn remove_unpublished(record: &Path) -> Result<()> {
    let cannot = |error| Error::access(format!("cannot remove {}", record.display()), error);
    crash_point!(open_unpublished);
    let Some(lock) = no_such_file(LockFile::open(|| files::private().open(record))).map_err(cannot)? else {
        records::forget(record);
        return Ok(());
    };
    crash_point!(claim_unpublished);
    // It may have been published since.
    if !lock.try_lock(SETUP_BYTE).map_err(cannot)? || !files::is_at(lock.file(), record).map_err(cannot)? {
        return Ok(());
    }
    unlink_memory_of(&lock).map_err(cannot)?;
    records::delete(record, lock.file()).map_err(cannot)
}

/// Removes a lock that an earlier version of this crate left, since a lock of this version is to be in its place.
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

/// Removes the memory that a record names, if it names one yet.
fn unlink_memory_of(lock: &LockFile) -> io::Result<()> {
    match Record::read(lock.file())? {
        Content::Record(Record { id, .. }) => memory::unlink(&id),
        _ => Ok(()),
    }
}
