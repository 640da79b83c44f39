//! Locks found by name: shared memory under a random id, and a record (the lock file) that says which. The record is written
//! before the memory is made, so that a creator's death leaves nothing nobody knows of.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::memory::Unusable;
use super::record::{Content, Record, file_name};
use super::{
    Place, SETUP_PATIENCE, Segment, directory, disk, enter_setup, fence, file, memory, no_such_file, not_a_lock,
};
use crate::error::{Error, ErrorKind, Result};
use crate::layout::{DEFAULT_CAPACITY, MAX_NAME, bytes_of};
use crate::liveness::LockFile;

/// How long a process looks for left-overs when it opens its first lock.
const SWEEP_TIME: Duration = Duration::from_millis(10);

/// Opens the lock called `name`, making it if there is none. Returns with the setup byte held.
pub(crate) fn open(name: &str, capacity: Option<u32>) -> Result<Segment> {
    check_name(name)?;
    let directory = directory::ensure()?;
    static SWEPT: Once = Once::new();
    SWEPT.call_once(|| sweep(&directory));
    let place = place_of(name, &directory);
    loop {
        let lock = open_record(&place, true)?.expect("it is made if missing");
        if !enter(&lock, &place, SETUP_PATIENCE)? {
            continue; // removed while we waited for it
        }
        match look(lock, &place)? {
            Found::Lock(segment) => match segment.check_capacity(capacity) {
                Ok(()) => return Ok(segment),
                // Made anew in the next round, with the capacity asked for.
                Err(_) if is_left_over(&segment) => retire(&segment),
                Err(error) => return Err(error),
            },
            // Whoever is attached relies on memory that we cannot use.
            Found::Unusable { lock, error, .. } if is_in_use(&lock) => return Err(error),
            Found::Unusable { lock, leftover, .. } => {
                step!(create_anew);
                leftover.iter().for_each(|id| memory::unlink(id));
                return create(lock, place, name, capacity.unwrap_or(DEFAULT_CAPACITY));
            }
        }
    }
}

/// Opens the lock called `name` if there is one. Returns with the setup byte held.
pub(crate) fn find(name: &str) -> Result<Option<Segment>> {
    check_name(name)?;
    let place = place_of(name, &directory::path());
    let Some(lock) = open_record(&place, false)? else { return Ok(None) };
    if !enter(&lock, &place, SETUP_PATIENCE)? {
        return Ok(None);
    }
    match look(lock, &place)? {
        Found::Lock(segment) => Ok(Some(segment)),
        Found::Unusable { lock, error, .. } if is_in_use(&lock) => Err(error),
        Found::Unusable { leftover, .. } => {
            forget(&place, leftover.as_deref());
            Ok(None)
        }
    }
}

/// Every named lock of this user that can be read; the setup byte is not held.
pub(crate) fn all() -> Vec<Segment> {
    records(&directory::path())
        .filter_map(|path| match look(open_record(&unnamed(path.clone()), false).ok()??, &unnamed(path)) {
            Ok(Found::Lock(segment)) => Some(segment),
            _ => None,
        })
        .collect()
}

/// Removes memory and record of a lock that nobody else has open. The setup byte must be held.
pub(crate) fn retire(segment: &Segment) {
    if let Place::Named { id, .. } = &segment.place {
        fence::note(segment.gate().fence.load(Relaxed));
        forget(&segment.place, Some(id));
    }
}

pub(crate) fn check_name(name: &str) -> Result<()> {
    let wrong = if name.is_empty() {
        "is empty".into()
    } else if name.len() > MAX_NAME {
        format!("has {} bytes of UTF-8, and {MAX_NAME} are allowed", name.len())
    } else if name.contains('\0') {
        "contains a NUL character".into()
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::InvalidArgument, format!("the lock's name {wrong}")))
}

fn place_of(name: &str, directory: &Path) -> Place {
    Place::Named { name: name.into(), record: directory.join(file_name(name)), id: String::new() }
}

/// A record before it was read.
fn unnamed(record: PathBuf) -> Place {
    Place::Named { name: String::new(), record, id: String::new() }
}

fn record_of(place: &Place) -> &Path {
    match place {
        Place::Named { record, .. } => record,
        Place::File { path } => path,
    }
}

fn open_record(place: &Place, create: bool) -> Result<Option<LockFile>> {
    step!(open_record);
    let opened = disk::patiently(|| disk::private().create(create).truncate(false).open(record_of(place)));
    let cannot = |error| place.refused(&format!("open {}, the record of", record_of(place).display()), "open", error);
    let opened = if create { opened.map(Some) } else { no_such_file(opened) };
    Ok(opened.map_err(cannot)?.map(LockFile::new))
}

/// Takes the setup byte. `false` if the record was removed meanwhile.
fn enter(lock: &LockFile, place: &Place, patience: Duration) -> Result<bool> {
    enter_setup(lock, place, patience)?;
    file::is_at(lock, record_of(place), place)
}

/// What a record leads to.
enum Found {
    Lock(Segment),
    /// No lock that could be used. `leftover` is the memory that goes with it, if there is any.
    Unusable {
        lock: LockFile,
        error: Error,
        leftover: Option<String>,
    },
}

/// Follows the record `lock` of `place`, whose name may be unknown yet (empty).
fn look(lock: LockFile, place: &Place) -> Result<Found> {
    step!(read_record);
    let record = match Record::read(lock.file()) {
        Ok(Content::Record(record)) => record,
        Ok(content) => {
            let why = if let Content::Empty = content { "its record is empty" } else { "its record is damaged" };
            return Ok(Found::Unusable { lock, error: not_a_lock(place, why), leftover: None });
        }
        Err(error) => return Err(place.refused("read the record of", "read", error)),
    };
    // A copied record, or two names in one hash.
    if record_of(place).file_name().is_none_or(|file| *file != *file_name(&record.name))
        || matches!(place, Place::Named { name, .. } if !name.is_empty() && *name != record.name)
    {
        let why = format!("its record is that of lock '{}'", record.name.escape_debug());
        return Ok(Found::Unusable { lock, error: not_a_lock(place, &why), leftover: None });
    }
    let Record { id, name } = record;
    let place = Place::Named { name: name.clone(), record: record_of(place).into(), id: id.clone() };
    step!(open_memory);
    let memory = match memory::open(&id) {
        Ok(memory) => memory,
        Err(unusable) => {
            let (why, leftover) = match unusable {
                Unusable::Gone => ("its shared memory is gone".into(), None),
                Unusable::Empty => ("its shared memory is empty".into(), Some(id)),
                Unusable::Foreign(whose) => (format!("its shared memory {whose}: somebody else put it there"), None),
                Unusable::Open(mode) => return Err(place.memory_open_to_others(&id, mode)),
                Unusable::Refused(syscall, error) => {
                    return Err(place.refused("map the shared memory of", syscall, error));
                }
            };
            return Ok(Found::Unusable { lock, error: not_a_lock(&place, &why), leftover });
        }
    };
    let segment = match Segment::existing(memory, lock, place) {
        Ok(segment) => segment,
        Err((error, lock)) => return Ok(Found::Unusable { lock, error, leftover: Some(id) }),
    };
    let found = segment.name();
    if found == name.as_bytes() {
        return Ok(Found::Lock(segment));
    }
    // Somebody else's memory: not ours to remove.
    let why = format!("its shared memory is that of lock '{}'", String::from_utf8_lossy(&found).escape_debug());
    let error = not_a_lock(&segment.place, &why);
    Ok(Found::Unusable { lock: segment.into_lock(), error, leftover: None })
}

fn create(lock: LockFile, place: Place, name: &str, capacity: u32) -> Result<Segment> {
    let record = Record::new(name).map_err(|error| ("getrandom", error));
    let made = record.and_then(|record| {
        record.write(lock.file()).map_err(|error| ("write", error))?;
        Ok((memory::create(&record.id, bytes_of(capacity))?, record.id))
    });
    match made {
        Ok((memory, id)) => {
            let place = Place::Named { name: name.into(), record: record_of(&place).into(), id };
            Ok(Segment::create(memory, lock, place, capacity, fence::seed()))
        }
        Err((syscall, error)) => {
            forget(&place, None);
            Err(place.no_room(bytes_of(capacity), syscall, error))
        }
    }
}

/// Removes a record, and the memory that goes with it.
fn forget(place: &Place, memory: Option<&str>) {
    step!(forget_memory);
    memory.iter().for_each(|id| memory::unlink(id));
    step!(forget_record);
    // What cannot be removed is a left-over that the next opener finds and uses.
    let _ = fs::remove_file(record_of(place));
}

/// If the kernel does not answer, somebody is taken to be there.
fn is_in_use(lock: &LockFile) -> bool {
    lock.is_in_use().unwrap_or(true)
}

/// Nobody is attached and nobody's death is left to be told. The setup byte must be held.
fn is_left_over(segment: &Segment) -> bool {
    !is_in_use(&segment.lock) && {
        segment.recover_all(usize::MAX);
        segment.is_clean()
    }
}

/// Removes what crashed processes left in `directory`: locks that nobody has open and that have nothing to tell.
fn sweep(directory: &Path) {
    let start = Instant::now();
    let mut paths: Vec<_> = records(directory).collect();
    // Where there are too many to look at them all, each process looks at others.
    let offset = getrandom::u32().unwrap_or(0) as usize % paths.len().max(1);
    paths.rotate_left(offset);
    for place in paths.into_iter().map(unnamed).take_while(|_| start.elapsed() < SWEEP_TIME) {
        let Ok(Some(lock)) = open_record(&place, false) else { continue };
        // In use, or somebody sees to it right now.
        if is_in_use(&lock) || !matches!(enter(&lock, &place, Duration::ZERO), Ok(true)) {
            continue;
        }
        match look(lock, &place) {
            Ok(Found::Lock(segment)) if is_left_over(&segment) => retire(&segment),
            // Whether those of another version have something to tell only that version knows.
            Ok(Found::Unusable { lock, error, leftover })
                if error.kind() != ErrorKind::Incompatible && !is_in_use(&lock) =>
            {
                forget(&place, leftover.as_deref());
            }
            _ => {}
        }
    }
}

fn records(directory: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name() != *fence::FILE && entry.file_type().is_ok_and(|kind| !kind.is_dir()))
        .map(|entry| entry.path())
}
