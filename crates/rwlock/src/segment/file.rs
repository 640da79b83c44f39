//! Locks found by path: the file itself is mapped, and it stays the user's.

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

use memmap2::MmapRaw;

use super::{Backing, Place, SETUP_PATIENCE, Segment, disk, enter_setup, fence, no_such_file, not_a_lock};
use crate::error::{Error, ErrorKind, Result};
use crate::layout::{DEFAULT_CAPACITY, MAGIC_UNFINISHED, bytes_of};
use crate::liveness::LockFile;

/// Opens the lock at `path`, making it if the file is missing or empty. Returns with the setup byte held.
pub(crate) fn open(path: &Path, capacity: Option<u32>) -> Result<Segment> {
    let place = Place::File { path: path.to_path_buf() };
    loop {
        let lock = open_lock(path, &place, true)?.expect("it is made if missing");
        enter_setup(&lock, &place, SETUP_PATIENCE)?;
        if !is_at(&lock, path, &place)? {
            continue; // removed while we waited for it
        }
        if is_unfinished(&lock, &place)? {
            return create(lock, place, capacity.unwrap_or(DEFAULT_CAPACITY));
        }
        let segment = map(lock, place)?;
        segment.check_capacity(capacity)?;
        return Ok(segment);
    }
}

/// Opens the lock at `path` if there is one. Returns with the setup byte held.
pub(crate) fn find(path: &Path) -> Result<Option<Segment>> {
    let place = Place::File { path: path.to_path_buf() };
    let Some(lock) = open_lock(path, &place, false)? else { return Ok(None) };
    enter_setup(&lock, &place, SETUP_PATIENCE)?;
    if !is_at(&lock, path, &place)? {
        return Ok(None);
    }
    if is_begun(&lock, &place)? {
        return create(lock, place, DEFAULT_CAPACITY).map(Some); // what its maker began, and died
    }
    map(lock, place).map(Some)
}

/// Removes the file of a lock that nobody else has open. The setup byte must be held.
pub(crate) fn remove(segment: Segment, path: &Path) -> io::Result<()> {
    fence::note(segment.gate().fence.load(Relaxed));
    // Some systems do not remove what is mapped.
    let _lock = segment.into_lock();
    step!(remove_file);
    disk::patiently(|| fs::remove_file(path))
}

fn open_lock(path: &Path, place: &Place, create: bool) -> Result<Option<LockFile>> {
    let irregular = || not_a_lock(place, "it is not a regular file");
    let cannot = |error| match fs::metadata(path) {
        Ok(there) if !there.is_file() => irregular(),
        _ => Error::access(format!("cannot open {place}"), error),
    };
    let mut options = disk::shared();
    // An existing file is opened without O_CREAT, which Linux refuses for another user's file in a folder like /tmp
    // (fs.protected_regular, proc_sys_fs(5)).
    step!(open_file);
    let mut opened = no_such_file(disk::patiently(|| LockFile::open(|| options.open(path)))).map_err(cannot)?;
    if opened.is_none() && create {
        step!(make_file);
        options.create(true);
        opened = match disk::patiently(|| LockFile::open(|| options.open(path))) {
            Ok(lock) => Some(lock),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::access(format!("cannot make {place}: its folder does not exist"), error));
            }
            Err(error) => return Err(Error::access(format!("cannot make {place}"), error)),
        };
    }
    let Some(lock) = opened else { return Ok(None) };
    let metadata = metadata(lock.file(), place)?;
    if !metadata.is_file() {
        return Err(irregular());
    }
    refuse_network(lock.file(), place)?;
    Ok(Some(lock))
}

fn metadata(file: &File, place: &Place) -> Result<fs::Metadata> {
    file.metadata().map_err(|error| Error::access(format!("cannot look at {place}"), error))
}

/// Whether `lock` is still the file that `path` leads to.
pub(super) fn is_at(lock: &LockFile, path: &Path, place: &Place) -> Result<bool> {
    let cannot = |error| Error::access(format!("cannot look at {place}"), error);
    let Some(there) = no_such_file(disk::identity_at(path).map_err(disk::gone)).map_err(cannot)? else {
        return Ok(false);
    };
    Ok(disk::identity(lock.file()).map_err(cannot)? == there)
}

/// An empty file, or one whose maker died before it was a lock.
fn is_unfinished(lock: &LockFile, place: &Place) -> Result<bool> {
    Ok(metadata(lock.file(), place)?.len() == 0 || is_begun(lock, place)?)
}

fn is_begun(lock: &LockFile, place: &Place) -> Result<bool> {
    let mut magic = [0; 8];
    step!(read_magic);
    match read_start(lock.file(), &mut magic) {
        Ok(()) => Ok(u64::from_le_bytes(magic) == MAGIC_UNFINISHED),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(Error::access(format!("cannot read {place}"), error)),
    }
}

/// Makes a lock of an unfinished file.
fn create(lock: LockFile, place: Place, capacity: u32) -> Result<Segment> {
    if lock.is_in_use().map_err(|error| Error::access(format!("cannot look at {place}"), error))? {
        return Err(not_a_lock(&place, "it was emptied while processes had it open"));
    }
    let file = lock.file();
    let laid_out = (|| {
        step!(clear_file);
        file.set_len(0)?; // of an unfinished one, so that what follows is zero
        step!(mark_unfinished);
        write_start(file, &MAGIC_UNFINISHED.to_le_bytes())?;
        step!(reserve_file);
        disk::reserve(file, bytes_of(capacity))?;
        MmapRaw::map_raw(file)
    })();
    match laid_out {
        Ok(map) => Ok(Segment::create(Backing::File(map), lock, place, capacity, fence::seed())),
        Err(error) => {
            // The empty file is where we began; an error here would hide the one that matters.
            let _ = file.set_len(0);
            Err(Error::access(format!("cannot make {place} of {} bytes", bytes_of(capacity)), error))
        }
    }
}

fn map(lock: LockFile, place: Place) -> Result<Segment> {
    let length = metadata(lock.file(), &place)?.len();
    if length == 0 {
        return Err(not_a_lock(&place, "the file is empty"));
    }
    step!(map_file);
    let map = MmapRaw::map_raw(lock.file()).map_err(|error| Error::access(format!("cannot map {place}"), error))?;
    Segment::existing(Backing::File(map), lock, place).map_err(|(error, _)| error)
}

/// Memory mapped from a network file system is not shared between machines, and its byte locks may not be the kernel's.
fn refuse_network(file: &File, place: &Place) -> Result<()> {
    match disk::network_file_system(file).map_err(|error| Error::access(format!("cannot look at {place}"), error))? {
        None => Ok(()),
        Some(system) => Err(Error::new(
            ErrorKind::Access,
            format!(
                "{place} lies on a network file system ({system}): processes on other machines would not see the lock; put it on a local disk"
            ),
        )),
    }
}

/// (The position of an open lock file is nobody else's.)
pub(super) fn read_start(mut file: &File, bytes: &mut [u8]) -> io::Result<()> {
    file.rewind()?;
    file.read_exact(bytes)
}

pub(super) fn write_start(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    file.rewind()?;
    file.write_all(bytes)
}
