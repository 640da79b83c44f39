//! The system's shared memory, through the `shared_memory` crate.
//!
//! The crate keeps a descriptor open for each mapping. A process may have thousands of locks open,
//! and each needs a descriptor for its lock file already. So memory is mapped through a descriptor
//! that is closed immediately, and memory that the crate created is mapped again.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::FromRawFd;
use std::os::unix::fs::MetadataExt;

use memmap2::MmapRaw;
use shared_memory::{Shmem, ShmemConf, ShmemError};

use super::Unusable;
use crate::sys::files::retried;

#[cfg(target_os = "linux")]
pub(crate) fn id_prefix() -> String {
    // SAFETY: geteuid has no preconditions and cannot fail.
    format!("process-rwlock-{}-", unsafe { libc::geteuid() })
}

/// On macOS an ID has 31 bytes at most (`PSHMNAMLEN`).
#[cfg(target_os = "macos")]
pub(crate) fn id_prefix() -> String {
    "/prwlock-".into()
}

/// Maps the memory `id`.
pub(crate) fn open(id: &str) -> Result<MmapRaw, Unusable> {
    let (memory, _) = open_object(id)?;
    MmapRaw::map_raw(&memory).map_err(|error| Unusable::Refused("mmap", error))
}

/// Opens the memory `id`, if only this user can access it: any user can create memory with an ID
/// that is free. Also its length, which is not 0.
pub(crate) fn open_object(id: &str) -> Result<(File, u64), Unusable> {
    let memory = open_existing(id).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Unusable::Gone,
        // This user could open its own memory.
        io::ErrorKind::PermissionDenied => Unusable::Foreign("belongs to another user".into()),
        _ => Unusable::Refused("shm_open", error),
    })?;
    let found = memory.metadata().map_err(|error| Unusable::Refused("fstat", error))?;
    // SAFETY: geteuid has no preconditions and cannot fail.
    if found.uid() != unsafe { libc::geteuid() } {
        return Err(Unusable::Foreign(format!("belongs to user {}", found.uid())));
    }
    if found.mode() & 0o077 != 0 {
        return Err(Unusable::Open(found.mode() & 0o777));
    }
    if found.len() == 0 {
        return Err(Unusable::Empty);
    }
    Ok((memory, found.len()))
}

pub(crate) fn create(id: &str, bytes: usize) -> Result<MmapRaw, (&'static str, io::Error)> {
    crash_point!(create_memory);
    let mut memory = make(id, bytes).map_err(|error| ("shm_open", error))?;
    // No process owns the memory: it must outlive its creator.
    memory.set_owner(false);
    let object = open_existing(id).map_err(|error| ("shm_open", error))?;
    crash_point!(reserve_memory);
    reserve(&object, bytes).map_err(|error| ("fallocate", error))?;
    let map = MmapRaw::map_raw(&object).map_err(|error| ("mmap", error))?;
    drop(memory);
    Ok(map)
}

/// Only the first of its calls can be interrupted, before it has changed anything.
fn make(id: &str, bytes: usize) -> io::Result<Shmem> {
    loop {
        match ShmemConf::new().os_id(id).size(bytes).create().map_err(system_error) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            made => return made,
        }
    }
}

fn open_existing(id: &str) -> io::Result<File> {
    let id = CString::new(id)?;
    // SAFETY: `id` is a C string.
    let descriptor = retried(|| unsafe { libc::shm_open(id.as_ptr(), libc::O_RDWR | libc::O_CLOEXEC, 0) })?;
    // SAFETY: just opened, and not owned by anything else.
    Ok(unsafe { File::from_raw_fd(descriptor) })
}

pub(crate) fn unlink(id: &str) -> io::Result<()> {
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
    crate::sys::files::reserve(object, bytes)
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
