//! The system's own, through the `shared_memory` crate.
//!
//! The crate keeps a descriptor for each mapping. A process may have thousands of locks open, and their lock files need one each
//! already: so memory is mapped from a descriptor that is closed at once, and what the crate made is mapped once more.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::FromRawFd;

use memmap2::MmapRaw;
use shared_memory::{ShmemConf, ShmemError};

use crate::segment::Backing;

#[cfg(target_os = "linux")]
pub(super) fn id_prefix() -> String {
    // SAFETY: geteuid has no preconditions and cannot fail.
    format!("process-rwlock-{}-", unsafe { libc::geteuid() })
}

/// On macOS an id may have 31 bytes (`PSHMNAMLEN`).
#[cfg(target_os = "macos")]
pub(super) fn id_prefix() -> String {
    "/prwlock-".into()
}

pub(super) fn open(id: &str) -> io::Result<Backing> {
    let object = open_object(id)?;
    if object.metadata()?.len() == 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    MmapRaw::map_raw(&object).map(Backing::Shared)
}

pub(super) fn create(id: &str, bytes: usize) -> io::Result<Backing> {
    step!(create_memory);
    let mut memory = ShmemConf::new().os_id(id).size(bytes).create().map_err(system_error)?;
    // No process owns it: it must outlive its maker.
    memory.set_owner(false);
    let object = open_object(id)?;
    step!(reserve_memory);
    reserve(&object, bytes)?;
    let map = MmapRaw::map_raw(&object)?;
    drop(memory);
    Ok(Backing::Shared(map))
}

fn open_object(id: &str) -> io::Result<File> {
    let id = CString::new(id)?;
    // SAFETY: `id` is a C string.
    let descriptor = unsafe { libc::shm_open(id.as_ptr(), libc::O_RDWR | libc::O_CLOEXEC, 0) };
    if descriptor == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened, and nobody else's.
    Ok(unsafe { File::from_raw_fd(descriptor) })
}

pub(super) fn unlink(id: &str) -> io::Result<()> {
    let id = CString::new(id)?;
    // SAFETY: `id` is a C string.
    if unsafe { libc::shm_unlink(id.as_ptr()) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

#[cfg(target_os = "linux")]
fn reserve(object: &File, bytes: usize) -> io::Result<()> {
    crate::segment::disk::reserve(object, bytes)
}

/// On macOS shared memory has no limit of its own: it is swapped like other memory.
#[cfg(target_os = "macos")]
fn reserve(_object: &File, _bytes: usize) -> io::Result<()> {
    Ok(())
}

fn system_error(error: ShmemError) -> io::Error {
    match error {
        ShmemError::MapCreateFailed(code) | ShmemError::MapOpenFailed(code) | ShmemError::UnknownOsError(code) => {
            io::Error::from_raw_os_error(code as i32)
        }
        other => io::Error::other(other.to_string()),
    }
}
