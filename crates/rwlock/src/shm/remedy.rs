//! What a user can do about an error of the system: each `ERR_LOCK_ACCESS` says it once, beside the system's own reason.

use std::fmt::Display;
use std::io;
use std::path::Path;

use super::LockLocation;
use super::disk::error_names;
use crate::error::{Error, ErrorKind};

/// The reason of the system, as part of a sentence.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error ").next().unwrap_or(&text).trim_end_matches('.');
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// What the system calls the error: `EACCES`.
pub(crate) fn code_name(error: &io::Error) -> Option<&'static str> {
    error.raw_os_error().and_then(error_names::name)
}

/// The same, for a message; a number where there is no name.
pub(crate) fn code(error: &io::Error) -> Option<String> {
    Some(match code_name(error) {
        Some(name) => name.into(),
        None => format!("os error {}", error.raw_os_error()?),
    })
}

/// The remedy for what has the same one wherever it happens.
pub(crate) fn general(error: &io::Error) -> &'static str {
    match code_name(error) {
        Some("EMFILE") => {
            "close locks and files that this process does not need, or raise its limit of open files (ulimit -n)"
        }
        Some("ENFILE") => {
            "the whole machine has too many files open: close some, or raise its limit (sysctl fs.file-max)"
        }
        Some("ENOMEM") => {
            "free memory, or raise the limits on it (ulimit -v, sysctl vm.max_map_count, the container's memory)"
        }
        Some("ENOLCK") => "the machine has no room for more file locks: close locks that are not needed",
        Some("EFBIG") => "raise the limit on the size of files (ulimit -f), or ask for a smaller capacity",
        Some("ENOSYS") => "this system lacks what a lock needs, or forbids it (seccomp): run it where that is allowed",
        _ => "use { path } with a file on another local file system",
    }
}

/// The directory of the lock files could not be made or looked at.
pub(crate) fn no_directory(path: &Path, syscall: &'static str, error: io::Error) -> Error {
    let (why, remedy) = match code_name(&error) {
        Some("ENOENT") => (
            format!("there is no {}", path.parent().unwrap_or(path).display()),
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
    Error::system(format_args!("cannot make the directory {} for lock files", path.display()), why, error, remedy)
        .during(syscall)
}

impl LockLocation {
    /// `act` (open, read, lock …) could not be done to the lock's file, since `syscall` failed with `error`.
    pub(crate) fn refused(&self, act: &str, syscall: &'static str, error: io::Error) -> Error {
        let is_file = matches!(self, Self::File { .. });
        let remedy = match code_name(&error) {
            Some("EACCES" | "EPERM") if is_file => {
                "this user must be allowed to read and write the file (chmod, chown) and to search its folders"
            }
            Some("EACCES" | "EPERM") => "this user must be allowed to read and write it (chmod, chown)",
            Some("EROFS") => "choose a path on a file system that is not read-only",
            Some("ENOTDIR") => "a part of the path is no folder: correct the path",
            Some("ELOOP") => "the symbolic links lead nowhere: correct them, or use the file's own path",
            Some("ENAMETOOLONG") => "choose a shorter path",
            Some("EBUSY" | "ETXTBSY") => "something else uses the file: stop that, or choose another path",
            Some("ESTALE" | "EIO") => "its disk fails or is gone: repair it, or choose another path",
            Some("ENOSPC" | "EDQUOT") if is_file => NO_SPACE,
            Some("ENOSPC" | "EDQUOT") => NO_SHARED_MEMORY,
            _ => general(&error),
        };
        Error::system(format_args!("cannot {act} {self}"), reason(&error), error, remedy).during(syscall)
    }

    /// The file of the lock could not be made.
    pub(crate) fn not_made(&self, syscall: &'static str, error: io::Error) -> Error {
        let (why, remedy): (String, &str) = match code_name(&error) {
            Some("ENOENT") => ("its folder does not exist".into(), "make the folder first, or correct the path"),
            Some("EACCES" | "EPERM") => (
                reason(&error),
                "this user must be allowed to write to the folder: change its mode, or choose another path",
            ),
            _ => return self.refused("make", syscall, error),
        };
        Error::system(format_args!("cannot make {self}"), why, error, remedy).during(syscall)
    }

    /// The file of the lock to be has a mode that lets some users only read it.
    pub(crate) fn mode_not_given(&self, error: io::Error) -> Error {
        let remedy = "let its owner run chmod go-r on it; where the file system keeps no modes, mount that with umask=077, or \
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

    /// The shared memory `id` of the lock has a mode that lets others in.
    pub(crate) fn memory_open_to_others(&self, id: &str, mode: u32) -> Error {
        Error::new(
            ErrorKind::Access,
            format!("the shared memory of {self} is open to others (mode {mode:o}): run chmod 600 /dev/shm/{id}"),
        )
    }

    /// `bytes` for the lock could not be had.
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
            Self::Named { .. } => format!("cannot make {bytes} bytes of shared memory for {self}"),
            Self::File { .. } => format!("cannot make {self} of {bytes} bytes"),
        };
        let reason = reason(&error);
        Error::system(what, reason, error, remedy).during(syscall)
    }
}

const NO_SPACE: &str = "make room on that file system, choose a path on another one, or ask for a smaller capacity";

const NO_SHARED_MEMORY: &str = "make room in the shared memory (/dev/shm: remove what is not needed, or give a container more \
                                with docker run --shm-size), ask for a smaller capacity, or use { path } on a disk";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_reason_is_part_of_a_sentence() {
        let error = io::Error::other("Something Odd.");
        assert_eq!((reason(&error), code(&error)), ("something Odd".into(), None));
        #[cfg(unix)]
        {
            let error = io::Error::from_raw_os_error(libc::EACCES);
            assert_eq!((reason(&error), code(&error)), ("permission denied".into(), Some("EACCES".into())));
            assert_eq!(code(&io::Error::from_raw_os_error(9999)), Some("os error 9999".into()));
        }
    }
}
