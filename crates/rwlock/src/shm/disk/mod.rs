//! What the systems do not agree on about files.

use std::fs::File;
use std::io;
use std::path::Path;

pub(crate) mod error_names;

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
    gone, identity, identity_at, link, patiently, prepare, private, reserve, retried, shared, unfit_file_system,
    unnamed,
};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{
    give_mode, gone, identity, identity_at, link, make, mending, own_target, patiently, prepare, private, reserve,
    shared, unfit_file_system, unnamed,
};

/// A file system that is no place for a lock: what it is, and why not.
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

/// Whether `path` leads to `file`.
pub(crate) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    match identity_at(path).map_err(gone) {
        Ok(there) => Ok(identity(file)? == there),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
