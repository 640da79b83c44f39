//! Linux and macOS: open-file-description locks. Unlike `F_SETLK` locks they belong to the open file: closing another
//! descriptor of the same file does not drop them, and two threads of one process exclude each other.
//! Source: fcntl(2), "Open file description locks (non-POSIX)"; in POSIX.1-2024.

use std::io;
use std::os::fd::AsRawFd;

use super::ByteLockFile;

impl ByteLockFile {
    /// Locks `byte`; `false` if another open file holds it.
    pub fn try_lock(&self, byte: u64) -> io::Result<bool> {
        self.try_lock_all(byte, 1)
    }

    pub fn unlock(&self, byte: u64) -> io::Result<()> {
        self.control(libc::F_OFD_SETLK, libc::F_UNLCK as _, byte, 1).map(drop)
    }

    /// Locks `count` bytes from `byte` on, all or none; `false` if another open file holds one of
    /// them.
    pub fn try_lock_all(&self, byte: u64, count: usize) -> io::Result<bool> {
        match self.control(libc::F_OFD_SETLK, libc::F_WRLCK as _, byte, count) {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether any other open file holds one of `count` bytes from `byte` on.
    pub fn is_locked(&self, byte: u64, count: usize) -> io::Result<bool> {
        let found = self.control(libc::F_OFD_GETLK, libc::F_WRLCK as _, byte, count)?;
        Ok(i32::from(found.l_type) != i32::from(libc::F_UNLCK as libc::c_short))
    }

    /// Whether `error`, returned by one of the functions above, means that the system has no such
    /// locks.
    pub fn is_unsupported(error: &io::Error) -> bool {
        matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS | libc::EOPNOTSUPP))
    }

    fn control(&self, command: libc::c_int, kind: libc::c_short, byte: u64, count: usize) -> io::Result<libc::flock> {
        // SAFETY: `flock` is plain old data; all zero is a valid value of it (and `l_pid` must be 0 for these commands).
        let mut request: libc::flock = unsafe { std::mem::zeroed() };
        request.l_type = kind;
        request.l_whence = libc::SEEK_SET as _;
        request.l_start = byte as libc::off_t;
        request.l_len = count as libc::off_t;
        loop {
            // SAFETY: the descriptor is open while `self` lives, and `request` is valid for reads and writes.
            if unsafe { libc::fcntl(self.file().as_raw_fd(), command, &raw mut request) } != -1 {
                return Ok(request);
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }
}
