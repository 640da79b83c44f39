//! The description of a system error, and a remedy that depends on the error only. Windows errors
//! have the names that Node.js gives them.

use std::io;

/// The system's reason, as part of a sentence.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error ").next().unwrap_or(&text).trim_end_matches('.');
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// The system's name of the error: `EACCES`.
pub(crate) fn code_name(error: &io::Error) -> Option<&'static str> {
    error.raw_os_error().and_then(name)
}

/// The same for a message; a number if there is no name.
pub(crate) fn code(error: &io::Error) -> Option<String> {
    Some(match code_name(error) {
        Some(name) => name.into(),
        None => format!("os error {}", error.raw_os_error()?),
    })
}

/// The remedy for an error that has the same one everywhere.
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

/// The name of the system's error `number`, if a lock can cause it.
#[cfg(unix)]
fn name(number: i32) -> Option<&'static str> {
    macro_rules! names {
        ($($name:ident)*) => {
            $(if number == libc::$name { return Some(stringify!($name)); })*
        };
    }
    names!(EACCES EPERM ENOENT ENOTDIR EISDIR EEXIST ELOOP ENAMETOOLONG EROFS ENOSPC EDQUOT EFBIG EMFILE ENFILE ENOMEM EIO
        EINTR EINVAL EBUSY ETXTBSY EAGAIN ENOSYS ENOTSUP ENODEV ENXIO ENOLCK ESTALE ENOTEMPTY EDEADLK EOVERFLOW EBADF);
    None
}

#[cfg(windows)]
fn name(number: i32) -> Option<&'static str> {
    use windows_sys::Win32::Foundation::*;

    Some(match number.cast_unsigned() {
        ERROR_ACCESS_DENIED | ERROR_PRIVILEGE_NOT_HELD => "EPERM",
        ERROR_FILE_NOT_FOUND | ERROR_PATH_NOT_FOUND | ERROR_INVALID_NAME | ERROR_BAD_PATHNAME => "ENOENT",
        ERROR_DIRECTORY => "ENOTDIR",
        ERROR_FILE_EXISTS | ERROR_ALREADY_EXISTS => "EEXIST",
        ERROR_FILENAME_EXCED_RANGE => "ENAMETOOLONG",
        ERROR_WRITE_PROTECT => "EROFS",
        ERROR_DISK_FULL | ERROR_HANDLE_DISK_FULL => "ENOSPC",
        ERROR_TOO_MANY_OPEN_FILES => "EMFILE",
        ERROR_NOT_ENOUGH_MEMORY | ERROR_OUTOFMEMORY | ERROR_COMMITMENT_LIMIT => "ENOMEM",
        ERROR_SHARING_VIOLATION | ERROR_LOCK_VIOLATION | ERROR_USER_MAPPED_FILE => "EBUSY",
        ERROR_INVALID_PARAMETER => "EINVAL",
        ERROR_NOT_SUPPORTED | ERROR_INVALID_FUNCTION => "ENOTSUP",
        _ => return None,
    })
}

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
