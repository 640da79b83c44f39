//! Locks found by path: the file itself is mapped, and it belongs to the user.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use memmap2::MmapRaw;

use super::backing::Backing;
use super::location::LockLocation;
use super::lock_file::LockFile;
use super::removal::{self, Attempt};
use super::segment::{New, Segment};
use super::unfinished::{accept, create, create_unnamed, is_begun, is_unfinished, not_to_be_followed, refuse_readers};
use super::{claim, setup, token_floor};
use crate::error::{Error, ErrorKind, Result};
use crate::options::Options;
use crate::sys::files::{self, Unfit, no_such_file};

/// How long a removal waits for another process that initializes or removes the same file.
const REMOVAL_TIMEOUT: Duration = Duration::from_millis(50);

/// Opens the lock at `path`, creates it if the file is missing or empty, and takes a slot.
pub(crate) fn open(path: &Path, options: &Options) -> Result<(Segment, usize)> {
    let location = LockLocation::File { path: path.to_path_buf() };
    loop {
        let Some(lock) = open_lock(path, &location)? else {
            match make(path, &location, options)? {
                Some(made) => return Ok(made),
                None => continue, // another process was faster
            }
        };
        if is_unfinished(&lock, &location)? {
            match finish(lock, &location, options)? {
                Some(finished) => return Ok(finished),
                None => continue,
            }
        }
        let segment = map(lock, location.clone())?;
        if removal::is_removed(&segment) {
            setup::enter(&segment.lock, &location, options.setup_timeout)?;
            // If the file still exists, the process that removed the lock has died.
            delete(segment, path)?;
            continue;
        }
        segment.check_capacity(options.capacity)?;
        refuse_readers(&segment.lock, &segment.location)?;
        if let Some(slot) = claim::enter(&segment)? {
            return Ok((segment, slot));
        }
    }
}

/// The result of `see` for the lock at `path`. `None` if the file is missing, or not a lock yet.
pub(crate) fn see<T>(path: &Path, see: impl Fn(&Segment) -> T) -> Result<Option<T>> {
    let location = LockLocation::File { path: path.to_path_buf() };
    let Some(lock) = open_lock(path, &location)? else { return Ok(None) };
    if is_unfinished(&lock, &location)? {
        return Ok(None);
    }
    let segment = map(lock, location)?;
    Ok(if removal::is_removed(&segment) { None } else { Some(see(&segment)) })
}

/// Removes the lock at `path`. `false` if it does not exist.
pub(crate) fn remove(path: &Path) -> Result<bool> {
    let location = LockLocation::File { path: path.to_path_buf() };
    loop {
        let Some(lock) = open_lock(path, &location)? else { return Ok(false) };
        setup::enter(&lock, &location, REMOVAL_TIMEOUT)?;
        if !location.is_at(&lock, path)? {
            continue;
        }
        // The creator died before the lock was complete.
        if is_begun(&lock, &location)? && matches!(lock.is_in_use(), Ok(false)) {
            crash_point!(remove_begun);
            return remove_file(&lock, path, &location).map(|()| true);
        }
        let segment = map(lock, location.clone())?;
        let cannot = |error| location.refused("remove", "fcntl", error);
        match removal::try_remove(&segment, |_| true).map_err(cannot)? {
            Attempt::WasRemoved if removal::is_contradicted(&segment) => return Err(segment.in_use()),
            Attempt::Removed | Attempt::WasRemoved => return delete(segment, path).map(|()| true),
            Attempt::InUse | Attempt::Kept => return Err(segment.in_use()),
            Attempt::Contested => {}
        }
    }
}

/// Removes the file of a removed lock, if it still exists. The caller must hold the setup byte.
fn delete(segment: Segment, path: &Path) -> Result<()> {
    token_floor::note(segment.gate().last_token.load(Relaxed));
    let location = segment.location.clone();
    // Some systems do not remove mapped files.
    let lock = segment.into_lock();
    if location.is_at(&lock, path)? { remove_file(&lock, path, &location) } else { Ok(()) }
}

/// Removes the file only: symbolic links to it and its other hard links stay.
fn remove_file(lock: &LockFile, path: &Path, location: &LockLocation) -> Result<()> {
    let removed = (|| {
        let file = fs::canonicalize(path)?;
        if files::identity_at(&file)? != files::identity(lock.file())? {
            return Err(io::ErrorKind::NotFound.into()); // another file has replaced it
        }
        crash_point!(remove_file);
        files::with_retries(|| fs::remove_file(&file))
    })();
    removed.map_err(|error| location.not_removed("unlink", error))
}

/// `None` if the file does not exist.
fn open_lock(path: &Path, location: &LockLocation) -> Result<Option<LockFile>> {
    let irregular = || location.not_a_lock("it is not a regular file");
    let cannot = |error| match fs::metadata(path) {
        Ok(there) if !there.is_file() => irregular(),
        _ => location.refused("open", "open", error),
    };
    // Without O_CREAT, because Linux refuses O_CREAT for another user's file in a folder like /tmp
    // (fs.protected_regular, proc_sys_fs(5)).
    crash_point!(open_file);
    let opened = no_such_file(files::with_retries(|| LockFile::open(|| files::shared().open(path)))).map_err(cannot)?;
    let Some(lock) = opened else { return Ok(None) };
    if !location.metadata(lock.file())?.is_file() {
        return Err(irregular());
    }
    refuse_unfit(lock.file(), location)?;
    Ok(Some(lock))
}

/// Creates a file that is a lock from the moment it gets its name. `None` if the name exists
/// already.
fn make(path: &Path, location: &LockLocation, options: &Options) -> Result<Option<(Segment, usize)>> {
    let target = files::own_target(path).map_err(|why| not_to_be_followed(location, why))?;
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    crash_point!(make_file);
    let mut is_possible = true;
    let unnamed = LockFile::open(|| {
        let unnamed = files::unnamed(folder)?;
        is_possible = unnamed.is_some();
        unnamed.ok_or_else(|| io::ErrorKind::Unsupported.into())
    });
    let lock = match unnamed {
        Ok(lock) => lock,
        Err(_) if !is_possible => return make_in_place(&target, location, options),
        Err(error) => return Err(location.not_made("open", error)),
    };
    refuse_unfit(lock.file(), location)?;
    crash_point!(mode_file);
    // If the file system does not store modes, the mode that it shows instead is checked later.
    let _ = files::give_mode(lock.file());
    refuse_readers(&lock, location)?;
    let (segment, slot) = create_unnamed(lock, location, New::of(options))?;
    crash_point!(link_file);
    match files::link(segment.lock.file(), &target) {
        Ok(()) => Ok(Some((segment, slot))),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(_) => make_in_place(&target, location, options), // the file system cannot link it
    }
}

/// Creates an empty file and initializes it in place, as any process may do that finds it empty.
fn make_in_place(target: &Path, location: &LockLocation, options: &Options) -> Result<Option<(Segment, usize)>> {
    crash_point!(make_file);
    match files::with_retries(|| LockFile::open(|| files::make(target))) {
        Ok(lock) => {
            // Removes a new file that cannot be used.
            let unmade = |_: &Error| drop(fs::remove_file(target));
            refuse_unfit(lock.file(), location).inspect_err(unmade)?;
            finish(lock, location, options)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(location.not_made("open", error)),
    }
}

/// Initializes an unfinished file, while no other process does. `None` if another process already
/// did.
fn finish(lock: LockFile, location: &LockLocation, options: &Options) -> Result<Option<(Segment, usize)>> {
    let LockLocation::File { path } = location else { return Ok(None) };
    setup::enter(&lock, location, options.setup_timeout)?;
    if !location.is_at(&lock, path)? || !is_unfinished(&lock, location)? {
        return Ok(None);
    }
    accept(&lock, location)?;
    let (segment, slot) = create(lock, location, New::of(options))?;
    setup::leave(&segment.lock);
    Ok(Some((segment, slot)))
}

fn map(lock: LockFile, location: LockLocation) -> Result<Segment> {
    let length = location.metadata(lock.file())?.len();
    if length == 0 {
        return Err(location.not_a_lock("the file is empty"));
    }
    crash_point!(map_file);
    let map = MmapRaw::map_raw(lock.file()).map_err(|error| location.refused("map", "mmap", error))?;
    Segment::existing(Backing::File(map), lock, location).map_err(|(error, _)| error)
}

/// Memory mapped from a network file system is not shared between machines, and its byte locks may
/// not be the kernel's.
fn refuse_unfit(file: &File, location: &LockLocation) -> Result<()> {
    match files::unfit_file_system(file).map_err(|error| location.refused("check", "statfs", error))? {
        None => Ok(()),
        Some(Unfit { what, why }) => Err(Error::new(
            ErrorKind::Access,
            format!("{location} lies on {what}: {why}; choose a path on a local disk"),
        )),
    }
}
