//! Locks found by path: the file itself is mapped, and it stays the user's.

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

use memmap2::MmapRaw;

use super::disk::Unfit;
use super::unfinished::{accept, create, is_begun, is_unfinished, not_to_be_followed, refuse_readers};
use super::{Backing, Place, SETUP_PATIENCE, Segment, disk, enter_setup, fence, no_such_file, not_a_lock};
use crate::error::{Error, ErrorKind, Result};
use crate::layout::DEFAULT_CAPACITY;
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
            accept(&lock, &place)?;
            return create(lock, place, capacity.unwrap_or(DEFAULT_CAPACITY));
        }
        let segment = map(lock, place)?;
        segment.check_capacity(capacity)?;
        refuse_readers(&segment.lock, &segment.place)?;
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

/// Removes the file of a lock that nobody else has open; not the symbolic links that lead to it, nor its other names. The setup
/// byte must be held.
pub(crate) fn remove(segment: Segment, path: &Path) -> io::Result<()> {
    fence::note(segment.gate().fence.load(Relaxed));
    // Some systems do not remove what is mapped.
    let lock = segment.into_lock();
    let file = fs::canonicalize(path)?;
    if disk::identity_at(&file)? != disk::identity(lock.file())? {
        return Err(io::ErrorKind::NotFound.into()); // another file has taken its place
    }
    step!(remove_file);
    disk::patiently(|| fs::remove_file(&file))
}

fn open_lock(path: &Path, place: &Place, create: bool) -> Result<Option<LockFile>> {
    let irregular = || not_a_lock(place, "it is not a regular file");
    let cannot = |error| match fs::metadata(path) {
        Ok(there) if !there.is_file() => irregular(),
        _ => place.refused("open", "open", error),
    };
    let mut made = None;
    let file = loop {
        // An existing file is opened without O_CREAT, which Linux refuses for another user's file in a folder like /tmp
        // (fs.protected_regular, proc_sys_fs(5)).
        step!(open_file);
        if let Some(file) = no_such_file(disk::patiently(|| disk::shared().open(path))).map_err(cannot)? {
            break file;
        }
        if !create {
            return Ok(None);
        }
        let target = disk::own_target(path).map_err(|why| not_to_be_followed(place, why))?;
        step!(make_file);
        match disk::patiently(|| disk::make(&target)) {
            Ok(file) => {
                made = Some(target);
                break file;
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {} // somebody was faster
            Err(error) => return Err(place.not_made("open", error)),
        }
    };
    if !metadata(&file, place)?.is_file() {
        return Err(irregular());
    }
    refuse_unfit(&file, place).inspect_err(|_| {
        // Nobody can use what we made.
        let _ = made.iter().try_for_each(fs::remove_file);
    })?;
    Ok(Some(LockFile::new(file)))
}

pub(super) fn metadata(file: &File, place: &Place) -> Result<fs::Metadata> {
    file.metadata().map_err(|error| place.refused("look at", "fstat", error))
}

/// Whether `lock` is still the file that `path` leads to.
pub(super) fn is_at(lock: &LockFile, path: &Path, place: &Place) -> Result<bool> {
    let cannot = |error| place.refused("look at", "stat", error);
    let Some(there) = no_such_file(disk::identity_at(path).map_err(disk::gone)).map_err(cannot)? else {
        return Ok(false);
    };
    Ok(disk::identity(lock.file()).map_err(cannot)? == there)
}

fn map(lock: LockFile, place: Place) -> Result<Segment> {
    let length = metadata(lock.file(), &place)?.len();
    if length == 0 {
        return Err(not_a_lock(&place, "the file is empty"));
    }
    step!(map_file);
    let map = MmapRaw::map_raw(lock.file()).map_err(|error| place.refused("map", "mmap", error))?;
    Segment::existing(Backing::File(map), lock, place).map_err(|(error, _)| error)
}

/// Memory mapped from a network file system is not shared between machines, and its byte locks may not be the kernel's.
fn refuse_unfit(file: &File, place: &Place) -> Result<()> {
    match disk::unfit_file_system(file).map_err(|error| place.refused("look at", "statfs", error))? {
        None => Ok(()),
        Some(Unfit { what, why }) => {
            Err(Error::new(ErrorKind::Access, format!("{place} lies on {what}: {why}; choose a path on a local disk")))
        }
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
