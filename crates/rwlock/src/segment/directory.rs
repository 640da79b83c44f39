//! The private per-user directory of the lock files, the same for every process of the user whatever its environment.
//! On Linux it lies beside the shared memory itself: both live and vanish together, and no cleaner of `/tmp` visits it.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::PathBuf;

use crate::error::{Error, ErrorKind, Result};

#[cfg(target_os = "linux")]
const PARENT: &str = "/dev/shm";

pub(super) fn user() -> u32 {
    // SAFETY: geteuid has no preconditions and cannot fail.
    unsafe { libc::geteuid() }
}

pub(super) fn path() -> PathBuf {
    PathBuf::from(format!("{PARENT}/process-rwlock-{}", user()))
}

/// Makes the directory if it is missing, and checks that nobody else can reach into it.
pub(super) fn ensure() -> Result<PathBuf> {
    let path = path();
    step!(make_directory);
    if let Err(error) = DirBuilder::new().mode(0o700).create(&path)
        && error.kind() != std::io::ErrorKind::AlreadyExists
    {
        return Err(Error::access(format!("cannot make the directory {} for lock files", path.display()), error));
    }
    let found = fs::symlink_metadata(&path)
        .map_err(|error| Error::access(format!("cannot look at {}", path.display()), error))?;
    let refuse = |why: String| {
        Err(Error::new(ErrorKind::Access, format!("the directory for lock files, {}, {why}", path.display())))
    };
    if !found.is_dir() {
        return refuse("is not a directory: remove it".into());
    }
    if found.uid() != user() {
        return refuse(format!(
            "belongs to user {}, not to user {}: it was put there by somebody else; have it removed",
            found.uid(),
            user()
        ));
    }
    if found.mode() & 0o077 != 0 {
        return refuse(format!("is open to others (mode {:o}): set it to 700", found.mode() & 0o777));
    }
    Ok(path)
}
