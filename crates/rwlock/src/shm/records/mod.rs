//! Where the records of named locks are in the user's directory, and how one appears and disappears there: in one step, and
//! exactly that one, whatever other processes do at the same time, and also if the process was stopped for long before the step.

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

/// How the names of records begin that are not published yet.
const UNPUBLISHED: &str = ".new-";

/// The records in a directory: those of locks, and those that were not published yet.
#[derive(Default)]
pub(super) struct Found {
    pub published: Vec<PathBuf>,
    pub unpublished: Vec<PathBuf>,
}

/// None where there is no directory.
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

/// Names nobody else uses.
fn unpublished_name() -> io::Result<String> {
    let random = getrandom::u64().map_err(io::Error::other)?;
    Ok(format!("{UNPUBLISHED}{random:016x}"))
}
