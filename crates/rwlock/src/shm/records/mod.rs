//! Where the records of named locks are in the user's directory, and how a record is published and
//! removed: in one step, and exactly that record, whatever other processes do at the same time, and
//! even if the process was stopped for long before the step.

use std::io;
use std::path::{Path, PathBuf};

use super::{directory, token_floor};

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(super) use unix::{delete, discard, earlier, forget, is_blocked, make, of, publish};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(super) use windows::{delete, discard, earlier, forget, is_blocked, make, of, publish};

/// The prefix of the names of unpublished records.
const UNPUBLISHED: &str = ".new-";

/// The records in a directory, published and unpublished.
#[derive(Default)]
pub(super) struct Found {
    pub published: Vec<PathBuf>,
    pub unpublished: Vec<PathBuf>,
}

/// Empty if the directory is missing.
pub(super) fn all(directory: &Path) -> io::Result<Found> {
    let mut found = Found::default();
    crash_point!(read_directory);
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        entries => entries?,
    };
    for entry in entries {
        let name = entry?.file_name();
        if name == *token_floor::FILE || name == *directory::MEMORY {
            continue;
        }
        let is_published = !name.as_encoded_bytes().starts_with(UNPUBLISHED.as_bytes());
        let kind = if is_published { &mut found.published } else { &mut found.unpublished };
        kind.push(of(directory, &name));
    }
    Ok(found)
}

/// A unique name.
fn unpublished_name() -> io::Result<String> {
    let random = getrandom::u64().map_err(io::Error::other)?;
    Ok(format!("{UNPUBLISHED}{random:016x}"))
}
