//! A mapped file next to the lock files.
//!
//! Used on Windows, where the `shared_memory` crate uses a file too, but in `%TEMP%`: with another
//! `%TEMP%` the same ID leads elsewhere, and without a writable `%TEMP%` no memory can be created.
//! Used on other systems if `PROCESS_RWLOCK_DIR` selects another place.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use memmap2::MmapRaw;

use super::Unusable;
use crate::sys::files;

#[cfg(unix)]
fn options() -> OpenOptions {
    files::private()
}

#[cfg(windows)]
fn options() -> OpenOptions {
    use std::os::windows::fs::OpenOptionsExt;
    use windows_sys::Win32::Storage::FileSystem::FILE_ATTRIBUTE_TEMPORARY;

    let mut options = OpenOptions::new();
    // Tells Windows not to write the file to disk as long as memory is available.
    options.read(true).write(true).attributes(FILE_ATTRIBUTE_TEMPORARY);
    options
}

pub(crate) fn open(path: &Path) -> Result<MmapRaw, Unusable> {
    let (file, _) = open_file(path)?;
    map(&file).map_err(|error| Unusable::Refused("mmap", error))
}

/// Opens the memory at `path`. Also its length, which is not 0.
pub(crate) fn open_file(path: &Path) -> Result<(File, u64), Unusable> {
    let opened = files::with_retries(|| options().open(path).map_err(files::gone));
    let file = opened.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Unusable::Gone,
        _ => Unusable::Refused("open", error),
    })?;
    match file.metadata().map_err(|error| Unusable::Refused("fstat", error))?.len() {
        0 => Err(Unusable::Empty),
        length => Ok((file, length)),
    }
}

pub(crate) fn create(path: &Path, bytes: usize) -> Result<MmapRaw, (&'static str, io::Error)> {
    crash_point!(create_memory);
    let file = options().create_new(true).open(path).map_err(|error| ("open", error))?;
    files::prepare(&file).map_err(|error| ("ioctl", error))?;
    crash_point!(reserve_memory);
    files::reserve(&file, bytes).map_err(|error| ("fallocate", error))?;
    map(&file).map_err(|error| ("mmap", error))
}

fn map(file: &File) -> io::Result<MmapRaw> {
    MmapRaw::map_raw(file)
}

pub(crate) fn unlink(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => remove_at_last_close(path, error),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn remove_at_last_close(_path: &Path, error: io::Error) -> io::Result<()> {
    Err(error)
}

/// A mapped file cannot be removed, but it can be marked for deletion with its last handle.
#[cfg(windows)]
fn remove_at_last_close(path: &Path, _error: io::Error) -> io::Result<()> {
    use std::os::windows::fs::OpenOptionsExt;
    use windows_sys::Win32::Storage::FileSystem::{DELETE, FILE_FLAG_DELETE_ON_CLOSE};

    OpenOptions::new().access_mode(DELETE).custom_flags(FILE_FLAG_DELETE_ON_CLOSE).open(path).map(drop)
}
