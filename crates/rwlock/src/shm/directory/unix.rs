//! `/dev/shm` on Linux: it is next to the shared memory itself, both exist equally long, and
//! programs that clean `/tmp` do not touch it. On macOS, the user's own directory under
//! `/var/folders`; not the one for temporary files, from which the system removes files that were
//! not opened for three days. Source: confstr(3). `PROCESS_RWLOCK_DIR` selects another place.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::{MEMORY, VARIABLE, elsewhere, refused, remedy};
use crate::error::Result;
use crate::shm::location::no_directory;
use crate::sys::files::{self, Unfit, no_such_file};

fn user() -> u32 {
    // SAFETY: geteuid has no preconditions and cannot fail.
    unsafe { libc::geteuid() }
}

#[cfg(target_os = "linux")]
fn parent() -> PathBuf {
    "/dev/shm".into()
}

#[cfg(target_os = "macos")]
fn parent() -> PathBuf {
    use std::os::unix::ffi::OsStringExt;

    let mut path = vec![0_u8; libc::PATH_MAX as usize];
    // SAFETY: `path` is valid for writes of its length.
    let length = unsafe { libc::confstr(libc::_CS_DARWIN_USER_DIR, path.as_mut_ptr().cast(), path.len()) };
    // Includes the final NUL; 0 for a user without such a directory.
    path.truncate(length.clamp(1, path.len()) - 1);
    if path.is_empty() { "/tmp".into() } else { std::ffi::OsString::from_vec(path).into() }
}

pub(crate) fn path() -> Result<PathBuf> {
    let parent = elsewhere()?.map_or_else(parent, Path::to_path_buf);
    Ok(parent.join(format!("process-rwlock-{}", user())))
}

/// The directory of the memory, if it consists of files. `None`: the system's shared memory is
/// used.
pub(crate) fn of_memory() -> Option<PathBuf> {
    matches!(elsewhere(), Ok(Some(_))).then(|| path().unwrap_or_default().join(MEMORY))
}

/// Creates the directory if it is missing, and checks that no other user can access it.
pub(crate) fn ensure() -> Result<PathBuf> {
    let path = path()?;
    crash_point!(make_directory);
    make(&path)?;
    check(&path)?;
    if elsewhere()?.is_some() {
        refuse_network(&path)?;
        make(&path.join(MEMORY))?;
    }
    Ok(path)
}

/// The directory, if it exists.
pub(crate) fn existing() -> Result<Option<PathBuf>> {
    let path = path()?;
    Ok(check(&path)?.then_some(path))
}

/// Fails if another user can access the directory. `false`: it is missing.
fn check(path: &Path) -> Result<bool> {
    crash_point!(check_directory);
    let found = no_such_file(fs::symlink_metadata(path)).map_err(|error| no_directory(path, "lstat", error))?;
    let Some(found) = found else { return Ok(false) };
    let refuse = |why: String| Err(refused(format!("the directory for lock files, {}, {why}", path.display())));
    if !found.is_dir() {
        return refuse("is not a directory: remove it".into());
    }
    if found.uid() != user() {
        return refuse(format!(
            "belongs to user {}, not to user {}: it was put there by somebody else; have it removed, or {}",
            found.uid(),
            user(),
            remedy()
        ));
    }
    if found.mode() & 0o077 != 0 {
        return refuse(format!(
            "is open to others (mode {:o}): run chmod 700 {}",
            found.mode() & 0o777,
            path.display()
        ));
    }
    Ok(true)
}

fn make(path: &Path) -> Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(no_directory(path, "mkdir", error)),
        _ => Ok(()),
    }
}

/// Memory mapped from a network file system is not shared between machines.
fn refuse_network(path: &Path) -> Result<()> {
    let folder = File::open(path).map_err(|error| no_directory(path, "open", error))?;
    match files::unfit_file_system(&folder).map_err(|error| no_directory(path, "statfs", error))? {
        None => Ok(()),
        Some(Unfit { what, why }) => Err(refused(format!(
            "{VARIABLE} names {}, which lies on {what}: {why}; name a directory on a local disk",
            path.display()
        ))),
    }
}
