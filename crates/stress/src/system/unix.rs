use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use super::place_of;

/// Ends this process with its parent. (On macOS there is no such thing.)
pub(crate) fn bind_to_parent() {
    #[cfg(target_os = "linux")]
    // SAFETY: takes numbers.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL)
    };
}

/// An abort on purpose leaves no core file.
pub fn leave_no_dump() {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `none` is valid for reads.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
}

/// Kills a process that has not been waited for.
///
/// # Errors
/// If the system does not let us.
pub fn kill(pid: u32) -> io::Result<()> {
    signal(pid, libc::SIGKILL)
}

/// Stops such a process at whatever instruction it is.
///
/// # Errors
/// As [`kill`].
pub fn stop(pid: u32) -> io::Result<()> {
    signal(pid, libc::SIGSTOP)
}

/// Lets a stopped process go on.
///
/// # Errors
/// As [`kill`].
pub fn resume(pid: u32) -> io::Result<()> {
    signal(pid, libc::SIGCONT)
}

fn signal(pid: u32, signal: i32) -> io::Result<()> {
    // SAFETY: takes two numbers.
    let sent = unsafe { libc::kill(pid.cast_signed(), signal) };
    if sent == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Takes the open-file lock on a byte behind the page.
pub(crate) fn lock_byte(file: &File, process: usize) -> io::Result<()> {
    control(file, libc::F_OFD_SETLK, process).map(drop)
}

/// Whether process number `process` has its byte of the page locked, and so the kernel has not freed it.
pub(crate) fn has_byte(file: &File, process: usize) -> io::Result<bool> {
    let found = control(file, libc::F_OFD_GETLK, process)?;
    Ok(i32::from(found.l_type) != i32::from(libc::F_UNLCK as libc::c_short))
}

fn control(file: &File, command: libc::c_int, process: usize) -> io::Result<libc::flock> {
    // SAFETY: `flock` is plain old data; all zero is a valid value of it.
    let mut request: libc::flock = unsafe { std::mem::zeroed() };
    request.l_type = libc::F_WRLCK as _;
    request.l_whence = libc::SEEK_SET as _;
    request.l_start = place_of(process) as libc::off_t;
    request.l_len = 1;
    // SAFETY: the descriptor is open, and `request` is valid for reads and writes.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), command, &raw mut request) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(request) }
}
