//! Locks found by name: shared memory under a random id, and a small record (the lock file) in the user's directory that
//! says which. The record is written before the memory is made, so that a creator's death leaves nothing nobody knows of.

use std::fs::{self, File, OpenOptions};
use std::hash::Hasher;
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Once;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use shared_memory::{Shmem, ShmemConf, ShmemError};
use siphasher::sip128::{Hasher128, SipHasher13};

use super::{
    Backing, Place, SETUP_PATIENCE, Segment, directory, enter_setup, file, no_such_file, not_a_lock, unix_nanos,
};
use crate::error::{Error, ErrorKind, Result};
use crate::layout::{DEFAULT_CAPACITY, MAX_CAPACITY, MAX_NAME, bytes_of, slots_of};
use crate::liveness::{LockFile, slot_byte};

/// First line of a record. The second is the id of the shared memory, and the name is the rest.
const RECORD: &str = "process-rwlock 1";
/// Larger than any record: what lies behind is not read.
const RECORD_BYTES: u64 = 1024;
/// Left-overs looked at by a process when it opens its first lock, so that this takes milliseconds at most.
const SWEEP: usize = 64;

/// Opens the lock called `name`, making it if there is none. Returns with the setup byte held.
pub(crate) fn open(name: &str, capacity: Option<u32>) -> Result<Segment> {
    check_name(name)?;
    let directory = directory::ensure()?;
    static SWEPT: Once = Once::new();
    SWEPT.call_once(|| sweep(&directory));
    let path = directory.join(record_name(name));
    let shown = format!("lock '{}'", name.escape_debug());
    loop {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(&path)
            .map_err(|error| Error::access(format!("cannot open {} for {shown}", path.display()), error))?;
        let lock = LockFile::new(file);
        enter_setup(&lock, &shown, SETUP_PATIENCE)?;
        let place = Place::Named { name: name.into(), record: path.clone(), id: String::new() };
        if !file::is_at(&lock, &path, &place)? {
            continue; // removed while we waited for it
        }
        let (error, lock) = match existing(lock, &path)? {
            Ok(segment) => match segment.check_capacity(capacity) {
                Ok(()) => return Ok(segment),
                Err(error) if !is_left_over(&segment, &shown)? => return Err(error),
                Err(_) => {
                    retire(&segment);
                    continue;
                }
            },
            Err(unusable) => unusable,
        };
        let in_use = lock
            .is_locked(slot_byte(0), slots_of(MAX_CAPACITY))
            .map_err(|error| Error::access(format!("cannot look at {shown}"), error))?;
        match error {
            // Whoever is attached relies on memory that we cannot use.
            Some(error) if in_use => return Err(error),
            _ => return create(lock, name, &path, capacity.unwrap_or(DEFAULT_CAPACITY)),
        }
    }
}

/// Opens the lock called `name` if there is one. Returns with the setup byte held.
pub(crate) fn find(name: &str) -> Result<Option<Segment>> {
    check_name(name)?;
    let path = directory::path().join(record_name(name));
    match open_record(&path)? {
        Some(lock) => existing_or_remove(lock, &path),
        None => Ok(None),
    }
}

/// Every named lock of this user that can be read; the setup byte is not held.
pub(crate) fn all() -> Vec<Segment> {
    let Ok(entries) = fs::read_dir(directory::path()) else { return Vec::new() };
    entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let lock = LockFile::new(open_existing(&path).ok()??);
            existing(lock, &path).ok()?.ok()
        })
        .collect()
}

/// Removes memory and record of a lock that nobody else has open. The setup byte must be held.
pub(crate) fn retire(segment: &Segment) {
    if let Place::Named { record, id, .. } = &segment.place {
        note_fence(segment.gate().fence.load(Relaxed));
        unlink_memory(id);
        // What cannot be removed is a left-over that the next opener finds and uses.
        let _ = fs::remove_file(record);
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

/// A file name of fixed length for any name. The record and the segment hold the name itself, so two names that met in
/// one hash would be told apart.
fn record_name(name: &str) -> String {
    let mut hasher = SipHasher13::new();
    hasher.write(name.as_bytes());
    format!("{:032x}", hasher.finish128().as_u128())
}

struct Record {
    id: String,
    name: String,
}

fn read_record(file: &File) -> io::Result<Option<Record>> {
    let mut text = String::new();
    let mut reader = file.take(RECORD_BYTES);
    if let Err(error) = reader.read_to_string(&mut text) {
        return if error.kind() == io::ErrorKind::InvalidData { Ok(None) } else { Err(error) };
    }
    let mut lines = text.splitn(3, '\n');
    let (Some(RECORD), Some(id), Some(name)) = (lines.next(), lines.next(), lines.next()) else {
        return Ok(None);
    };
    let known = id
        .strip_prefix(&id_prefix())
        .is_some_and(|random| random.len() == 16 && random.bytes().all(|byte| byte.is_ascii_hexdigit()));
    Ok((known && check_name(name).is_ok()).then(|| Record { id: id.into(), name: name.into() }))
}

fn id_prefix() -> String {
    format!("process-rwlock-{}-", directory::user())
}

/// The lock that the record at `path` names; or the lock file back, with the reason why it is no lock (`None`: nothing
/// was ever there).
#[allow(clippy::type_complexity)]
fn existing(lock: LockFile, path: &Path) -> Result<Result<Segment, (Option<Error>, LockFile)>> {
    let cannot_read = |error| Error::access(format!("cannot read {}", path.display()), error);
    let Some(record) = read_record(lock.file()).map_err(cannot_read)? else {
        let empty = lock.file().metadata().map_err(cannot_read)?.len() == 0;
        let error = (!empty).then(|| {
            Error::corrupt(format!(
                "{} is not the record of a lock: stop the processes that have it open, and open it again",
                path.display()
            ))
        });
        return Ok(Err((error, lock)));
    };
    let opened = ShmemConf::new().os_id(&record.id).open();
    let place = Place::Named { name: record.name, record: path.into(), id: record.id };
    match opened.map_err(memory_error) {
        Ok(memory) => {
            let found = Segment::existing(Backing::Shared(memory), lock, place);
            Ok(found.map_err(|(error, lock)| (Some(error), lock)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Ok(Err((Some(not_a_lock(&place, "its shared memory is gone")), lock)))
        }
        // Perhaps it is all right, and only we cannot have it: too many open files, no memory.
        Err(error) => Err(Error::access(format!("cannot map the memory of {place}"), error)),
    }
}

fn open_existing(path: &Path) -> io::Result<Option<File>> {
    no_such_file(OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path))
}

fn open_record(path: &Path) -> Result<Option<LockFile>> {
    let Some(file) =
        open_existing(path).map_err(|error| Error::access(format!("cannot open {}", path.display()), error))?
    else {
        return Ok(None);
    };
    let lock = LockFile::new(file);
    enter_setup(&lock, &path.display(), SETUP_PATIENCE)?;
    let place = Place::File { path: path.into() };
    Ok(file::is_at(&lock, path, &place)?.then_some(lock))
}

/// The lock behind a record; a record that leads nowhere and that nobody uses is removed.
fn existing_or_remove(lock: LockFile, path: &Path) -> Result<Option<Segment>> {
    match existing(lock, path)? {
        Ok(segment) => Ok(Some(segment)),
        Err((error, lock)) => match (lock.is_locked(slot_byte(0), slots_of(MAX_CAPACITY)), error) {
            (Ok(false), _) | (_, None) => {
                forget(&lock, path);
                Ok(None)
            }
            (_, Some(error)) => Err(error),
        },
    }
}

/// Removes a record, and the memory it names if that is there.
fn forget(lock: &LockFile, path: &Path) {
    if let Ok(Some(record)) = read_record(lock.file()) {
        unlink_memory(&record.id);
    }
    let _ = fs::remove_file(path);
}

fn create(lock: LockFile, name: &str, path: &Path, capacity: u32) -> Result<Segment> {
    if let Ok(Some(stale)) = read_record(lock.file()) {
        unlink_memory(&stale.id);
    }
    let shown = format!("lock '{}'", name.escape_debug());
    let made = (|| {
        let id = format!("{}{:016x}", id_prefix(), getrandom::u64().map_err(io::Error::other)?);
        lock.file().set_len(0)?;
        lock.file().write_all_at(format!("{RECORD}\n{id}\n{name}").as_bytes(), 0)?;
        let memory = make_memory(&id, bytes_of(capacity)).inspect_err(|_| unlink_memory(&id))?;
        Ok((memory, id))
    })();
    match made {
        Ok((memory, id)) => {
            let place = Place::Named { name: name.into(), record: path.into(), id };
            Ok(Segment::create(Backing::Shared(memory), lock, place, capacity, fence_seed()))
        }
        Err(error) => {
            let _ = fs::remove_file(path);
            Err(Error::access(format!("cannot make {} bytes of shared memory for {shown}", bytes_of(capacity)), error))
        }
    }
}

fn make_memory(id: &str, bytes: usize) -> io::Result<Shmem> {
    let mut memory = ShmemConf::new().os_id(id).size(bytes).create().map_err(memory_error)?;
    // No process owns it: it must outlive its maker.
    memory.set_owner(false);
    file::reserve(&open_memory(id)?, bytes)?;
    Ok(memory)
}

fn memory_error(error: ShmemError) -> io::Error {
    match error {
        ShmemError::MapCreateFailed(code) | ShmemError::MapOpenFailed(code) | ShmemError::UnknownOsError(code) => {
            io::Error::from_raw_os_error(code as i32)
        }
        other => io::Error::other(other.to_string()),
    }
}

/// A descriptor of the shared memory `id`: `shared_memory` keeps its own to itself.
fn open_memory(id: &str) -> io::Result<File> {
    let id = std::ffi::CString::new(id)?;
    // SAFETY: `id` is a C string.
    let descriptor = unsafe { libc::shm_open(id.as_ptr(), libc::O_RDWR | libc::O_CLOEXEC, 0) };
    if descriptor == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened, and nobody else's.
    Ok(unsafe { <File as std::os::fd::FromRawFd>::from_raw_fd(descriptor) })
}

fn unlink_memory(id: &str) {
    if let Ok(id) = std::ffi::CString::new(id) {
        // SAFETY: `id` is a C string. Failing means that it is gone already.
        unsafe { libc::shm_unlink(id.as_ptr()) };
    }
}

/// Nobody is attached and nobody's death is left to be told. The setup byte must be held.
fn is_left_over(segment: &Segment, shown: &str) -> Result<bool> {
    let in_use = segment.is_in_use().map_err(|error| Error::access(format!("cannot look at {shown}"), error))?;
    Ok(!in_use && segment.is_clean())
}

/// Removes what crashed processes left in `directory`: locks that nobody has open and that have nothing to tell.
fn sweep(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| is_record(path)).take(SWEEP) {
        let Ok(Some(file)) = open_existing(&path) else { continue };
        let lock = LockFile::new(file);
        let place = Place::File { path: path.clone() };
        if enter_setup(&lock, &place, Duration::ZERO).is_err() || !matches!(file::is_at(&lock, &path, &place), Ok(true))
        {
            continue; // somebody sees to it right now
        }
        match existing(lock, &path) {
            Ok(Ok(segment)) if matches!(is_left_over(&segment, ""), Ok(true)) => retire(&segment),
            Ok(Err((_, lock))) if matches!(lock.is_locked(slot_byte(0), slots_of(MAX_CAPACITY)), Ok(false)) => {
                forget(&lock, &path);
            }
            _ => {}
        }
    }
}

fn is_record(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name != FENCE)
}

/// The greatest fencing token of any lock that was removed, so that a lock made anew goes on above it even if the wall
/// clock was set back.
const FENCE: &str = "fence";

fn with_fence<T>(act: impl FnOnce(&File, u64) -> io::Result<T>) -> io::Result<T> {
    let path = directory::path().join(FENCE);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)?;
    let lock = LockFile::new(file);
    enter_setup(&lock, &"the fence of removed locks", SETUP_PATIENCE).map_err(io::Error::other)?;
    let mut bytes = [0; 8];
    let last = lock.file().read_exact_at(&mut bytes, 0).map_or(0, |()| u64::from_le_bytes(bytes));
    act(lock.file(), last)
}

fn note_fence(fence: u64) {
    // Without it the wall clock alone keeps tokens growing.
    let _ = with_fence(|file, last| file.write_all_at(&last.max(fence).to_le_bytes(), 0));
}

/// Unix time in ns: a lock hands out fewer than one token per ns, so this is above every token of an earlier life.
fn fence_seed() -> u64 {
    let last = with_fence(|_, last| Ok(last)).unwrap_or(0);
    unix_nanos().max(last.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_length_and_script_get_distinct_records() {
        let long = "n".repeat(MAX_NAME);
        let names = ["a", "b", "../x", "a/b", "ü", "名前", long.as_str(), &long[1..]];
        let records: std::collections::BTreeSet<_> = names.iter().map(|name| record_name(name)).collect();
        assert_eq!(records.len(), names.len());
        assert!(records.iter().all(|record| record.len() == 32 && !record.contains(['/', '.'])));
        // The hash is part of the format: another version of this crate must find the same record.
        assert_eq!(record_name("my-app/cache"), record_name("my-app/cache"));
    }
}
