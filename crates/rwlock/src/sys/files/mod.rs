//! File operations that differ between systems.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;

#[cfg(unix)]
mod access;
#[cfg(target_os = "linux")]
mod file_system;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use access::{give_mode, make, mending, own_target};
#[cfg(unix)]
pub(crate) use unix::{
    gone, identity, identity_at, link, prepare, private, reserve, retried, shared, unfit_file_system, unnamed,
    with_retries,
};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{
    give_mode, gone, identity, identity_at, link, make, mending, own_target, prepare, private, reserve, shared,
    unfit_file_system, unnamed, with_retries,
};

/// A file system that cannot hold a lock: its name, and the reason.
pub(crate) struct Unfit {
    pub what: String,
    pub why: &'static str,
}

impl Unfit {
    pub fn network(name: &str) -> Self {
        Self {
            what: format!("a network file system ({name})"),
            why: "processes on other machines would not see the lock",
        }
    }
}

/// Identifies a file on the machine: its device, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    pub device: u64,
    pub number: u128,
}

/// `None` if the file does not exist.
pub(crate) fn no_such_file<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether `path` leads to `file`.
pub(crate) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    match identity_at(path).map_err(gone) {
        Ok(there) => Ok(identity(file)? == there),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Reads from the start of the file. (The position of the open file must not be shared.)
pub(crate) fn read_start(mut file: &File, bytes: &mut [u8]) -> io::Result<()> {
    file.rewind()?;
    file.read_exact(bytes)
}

/// Writes at the start of the file.
pub(crate) fn write_start(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    file.rewind()?;
    file.write_all(bytes)
}
