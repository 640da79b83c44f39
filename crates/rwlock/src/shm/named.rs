//! Locks found by name: shared memory with a random ID, and a record (the lock file) that contains
//! the ID.
//!
//! The record names its memory before the memory is created, until after it is deleted. So a crash
//! in between leaves no memory that no record names. The record is published when both are
//! complete, and never changes afterwards.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::copy::{Buffers, LockCopy};
use super::layout::{TRANSIENT, bytes_of, slots_of};
use super::location::LockLocation;
use super::lock_file::{LockFile, SETUP_BYTE, slot_byte};
use super::record::{Content, Record, check_name, file_name};
use super::removal::{self, Attempt};
use super::segment::{New, Segment};
use super::setup::Polling;
use super::{claim, directory, memory, records, setup, sweep, token_floor};
use crate::error::{Error, Result};
use crate::options::MAX_CAPACITY;
use crate::options::Options;
use crate::sys::files;

/// How long an invalid state is tolerated, because another process may be removing the lock.
const SETTLING_TIME: Duration = Duration::from_millis(20);

/// Opens the lock `name`, creates it if it does not exist, and takes a slot.
pub(crate) fn open(name: &str, options: &Options) -> Result<(Segment, usize)> {
    check_name(name)?;
    let directory = directory::ensure()?;
    // Not a `Once`: a forked child would wait for a thread that it does not have.
    static SWEPT: AtomicBool = AtomicBool::new(false);
    if !SWEPT.swap(true, Relaxed) {
        sweep::sweep(&directory);
    }
    let location = place_of(name, &directory);
    let mut settling = Polling::new(SETTLING_TIME);
    loop {
        match check(&location)? {
            Found::Nothing => match create(&directory, &location, name, options)? {
                Some(made) => return Ok(made),
                None if records::is_blocked(record_of(&location)) => {
                    return Err(location.not_a_lock("the folder of its record contains something else"));
                }
                None => {} // another process was faster
            },
            Found::Lock(segment) => {
                let compatible = segment.check_capacity(options.capacity);
                if compatible.is_err() || segment.has_another_limit(options) {
                    // A lock that is left over from a crash does not bind its next user: it is
                    // created again with the requested properties.
                    match remove_if(&segment, is_settled)? {
                        Attempt::InUse | Attempt::Kept => compatible?,
                        _ => continue,
                    }
                }
                if let Some(slot) = claim::enter(&segment)? {
                    return Ok((segment, slot));
                }
            }
            Found::Removed(segment) => delete(&segment)?,
            Found::Unusable(unusable) => scrap(unusable, &mut settling)?,
            Found::Earlier(record) => sweep::remove_earlier(&record, &location)?,
        }
    }
}

/// Removes the lock `name`. `false` if it does not exist.
pub(crate) fn remove(name: &str) -> Result<bool> {
    check_name(name)?;
    let Some(directory) = directory::existing()? else { return Ok(false) };
    let location = place_of(name, &directory);
    let mut settling = Polling::new(SETTLING_TIME);
    loop {
        match check(&location)? {
            Found::Nothing => return Ok(false),
            Found::Lock(segment) => match remove_if(&segment, |_| true)? {
                Attempt::Removed => return Ok(true),
                Attempt::InUse => return Err(segment.in_use()),
                _ => {}
            },
            Found::Removed(segment) if removal::is_contradicted(&segment) => return Err(segment.in_use()),
            Found::Removed(segment) => delete(&segment)?,
            Found::Unusable(unusable) => scrap(unusable, &mut settling)?,
            Found::Earlier(record) => sweep::remove_earlier(&record, &location)?,
        }
    }
}

/// The result of `see` for the lock `name`. `None` if it does not exist, or if it is damaged and no
/// process has it open: then the next process that opens it creates it again.
pub(crate) fn see<T>(name: &str, see: impl Fn(&Segment) -> T) -> Result<Option<T>> {
    check_name(name)?;
    let Some(directory) = directory::existing()? else { return Ok(None) };
    let location = place_of(name, &directory);
    let mut settling = Polling::new(SETTLING_TIME);
    loop {
        match check(&location)? {
            Found::Nothing | Found::Earlier(_) => return Ok(None),
            Found::Lock(segment) => {
                let seen = see(&segment);
                if !removal::is_removed(&segment) {
                    return Ok(Some(seen));
                }
            }
            // A later lock may have its name already.
            Found::Removed(segment) => {
                if location.is_at(&segment.into_lock(), record_of(&location))? {
                    return Ok(None);
                }
            }
            Found::Unusable(Unusable { lock, error, .. }) => {
                if !lock.is_in_use().map_err(|error| location.refused("check the users of", "fcntl", error))? {
                    return Ok(None);
                }
                if !settling.pause() {
                    return Err(error);
                }
            }
        }
    }
}

/// The note of the lock `name`.
pub(crate) fn note(name: &str) -> Result<Option<Vec<u8>>> {
    check_name(name)?;
    let Some(directory) = directory::existing()? else { return Ok(None) };
    let location = place_of(name, &directory);
    let Some(lock) = open_record(&location)? else { return Ok(None) };
    crash_point!(read_record);
    Record::read_note(name, lock.file()).map_err(|error| location.refused("read the record of", "read", error))
}

/// The result of `look` for a copy of each named lock of this user, or, if it cannot be copied or
/// `look` returns `None`, that of `see`. For one that cannot be read, that of `fails`: where it is,
/// whether a process has it open, and why.
pub(crate) fn each<T>(
    look: impl Fn(&LockCopy<'_>) -> Option<T>,
    see: impl Fn(&Segment) -> T,
    fails: impl Fn(&LockLocation, bool, Error) -> Result<Option<T>>,
) -> Result<Vec<T>> {
    let Some(directory) = directory::existing()? else { return Ok(Vec::new()) };
    let cannot =
        |error| Error::access(format!("cannot read the directory {} of lock files", directory.display()), error);
    let found = records::all(&directory).map_err(cannot)?;
    let mut all = Vec::with_capacity(found.published.len());
    let mut buffers = Buffers::default();
    for location in found.published.into_iter().map(unnamed) {
        match looked_at(&location, &mut buffers, &look) {
            Some(seen) => all.push(seen),
            None => all.extend(seen(&location, &see, &fails)?),
        }
    }
    Ok(all)
}

/// The result of `look` for a copy of the lock of a record. `None`: the lock must be mapped, which
/// also shows what is wrong with it.
fn looked_at<T>(
    location: &LockLocation,
    buffers: &mut Buffers,
    look: impl Fn(&LockCopy<'_>) -> Option<T>,
) -> Option<T> {
    let lock = open_record(location).ok()??;
    crash_point!(read_record);
    let Ok(Content::Record(record)) = Record::read(lock.file()) else { return None };
    if !is_in_its_place(&record, location).ok()? {
        return None;
    }
    crash_point!(open_memory);
    let (memory, length) = memory::open_to_read(&record.id)?;
    let location = named(&record, location);
    let copy = buffers.copy((&memory, length), &lock, &location)?;
    if copy.is_removed() || copy.name() != record.name.as_bytes() {
        return None;
    }
    look(&copy)
}

/// The result of `see` for the lock of a record. If the lock was removed meanwhile, it may have
/// been created again, so the record is followed again.
fn seen<T>(
    location: &LockLocation,
    see: impl Fn(&Segment) -> T,
    fails: impl Fn(&LockLocation, bool, Error) -> Result<Option<T>>,
) -> Result<Option<T>> {
    loop {
        let (lock, seen) = match check(location) {
            Ok(Found::Lock(segment)) => {
                let seen = see(&segment);
                if !removal::is_removed(&segment) {
                    return Ok(Some(seen));
                }
                continue;
            }
            Ok(Found::Removed(segment)) => (segment.into_lock(), None),
            Ok(Found::Unusable(Unusable { location: its, lock, error, .. })) => {
                let is_open = lock.is_in_use().unwrap_or(true);
                let seen = fails(&its, is_open, error)?;
                (lock, seen)
            }
            Ok(Found::Nothing | Found::Earlier(_)) => return Ok(None),
            Err(error) => return fails(location, true, error),
        };
        if location.is_at(&lock, record_of(location))? {
            return Ok(seen);
        }
    }
}

/// Removes a lock that no process has open, if `may` permits it.
pub(super) fn remove_if(segment: &Segment, may: impl FnOnce(&Segment) -> bool) -> Result<Attempt> {
    let attempt = removal::try_remove(segment, may)
        .map_err(|error| segment.location.refused("check the users of", "fcntl", error))?;
    if attempt == Attempt::Removed {
        delete(segment)?;
    }
    Ok(attempt)
}

/// For a caller that has given up its slot: removes a named lock that no process has open, unless
/// the death of a writer must still be reported.
pub(crate) fn remove_if_last(segment: &Segment) {
    if matches!(segment.location, LockLocation::Named { .. }) && matches!(segment.lock.is_in_use(), Ok(false)) {
        // If it cannot be removed, the next process that opens it removes it.
        let _ = remove_if(segment, is_settled);
    }
}

/// Whether no death must be reported, or the lock's creator wants no report.
pub(super) fn is_settled(segment: &Segment) -> bool {
    segment.recovery().recover_all(usize::MAX);
    segment.is_clean() || segment.has_flag(TRANSIENT)
}

/// Deletes what is left of a removed lock. Several processes may do this at once, and one can
/// continue where another stopped.
pub(super) fn delete(segment: &Segment) -> Result<()> {
    let LockLocation::Named { record, id, .. } = &segment.location else { return Ok(()) };
    token_floor::note(segment.gate().last_token.load(Relaxed));
    let deleted = memory::unlink(id).and_then(|()| records::delete(record, segment.lock.file()));
    deleted.map_err(|error| segment.location.refused("delete what is left of", "unlink", error))
}

fn place_of(name: &str, directory: &Path) -> LockLocation {
    LockLocation::Named { name: name.into(), record: records::of(directory, file_name(name)), id: String::new() }
}

/// The location of a record that has not been read yet.
pub(super) fn unnamed(record: PathBuf) -> LockLocation {
    LockLocation::Named { name: String::new(), record, id: String::new() }
}

pub(super) fn record_of(location: &LockLocation) -> &Path {
    match location {
        LockLocation::Named { record, .. } => record,
        LockLocation::File { path } => path,
    }
}

/// `None` if the record is missing, or its path is not a possible path of a record.
pub(super) fn open_record(location: &LockLocation) -> Result<Option<LockFile>> {
    let record = record_of(location);
    crash_point!(open_record);
    match files::with_retries(|| LockFile::open(|| files::private().open(record).map_err(files::gone))) {
        Ok(lock) => Ok(Some(lock)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(_) if fs::symlink_metadata(record).is_ok_and(|there| !there.is_file()) => {
            Err(location.not_a_lock(&format!("its record, {}, is not a regular file", record.display())))
        }
        Err(error) => Err(location.refused(&format!("open {}, the record of", record.display()), "open", error)),
    }
}

/// The result of following a record.
pub(super) enum Found {
    /// No record exists.
    Nothing,
    Lock(Segment),
    /// A lock that was removed but not deleted yet.
    Removed(Segment),
    Unusable(Unusable),
    /// The record of an earlier version of this crate.
    Earlier(PathBuf),
}

/// An unusable lock.
pub(super) struct Unusable {
    location: LockLocation,
    lock: LockFile,
    pub error: Error,
    /// The memory that belongs to the record, if any.
    memory: Option<String>,
    /// The lock may be in the process of being removed.
    is_memory_gone: bool,
}

/// Follows the record of `location`, whose name may still be unknown (empty).
pub(super) fn check(location: &LockLocation) -> Result<Found> {
    match open_record(location)? {
        Some(lock) => follow(lock, location),
        None => Ok(records::earlier(record_of(location)).map_or(Found::Nothing, Found::Earlier)),
    }
}

pub(super) fn follow(lock: LockFile, location: &LockLocation) -> Result<Found> {
    let unusable = |lock, error, memory| {
        Ok(Found::Unusable(Unusable { location: location.clone(), lock, error, memory, is_memory_gone: false }))
    };
    crash_point!(read_record);
    let record = match Record::read(lock.file()) {
        Ok(Content::Record(record)) => record,
        Ok(content) => {
            let why = if let Content::Empty = content { "its record is empty" } else { "its record is damaged" };
            return unusable(lock, location.not_a_lock(why), None);
        }
        Err(error) => return Err(location.refused("read the record of", "read", error)),
    };
    if !is_in_its_place(&record, location)? {
        let why = format!("its record is that of lock '{}'", record.name.escape_debug());
        return unusable(lock, location.not_a_lock(&why), None);
    }
    let location = named(&record, location);
    let Record { id, name } = record;
    crash_point!(open_memory);
    let memory = match memory::open(&id) {
        Ok(memory) => memory,
        Err(unusable) => {
            let (why, memory, is_memory_gone) = match unusable {
                memory::Unusable::Gone => ("its shared memory is gone".into(), Some(id), true),
                memory::Unusable::Empty => ("its shared memory is empty".into(), Some(id), false),
                memory::Unusable::Foreign(whose) => {
                    (format!("its shared memory {whose}: somebody else put it there"), None, false)
                }
                memory::Unusable::Open(mode) => return Err(location.memory_open_to_others(&id, mode)),
                memory::Unusable::Refused(syscall, error) => {
                    return Err(location.refused("map the shared memory of", syscall, error));
                }
            };
            let error = location.not_a_lock(&why);
            return Ok(Found::Unusable(Unusable { location, lock, error, memory, is_memory_gone }));
        }
    };
    let segment = match Segment::existing(memory, lock, location.clone()) {
        Ok(segment) => segment,
        Err((error, lock)) => {
            return Ok(Found::Unusable(Unusable { location, lock, error, memory: Some(id), is_memory_gone: false }));
        }
    };
    let found = segment.name();
    if found == name.as_bytes() {
        return Ok(if removal::is_removed(&segment) { Found::Removed(segment) } else { Found::Lock(segment) });
    }
    // The memory belongs to another lock, so it is not removed.
    let why = format!("its shared memory is that of lock '{}'", String::from_utf8_lossy(&found).escape_debug());
    let error = segment.location.not_a_lock(&why);
    let lock = segment.into_lock();
    Ok(Found::Unusable(Unusable { location, lock, error, memory: None, is_memory_gone: false }))
}

/// Whether `record` belongs where it was found. Otherwise it was copied, or two names have the same
/// hash.
fn is_in_its_place(record: &Record, location: &LockLocation) -> Result<bool> {
    let place = records::of(&directory::path()?, file_name(&record.name));
    let is_called_so = matches!(location, LockLocation::Named { name, .. } if name.is_empty() || *name == record.name);
    Ok(place == *record_of(location) && is_called_so)
}

/// The location of the lock that `record` names.
fn named(record: &Record, location: &LockLocation) -> LockLocation {
    let Record { id, name } = record;
    LockLocation::Named { name: name.clone(), record: record_of(location).into(), id: id.clone() }
}

/// Creates a lock that nobody knows, and removes it.
pub(crate) fn probe() -> Result<()> {
    let directory = directory::ensure()?;
    let random = getrandom::u64().map_err(|error| Error::access("cannot get a random number", error.into()))?;
    let name = format!("probe-{random:016x}");
    let options = Options { transient: true, anonymous: true, ..Options::default() };
    // Another process may remove the new record before its setup byte is locked.
    while let Found::Nothing = check(&place_of(&name, &directory))? {
        let Some((segment, slot)) = create(&directory, &place_of(&name, &directory), &name, &options)? else {
            continue;
        };
        segment.lock.unlock(slot_byte(slot)).map_err(|error| segment.location.cannot_lock(error))?;
        remove_if(&segment, |_| true)?;
        break;
    }
    Ok(())
}

/// Creates the lock under a private name, with a slot for the caller, and publishes it. `None` if
/// another process was faster.
fn create(
    directory: &Path,
    location: &LockLocation,
    name: &str,
    options: &Options,
) -> Result<Option<(Segment, usize)>> {
    let new = New::of(options);
    let bytes = bytes_of(new.capacity);
    let cannot = |(syscall, error)| location.no_room(bytes, syscall, error);
    let (made, lock) = match records::make(directory) {
        Ok(made) => made,
        // Another process removed the record, because its setup byte was not locked yet.
        Err(error) if error.kind() == io::ErrorKind::NotFound && directory.is_dir() => return Ok(None),
        Err(error) => return Err(cannot(("open", error))),
    };
    let record = Record::new(name).map_err(|error| cannot(("getrandom", error)))?;
    let discard = || {
        let _ = memory::unlink(&record.id).and_then(|()| records::discard(&made));
    };
    let backing = (|| {
        // The process that holds the setup byte of an unpublished record either completes the lock
        // or removes it. No other process waits.
        crash_point!(claim_record);
        if !lock.try_lock(SETUP_BYTE).map_err(|error| location.cannot_lock(error))?
            || !lock.try_lock(slot_byte(0)).map_err(|error| location.cannot_lock(error))?
            || !files::is_at(lock.file(), &made).map_err(|error| cannot(("stat", error)))?
        {
            return Ok(None);
        }
        record.write(options.note.as_deref(), lock.file()).map_err(|error| cannot(("write", error)))?;
        memory::create(&record.id, bytes).map(Some).map_err(cannot)
    })();
    let backing = match backing {
        Ok(Some(backing)) => backing,
        Ok(None) => return Ok(None),
        Err(error) => {
            discard();
            return Err(error);
        }
    };
    let location = LockLocation::Named { name: name.into(), record: record_of(location).into(), id: record.id.clone() };
    let segment = Segment::create(backing, lock, location, new);
    match records::publish(&made, record_of(&segment.location)) {
        Ok(true) => {
            setup::leave(&segment.lock);
            Ok(Some((segment, 0)))
        }
        Ok(false) => {
            discard();
            Ok(None)
        }
        Err(error) => {
            discard();
            Err(segment.location.no_room(bytes, "rename", error))
        }
    }
}

/// Removes an unusable lock, unless a process has it open.
pub(super) fn scrap(unusable: Unusable, settling: &mut Polling) -> Result<()> {
    let Unusable { location, lock, error, memory, is_memory_gone } = unusable;
    let cannot = |error| location.refused("delete what is left of", "unlink", error);
    // A lock without memory has no users. For all other cases, every byte is locked, so that no
    // process can attach meanwhile.
    let everything = 1 + slots_of(MAX_CAPACITY);
    let is_free =
        if is_memory_gone { lock.is_in_use().map(|used| !used) } else { lock.try_lock_all(SETUP_BYTE, everything) };
    if !is_free.map_err(cannot)? {
        // The process that holds a byte may be about to give up or to delete the lock too.
        return if settling.pause() { Ok(()) } else { Err(error) };
    }
    crash_point!(discard);
    let deleted = memory.iter().try_for_each(|id| memory::unlink(id));
    deleted.and_then(|()| records::delete(record_of(&location), lock.file())).map_err(cannot)
}
