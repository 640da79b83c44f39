//! What the systems do not agree on about files.

use std::fs::File;
use std::io;
use std::path::Path;

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{
    gone, identity, identity_at, link, network_file_system, patiently, private, reserve, shared, unnamed,
};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{
    gone, identity, identity_at, link, network_file_system, patiently, private, reserve, shared, unnamed,
};

/// Whether `path` leads to `file`.
pub(crate) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    match identity_at(path).map_err(gone) {
        Ok(there) => Ok(identity(file)? == there),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
