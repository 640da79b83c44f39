//! The private directory of a user for the lock files of named locks. It is the same for every
//! process of the user, whatever its environment, except for one variable. Its content need not
//! survive a restart of the system.

use std::ffi::OsString;
use std::path::Path;
use std::sync::OnceLock;

use crate::error::{Error, ErrorKind, Result};

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(super) use unix::{ensure, existing, of_memory, path};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(super) use windows::{ensure, existing, of_memory, path};

/// Selects another directory, for machines whose usual one is missing or not writable.
pub(crate) const VARIABLE: &str = "PROCESS_RWLOCK_DIR";

/// The subdirectory for the memory of the locks, on systems where that consists of files.
pub(super) const MEMORY: &str = "memory";

/// The value of the variable. Read once, when the process opens its first named lock, because all
/// of its threads must agree.
fn elsewhere() -> Result<Option<&'static Path>> {
    static SAID: OnceLock<Option<OsString>> = OnceLock::new();
    let Some(said) = SAID.get_or_init(|| std::env::var_os(VARIABLE)) else { return Ok(None) };
    let path = Path::new(said);
    if path.is_absolute() {
        return Ok(Some(path));
    }
    let why = if said.is_empty() { "is empty".into() } else { format!("is '{}'", path.display()) };
    Err(refused(format!(
        "{VARIABLE} {why}: it must be the absolute path of a local directory, the same for every process that shares named \
         locks; correct it, or unset it"
    )))
}

fn refused(message: String) -> Error {
    Error::new(ErrorKind::Access, message)
}

/// What the user can do if the directory is unusable.
pub(super) fn remedy() -> String {
    format!(
        "set {VARIABLE} to a local directory that can be written to, the same for every process that shares named locks, or \
         use {{ path }}"
    )
}
