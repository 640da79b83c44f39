//! Locks found by path: the file itself is mapped, and it stays the user's.

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use memmap2::MmapRaw;

use super::removal::Attempt;
use super::{Backing, New, Place, Segment, disk, fence, no_such_file, not_a_lock, setup};
use crate::attachment::Options;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::{MAGIC_UNFINISHED, bytes_of};
use crate::liveness::{LockFile, slot_byte};

/// How long removing waits for another process that lays out or removes the same file.
const REMOVAL_TIMEOUT: Duration = Duration::from_millis(50);

/// Opens the lock at `path`, making it if the file is missing or empty, and takes a slot of it.
pub(crate) fn open(path: &Path, options: &Options) -> Result<(Segment, usize)> {
    let place = Place::File { path: path.to_path_buf() };
    loop {
        let Some(lock) = open_lock(path, &place)? else {
            match make(path, &place, options)? {
                Some(made) => return Ok(made),
                None => continue, // another process was faster
            }
        };
        if is_unfinished(&lock, &place)? {
            match finish(lock, &place, options, false)? {
                Some(finished) => return Ok(finished),
                None => continue,
            }
        }
        let segment = map(lock, place.clone())?;
        if segment.is_removed() {
            setup::enter(&segment.lock, &place, options.setup_timeout)?;
            // Whoever removed it has died, if it is still there.
            delete(segment, path)?;
            continue;
        }
        segment.check_capacity(options.capacity)?;
        if let Some(slot) = segment.enter()? {
            return Ok((segment, slot));
        }
    }
}

/// Removes the lock at `path`. `false` if there is none.
pub(crate) fn remove(path: &Path) -> Result<bool> {
    let place = Place::File { path: path.to_path_buf() };
    loop {
        let Some(lock) = open_lock(path, &place)? else { return Ok(false) };
        setup::enter(&lock, &place, REMOVAL_TIMEOUT)?;
        if !is_at(&lock, path, &place)? {
            continue;
        }
        // What its maker began, and died.
        if is_begun(&lock, &place)? && matches!(lock.is_in_use(), Ok(false)) {
            step!(remove_begun);
            return remove_file(path, &place).map(|()| true);
        }
        let segment = map(lock, place.clone())?;
        let cannot = |error| Error::access(format!("cannot remove {place}"), error);
        match segment.try_remove(|_| true).map_err(cannot)? {
            Attempt::Removed | Attempt::WasRemoved => return delete(segment, path).map(|()| true),
            Attempt::InUse | Attempt::Kept => return Err(segment.in_use()),
            Attempt::Contested => {}
        }
    }
}

/// Removes the file of a removed lock, if it is still there. The setup byte must be held.
fn delete(segment: Segment, path: &Path) -> Result<()> {
    fence::note(segment.gate().fence.load(Relaxed));
    let place = segment.place.clone();
    // Some systems do not remove what is mapped.
    let lock = segment.into_lock();
    if is_at(&lock, path, &place)? { remove_file(path, &place) } else { Ok(()) }
}

fn remove_file(path: &Path, place: &Place) -> Result<()> {
    step!(remove_file);
    let removed = disk::patiently(|| fs::remove_file(path));
    removed.map_err(|error| Error::access(format!("cannot remove {place}"), error))
}

/// `None` if there is no file.
fn open_lock(path: &Path, place: &Place) -> Result<Option<LockFile>> {
    let irregular = || not_a_lock(place, "it is not a regular file");
    let cannot = |error| match fs::metadata(path) {
        Ok(there) if !there.is_file() => irregular(),
        _ => Error::access(format!("cannot open {place}"), error),
    };
    // Without O_CREAT, which Linux refuses for another user's file in a folder like /tmp (fs.protected_regular, proc_sys_fs(5)).
    step!(open_file);
    let opened = no_such_file(disk::patiently(|| disk::shared().open(path))).map_err(cannot)?;
    let Some(file) = opened else { return Ok(None) };
    let metadata = metadata(&file, place)?;
    if !metadata.is_file() {
        return Err(irregular());
    }
    refuse_network(&file, place)?;
    Ok(Some(LockFile::new(file)))
}

fn metadata(file: &File, place: &Place) -> Result<fs::Metadata> {
    file.metadata().map_err(|error| Error::access(format!("cannot look at {place}"), error))
}

/// Whether `lock` is still the file that `path` leads to.
pub(super) fn is_at(lock: &LockFile, path: &Path, place: &Place) -> Result<bool> {
    disk::is_at(lock.file(), path).map_err(|error| Error::access(format!("cannot look at {place}"), error))
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

/// Makes a file that is a lock from its first moment on. `None`: there is one already.
fn make(path: &Path, place: &Place, options: &Options) -> Result<Option<(Segment, usize)>> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    step!(make_file);
    let unnamed = disk::unnamed(folder).map_err(|error| not_made(place, error))?;
    let Some(file) = unnamed else { return make_in_place(path, place, options) };
    refuse_network(&file, place)?;
    let lock = LockFile::new(file);
    let new = New::of(options);
    let map = lay_out(&lock, new).map_err(|error| no_room(place, new, error))?;
    let segment = Segment::create(Backing::File(map), lock, place.clone(), new);
    step!(link_file);
    match disk::link(segment.lock.file(), path) {
        Ok(()) => Ok(Some((segment, 0))),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && !is_symbolic_link(path) => Ok(None),
        // It cannot be linked from here, or a link leads to where the file is to be.
        Err(_) => make_in_place(path, place, options),
    }
}

/// Makes the file, and then a lock of it, as everybody else may do who finds it empty.
fn make_in_place(path: &Path, place: &Place, options: &Options) -> Result<Option<(Segment, usize)>> {
    let mut opening = disk::shared();
    if is_symbolic_link(path) {
        opening.create(true)
    } else {
        opening.create_new(true)
    };
    step!(make_file_in_place);
    match disk::patiently(|| opening.open(path)) {
        Ok(file) => {
            let lock = LockFile::new(file);
            refuse_network(lock.file(), place).inspect_err(|_| drop(fs::remove_file(path)))?;
            finish(lock, place, options, true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(not_made(place, error)),
    }
}

fn is_symbolic_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|there| there.is_symlink())
}

fn not_made(place: &Place, error: io::Error) -> Error {
    let why = if error.kind() == io::ErrorKind::NotFound { ": its folder does not exist" } else { "" };
    Error::access(format!("cannot make {place}{why}"), error)
}

fn no_room(place: &Place, new: New, error: io::Error) -> Error {
    Error::access(format!("cannot make {place} of {} bytes", bytes_of(new.capacity)), error)
}

/// Makes a lock of an unfinished file, while nobody else does. `None` if somebody did already. `is_ours`: the file was made for
/// it, and goes if that fails.
fn finish(lock: LockFile, place: &Place, options: &Options, is_ours: bool) -> Result<Option<(Segment, usize)>> {
    let Place::File { path } = place else { return Ok(None) };
    setup::enter(&lock, place, options.setup_timeout)?;
    if !is_at(&lock, path, place)? || !is_unfinished(&lock, place)? {
        return Ok(None);
    }
    if lock.is_in_use().map_err(|error| Error::access(format!("cannot look at {place}"), error))? {
        return Err(not_a_lock(place, "it was emptied while processes had it open"));
    }
    let new = New::of(options);
    let laid_out = (|| {
        step!(clear_file);
        lock.file().set_len(0)?; // of an unfinished one, so that what follows is zero
        step!(mark_unfinished);
        write_start(lock.file(), &MAGIC_UNFINISHED.to_le_bytes())?;
        lay_out(&lock, new)
    })();
    match laid_out {
        Ok(map) => {
            let segment = Segment::create(Backing::File(map), lock, place.clone(), new);
            setup::leave(&segment.lock);
            Ok(Some((segment, 0)))
        }
        Err(error) => {
            // An error here would hide the one that matters.
            if is_ours {
                let _ = fs::remove_file(path);
            } else {
                let _ = lock.file().set_len(0);
            }
            Err(no_room(place, new, error))
        }
    }
}

/// Gives the file its space, and the caller its first slot.
fn lay_out(lock: &LockFile, new: New) -> io::Result<MmapRaw> {
    step!(claim_file);
    if !lock.try_lock(slot_byte(0))? {
        return Err(io::Error::other("another process has its first slot"));
    }
    step!(reserve_file);
    disk::reserve(lock.file(), bytes_of(new.capacity))?;
    MmapRaw::map_raw(lock.file())
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
