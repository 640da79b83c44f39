//! Linux and macOS. Each record has its own folder, which never contains another record. The folder
//! is published by `rename`, which replaces nothing but an empty folder, and the record is removed
//! relative to its folder, wherever that is at the time. Source: rename(2), unlinkat(2).

use std::ffi::{CStr, OsStr};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::unpublished_name;
use crate::shm::lock_file::LockFile;
use crate::sys::files::{self, no_such_file};

const RECORD: &CStr = c"record";

/// The record in the folder `name`.
pub(crate) fn of(directory: &Path, name: impl AsRef<OsStr>) -> PathBuf {
    directory.join(name.as_ref()).join("record")
}

fn folder_of(record: &Path) -> &Path {
    record.parent().expect("a record has a folder")
}

/// A new, unpublished record.
pub(crate) fn make(directory: &Path) -> io::Result<(PathBuf, LockFile)> {
    let record = of(directory, unpublished_name()?);
    crash_point!(make_folder);
    DirBuilder::new().mode(0o700).create(folder_of(&record))?;
    crash_point!(make_record);
    match LockFile::open(|| files::private().create(true).truncate(false).open(&record)) {
        Ok(lock) => Ok((record, lock)),
        Err(error) => {
            let _ = fs::remove_dir(folder_of(&record));
            Err(error)
        }
    }
}

/// Renames a new record to its final name. `false` if that exists already.
pub(crate) fn publish(made: &Path, record: &Path) -> io::Result<bool> {
    crash_point!(publish);
    match fs::rename(folder_of(made), folder_of(record)) {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOTEMPTY | libc::EEXIST)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes `record` if it is still `file`. Succeeds if it does not exist.
pub(crate) fn delete(record: &Path, file: &File) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW);
    crash_point!(open_folder);
    let Some(folder) = no_such_file(options.open(folder_of(record)))? else { return Ok(()) };
    // SAFETY: `stat` is plain old data; all zero is a valid value of it.
    let mut there: libc::stat = unsafe { std::mem::zeroed() };
    crash_point!(delete_load);
    // SAFETY: the descriptor is open, the name a C string, and `there` valid for writes.
    let found =
        unsafe { libc::fstatat(folder.as_raw_fd(), RECORD.as_ptr(), &raw mut there, libc::AT_SYMLINK_NOFOLLOW) };
    if no_such_file(checked(found))?.is_some() {
        let own = file.metadata()?;
        if (there.st_dev as u64, there.st_ino as u64) != (own.dev(), own.ino()) {
            return Ok(());
        }
        crash_point!(unlink_record);
        // SAFETY: the descriptor is open, and the name a C string.
        no_such_file(checked(unsafe { libc::unlinkat(folder.as_raw_fd(), RECORD.as_ptr(), 0) }))?;
    }
    crash_point!(unlink_folder);
    // An empty folder does no harm, and a folder that is not empty belongs to another lock by now.
    let _ = fs::remove_dir(folder_of(record));
    Ok(())
}

/// Removes an unpublished record. The caller holds its setup byte, so no other process removes it,
/// and no descriptor is needed, which may not be available.
pub(crate) fn discard(made: &Path) -> io::Result<()> {
    no_such_file(fs::remove_file(made))?;
    no_such_file(fs::remove_dir(folder_of(made))).map(drop)
}

/// Removes what is left of a removed record.
pub(crate) fn forget(record: &Path) {
    crash_point!(forget_folder);
    let _ = fs::remove_dir(folder_of(record));
}

/// Whether the final path of a record is occupied by something that is not a record.
pub(crate) fn is_blocked(record: &Path) -> bool {
    let there = fs::read_dir(folder_of(record)).into_iter().flatten().flatten();
    { there }.any(|entry| Some(&*entry.file_name()) != record.file_name())
}

/// Until layout 2, a record was a file at the path where its folder is now.
pub(crate) fn earlier(record: &Path) -> Option<PathBuf> {
    let path = folder_of(record);
    fs::symlink_metadata(path).is_ok_and(|there| !there.is_dir()).then(|| path.into())
}

fn checked(result: i32) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
