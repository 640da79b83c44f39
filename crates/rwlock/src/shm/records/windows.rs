//! Windows. A record is one file, which can be renamed and removed while it is open. Removal
//! applies to the file that a handle was opened on, whatever has its name at the time. Source:
//! MoveFileExW and SetFileInformationByHandle in the documentation of Win32.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::AsRawHandle;
use std::path::{Path, PathBuf};

use windows_sys::Win32::Foundation::{ERROR_ALREADY_EXISTS, ERROR_FILE_EXISTS};
use windows_sys::Win32::Storage::FileSystem::{
    DELETE, FILE_DISPOSITION_FLAG_DELETE, FILE_DISPOSITION_FLAG_POSIX_SEMANTICS, FILE_DISPOSITION_INFO,
    FILE_DISPOSITION_INFO_EX, FileDispositionInfo, FileDispositionInfoEx, MoveFileExW, SetFileInformationByHandle,
};

use super::unpublished_name;
use crate::shm::lock_file::LockFile;
use crate::sys::files::{self, no_such_file};

/// The record `name`.
pub(crate) fn of(directory: &Path, name: impl AsRef<OsStr>) -> PathBuf {
    directory.join(name.as_ref())
}

/// A new, unpublished record.
pub(crate) fn make(directory: &Path) -> io::Result<(PathBuf, LockFile)> {
    let record = of(directory, unpublished_name()?);
    crash_point!(make_record);
    let lock = LockFile::open(|| files::private().create(true).truncate(false).open(&record))?;
    Ok((record, lock))
}

/// Renames a new record to its final name. `false` if that exists already.
pub(crate) fn publish(made: &Path, record: &Path) -> io::Result<bool> {
    let wide = |path: &Path| path.as_os_str().encode_wide().chain([0]).collect::<Vec<u16>>();
    let (from, to) = (wide(made), wide(record));
    crash_point!(publish);
    files::with_retries(|| {
        // SAFETY: both strings end with a NUL. Without flags nothing is replaced.
        if unsafe { MoveFileExW(from.as_ptr(), to.as_ptr(), 0) } != 0 {
            return Ok(true);
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error().map(i32::cast_unsigned) {
            Some(ERROR_ALREADY_EXISTS | ERROR_FILE_EXISTS) => Ok(false),
            _ => Err(error),
        }
    })
}

/// Removes `record` if it is still `file`. Succeeds if it does not exist.
pub(crate) fn delete(record: &Path, file: &File) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.access_mode(DELETE);
    crash_point!(delete_load);
    let Some(there) = no_such_file(files::with_retries(|| options.open(record).map_err(files::gone)))? else {
        return Ok(());
    };
    if files::identity(&there)? != files::identity(file)? {
        return Ok(());
    }
    crash_point!(unlink_record);
    let at_once =
        FILE_DISPOSITION_INFO_EX { Flags: FILE_DISPOSITION_FLAG_DELETE | FILE_DISPOSITION_FLAG_POSIX_SEMANTICS };
    let size = size_of_val(&at_once) as u32;
    // SAFETY: the handle is open, and `at_once` valid for reads of its size.
    let done = unsafe {
        SetFileInformationByHandle(there.as_raw_handle(), FileDispositionInfoEx, (&raw const at_once).cast(), size)
    };
    if done != 0 {
        return Ok(());
    }
    // A file system without this feature removes the file when all handles are closed.
    let later = FILE_DISPOSITION_INFO { DeleteFile: true };
    let size = size_of_val(&later) as u32;
    // SAFETY: as above.
    let done = unsafe {
        SetFileInformationByHandle(there.as_raw_handle(), FileDispositionInfo, (&raw const later).cast(), size)
    };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Removes an unpublished record. The caller holds its setup byte, so no other process removes it.
pub(crate) fn discard(made: &Path) -> io::Result<()> {
    no_such_file(files::with_retries(|| std::fs::remove_file(made))).map(drop)
}

/// A removed record leaves nothing.
pub(crate) fn forget(_record: &Path) {}

/// Opening the record finds whatever occupies its path.
pub(crate) fn is_blocked(_record: &Path) -> bool {
    false
}

/// Earlier layouts had their records at the same path.
pub(crate) fn earlier(_record: &Path) -> Option<PathBuf> {
    None
}
