//! `/dev/shm` on Linux: it lies beside the shared memory itself, both live and vanish together, and no cleaner of `/tmp` visits
//! it. On macOS the user's own directory under `/var/folders`; not the one for temporary files, whose files the system removes
//! when nobody has opened them for three days. Source: confstr(3).

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::PathBuf;

use crate::error::{Error, ErrorKind, Result};
use crate::segment::remedy;

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
    // With the NUL at its end; 0 for a user that has none.
    path.truncate(length.clamp(1, path.len()) - 1);
    if path.is_empty() { "/tmp".into() } else { std::ffi::OsString::from_vec(path).into() }
}

pub(crate) fn path() -> PathBuf {
    parent().join(format!("process-rwlock-{}", user()))
}

/// Makes the directory if it is missing, and checks that nobody else can reach into it.
pub(crate) fn ensure() -> Result<PathBuf> {
    let path = path();
    step!(make_directory);
    if let Err(error) = DirBuilder::new().mode(0o700).create(&path)
        && error.kind() != std::io::ErrorKind::AlreadyExists
    {
        return Err(remedy::no_directory(&path, "mkdir", error));
    }
    let found = fs::symlink_metadata(&path).map_err(|error| remedy::no_directory(&path, "lstat", error))?;
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
        let path = path.display();
        return refuse(format!("is open to others (mode {:o}): run chmod 700 {path}", found.mode() & 0o777));
    }
    Ok(path)
}
