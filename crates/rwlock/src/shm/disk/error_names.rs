//! What the systems call their errors. Those of Windows have the names that Node.js gives them.

/// The name of the system's error `number`, if it is one that a lock can meet.
#[cfg(unix)]
pub(crate) fn name(number: i32) -> Option<&'static str> {
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
pub(crate) fn name(number: i32) -> Option<&'static str> {
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
