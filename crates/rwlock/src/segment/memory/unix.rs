//! The system's own, through the `shared_memory` crate.

use std::ffi::CString;
use std::io;

use shared_memory::{ShmemConf, ShmemError};

use crate::segment::Backing;

/// How an id begins, for whoever looks at the memory of a machine.
#[cfg(target_os = "linux")]
pub(crate) fn id_prefix() -> String {
    // SAFETY: geteuid has no preconditions and cannot fail.
    format!("process-rwlock-{}-", unsafe { libc::geteuid() })
}

/// On macOS an id may have 31 bytes (`PSHMNAMLEN`).
#[cfg(target_os = "macos")]
pub(crate) fn id_prefix() -> String {
    "/prwlock-".into()
}

/// Maps the memory `id`. `InvalidInput`: it is empty, its maker died on the way.
pub(crate) fn open(id: &str) -> io::Result<Backing> {
    ShmemConf::new().os_id(id).open().map(Backing::Shared).map_err(system_error)
}

/// Makes the memory `id`, all zero, with all its pages: a full `/dev/shm` is an error now and not a signal later.
pub(crate) fn create(id: &str, bytes: usize) -> io::Result<Backing> {
    let made = (|| {
        step!(create_memory);
        let mut memory = ShmemConf::new().os_id(id).size(bytes).create().map_err(system_error)?;
        // No process owns it: it must outlive its maker.
        memory.set_owner(false);
        step!(reserve_memory);
        reserve(id, bytes)?;
        Ok(Backing::Shared(memory))
    })();
    made.inspect_err(|_| unlink(id))
}

pub(crate) fn unlink(id: &str) {
    if let Ok(id) = CString::new(id) {
        // SAFETY: `id` is a C string. Failing means that it is gone already.
        unsafe { libc::shm_unlink(id.as_ptr()) };
    }
}

#[cfg(target_os = "linux")]
fn reserve(id: &str, bytes: usize) -> io::Result<()> {
    use std::os::fd::FromRawFd;

    // `shared_memory` keeps its own descriptor to itself.
    let id = CString::new(id)?;
    // SAFETY: `id` is a C string.
    let descriptor = unsafe { libc::shm_open(id.as_ptr(), libc::O_RDWR | libc::O_CLOEXEC, 0) };
    if descriptor == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened, and nobody else's.
    let memory = unsafe { std::fs::File::from_raw_fd(descriptor) };
    crate::segment::disk::reserve(&memory, bytes)
}

/// On macOS shared memory has no limit of its own: it is swapped like other memory.
#[cfg(target_os = "macos")]
fn reserve(_id: &str, _bytes: usize) -> io::Result<()> {
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
