//! Shared memory by id, through the `shared_memory` crate.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::FromRawFd;

use shared_memory::{Shmem, ShmemConf, ShmemError};

use super::file;

/// Maps the memory `id`. `InvalidInput`: it is empty, its maker died on the way.
pub(super) fn open(id: &str) -> io::Result<Shmem> {
    ShmemConf::new().os_id(id).open().map_err(system_error)
}

/// Makes the memory `id`, all zero, with all its pages: a full `/dev/shm` is an error now and not a signal later.
pub(super) fn create(id: &str, bytes: usize) -> io::Result<Shmem> {
    let made = (|| {
        step!(create_memory);
        let mut memory = ShmemConf::new().os_id(id).size(bytes).create().map_err(system_error)?;
        // No process owns it: it must outlive its maker.
        memory.set_owner(false);
        step!(reserve_memory);
        file::reserve(&descriptor(id)?, bytes)?;
        Ok(memory)
    })();
    made.inspect_err(|_| unlink(id))
}

pub(super) fn unlink(id: &str) {
    if let Ok(id) = CString::new(id) {
        // SAFETY: `id` is a C string. Failing means that it is gone already.
        unsafe { libc::shm_unlink(id.as_ptr()) };
    }
}

/// `shared_memory` keeps its own descriptor to itself.
fn descriptor(id: &str) -> io::Result<File> {
    let id = CString::new(id)?;
    // SAFETY: `id` is a C string.
    let descriptor = unsafe { libc::shm_open(id.as_ptr(), libc::O_RDWR | libc::O_CLOEXEC, 0) };
    if descriptor == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened, and nobody else's.
    Ok(unsafe { File::from_raw_fd(descriptor) })
}

fn system_error(error: ShmemError) -> io::Error {
    match error {
        ShmemError::MapCreateFailed(code) | ShmemError::MapOpenFailed(code) | ShmemError::UnknownOsError(code) => {
            io::Error::from_raw_os_error(code as i32)
        }
        other => io::Error::other(other.to_string()),
    }
}
