//! Where a lock is found, and the errors of its file or memory: what failed for which lock, why,
//! and what the user can do about it.

use std::fmt::{self, Display};
use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use super::lock_file::LockFile;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::byte_lock::ByteLockFile;
use crate::sys::files;
use crate::sys::os_error::{code_name, general, reason};

/// Where the lock is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LockLocation {
    /// `record` is the lock file, which names the shared memory `id`.
    Named {
        name: String,
        record: PathBuf,
        id: String,
    },
    File {
        path: PathBuf,
    },
}

impl Display for LockLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named { name, .. } => write!(f, "lock '{}'", name.escape_debug()),
            Self::File { path } => write!(f, "lock {}", path.display()),
        }
    }
}

impl LockLocation {
    /// `act` (open, read, lock …) failed for the lock's file, because `syscall` returned `error`.
    pub(crate) fn refused(&self, act: &str, syscall: &'static str, error: io::Error) -> Error {
        let is_file = matches!(self, Self::File { .. });
        let remedy = match code_name(&error) {
            Some("EACCES" | "EPERM") if is_file => {
                "this user must be allowed to read and write the file (chmod, chown) and to search its folders"
            }
            Some("EACCES" | "EPERM") => "this user must be allowed to read and write it (chmod, chown)",
            Some("EROFS") => "choose a path on a file system that is not read-only",
            Some("ENOTDIR") => "a part of the path is not a folder: correct the path",
            Some("ELOOP") => "the symbolic links cannot be resolved: correct them, or use the file's own path",
            Some("ENAMETOOLONG") => "choose a shorter path",
            Some("EBUSY" | "ETXTBSY") => "another program uses the file: stop it, or choose another path",
            Some("ESTALE" | "EIO") => "its disk has failed or was removed: repair it, or choose another path",
            Some("ENOSPC" | "EDQUOT") if is_file => NO_SPACE,
            Some("ENOSPC" | "EDQUOT") => NO_SHARED_MEMORY,
            _ => general(&error),
        };
        Error::system(format_args!("cannot {act} {self}"), reason(&error), error, remedy).during(syscall)
    }

    /// The file of the lock could not be created.
    pub(crate) fn not_made(&self, syscall: &'static str, error: io::Error) -> Error {
        let (why, remedy): (String, &str) = match code_name(&error) {
            Some("ENOENT") => ("its folder does not exist".into(), "create the folder first, or correct the path"),
            Some("EACCES" | "EPERM") => (
                reason(&error),
                "this user must be allowed to write to the folder: change its mode, or choose another path",
            ),
            _ => return self.refused("create", syscall, error),
        };
        Error::system(format_args!("cannot create {self}"), why, error, remedy).during(syscall)
    }

    /// The mode of the lock's new file could not be set, and its present mode lets some users read
    /// it but not write it.
    pub(crate) fn mode_not_given(&self, error: io::Error) -> Error {
        let remedy = "let its owner run chmod go-r on it; if the file system does not store modes, mount that with umask=077, or \
                      choose another path";
        let what = format!("cannot keep users who may not write to {self} from reading it");
        Error::system(what, reason(&error), error, remedy).during("fchmod")
    }

    /// The file of the lock could not be removed.
    pub(crate) fn not_removed(&self, syscall: &'static str, error: io::Error) -> Error {
        let remedy = match code_name(&error) {
            Some("EACCES" | "EPERM") => {
                "this user must be allowed to write to its folder, and in one like /tmp the file must be this user's"
            }
            _ => return self.refused("remove", syscall, error),
        };
        Error::system(format_args!("cannot remove {self}"), reason(&error), error, remedy).during(syscall)
    }

    /// The mode of the lock's shared memory `id` gives other users access.
    pub(crate) fn memory_open_to_others(&self, id: &str, mode: u32) -> Error {
        Error::new(
            ErrorKind::Access,
            format!("the shared memory of {self} is open to others (mode {mode:o}): run chmod 600 /dev/shm/{id}"),
        )
    }

    /// `bytes` of memory or disk space for the lock are not available.
    pub(crate) fn no_room(&self, bytes: usize, syscall: &'static str, error: io::Error) -> Error {
        let code = code_name(&error);
        let remedy: &dyn Display = match (self, code) {
            (Self::File { .. }, Some("ENOSPC" | "EDQUOT")) => &NO_SPACE,
            (Self::Named { .. }, Some("ENOSPC" | "EDQUOT")) => &NO_SHARED_MEMORY,
            (Self::File { .. }, Some("ENOTSUP" | "ENODEV" | "EINVAL")) => {
                &"its file system cannot reserve space or map files: choose a path on another local file system"
            }
            _ => &general(&error),
        };
        let what = match self {
            Self::Named { .. } => format!("cannot allocate {bytes} bytes of shared memory for {self}"),
            Self::File { .. } => format!("cannot create {self} with {bytes} bytes"),
        };
        let reason = reason(&error);
        Error::system(what, reason, error, remedy).during(syscall)
    }

    pub(crate) fn metadata(&self, file: &File) -> Result<Metadata> {
        file.metadata().map_err(|error| self.refused("check", "fstat", error))
    }

    /// Whether `path` still leads to the file that is open as `lock`.
    pub(crate) fn is_at(&self, lock: &LockFile, path: &Path) -> Result<bool> {
        files::is_at(lock.file(), path).map_err(|error| self.refused("check", "stat", error))
    }

    /// The memory or file cannot be a lock.
    pub(crate) fn not_a_lock(&self, why: &str) -> Error {
        let advice = match self {
            Self::Named { .. } => "stop the processes that have it open, and open it again",
            Self::File { .. } => "choose another path, or remove the file if it is not needed",
        };
        Error::corrupt(format!("{self} is not a valid lock: {why}. Nothing was changed; {advice}"))
    }

    /// The first byte lock failed.
    pub(crate) fn cannot_lock(&self, error: io::Error) -> Error {
        if !ByteLockFile::is_unsupported(&error) {
            return Error::access(format!("cannot lock {self}"), error).during("fcntl");
        }
        Error::unsupported(
            format!(
                "{self} cannot be used here: this system has no open file description locks (fcntl F_OFD_SETLK), by which the \
                 lock knows who is alive. WSL 1, old versions of gVisor and Linux before 3.15 lack them: use WSL 2, another \
                 container runtime or a newer kernel"
            ),
            error,
        )
    }
}

/// The directory of the lock files could not be created or checked.
pub(crate) fn no_directory(path: &Path, syscall: &'static str, error: io::Error) -> Error {
    let (why, remedy) = match code_name(&error) {
        Some("ENOENT") => (
            format!("{} does not exist", path.parent().unwrap_or(path).display()),
            "mount it, set PROCESS_RWLOCK_DIR to a local directory, the same for every process that shares named locks, or use \
             { path } with a file on a local disk",
        ),
        Some("EROFS" | "EACCES" | "EPERM") => (
            reason(&error),
            "let this user write there (mount it for writing, or correct its mode), set PROCESS_RWLOCK_DIR to a local directory, the \
             same for every process that shares named locks, or use { path } with a file on a local disk",
        ),
        Some("ENOTDIR") => (reason(&error), "name a directory with PROCESS_RWLOCK_DIR"),
        Some("ENOSPC" | "EDQUOT") => (reason(&error), NO_SHARED_MEMORY),
        _ => (reason(&error), general(&error)),
    };
    Error::system(format_args!("cannot create the directory {} for lock files", path.display()), why, error, remedy)
        .during(syscall)
}

const NO_SPACE: &str = "free space on that file system, choose a path on another one, or request a smaller capacity";

const NO_SHARED_MEMORY: &str = "free space in the shared memory (/dev/shm: remove what is not needed, or give a container more \
                                with docker run --shm-size), request a smaller capacity, or use { path } on a disk";
