use std::fs::File;
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};

use windows_sys::Win32::Foundation::{ERROR_INVALID_PARAMETER, ERROR_LOCK_VIOLATION, HANDLE, NTSTATUS, STILL_ACTIVE};
use windows_sys::Win32::Storage::FileSystem::{
    LOCK_FILE_FLAGS, LOCKFILE_EXCLUSIVE_LOCK, LOCKFILE_FAIL_IMMEDIATELY, LockFileEx, UnlockFile,
};
use windows_sys::Win32::System::Diagnostics::Debug::{SEM_NOGPFAULTERRORBOX, SetErrorMode};
use windows_sys::Win32::System::IO::OVERLAPPED;
use windows_sys::Win32::System::Threading::{
    GetExitCodeProcess, OpenProcess, PROCESS_ACCESS_RIGHTS, PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SUSPEND_RESUME,
    PROCESS_TERMINATE, TerminateProcess,
};

use super::place_of;

/// How a killed process ended, as its parent sees it. Shells say so of `SIGKILL`.
const KILLED: u32 = 128 + 9;

#[link(name = "ntdll")]
unsafe extern "system" {
    fn NtSuspendProcess(process: HANDLE) -> NTSTATUS;
    fn NtResumeProcess(process: HANDLE) -> NTSTATUS;
}

/// Node starts its children so that they end with it.
pub(crate) fn bind_to_parent() {}

/// An abort on purpose opens no window.
pub fn leave_no_dump() {
    // SAFETY: takes a number.
    unsafe { SetErrorMode(SEM_NOGPFAULTERRORBOX) };
}

/// `None`: it is gone.
fn open(pid: u32, rights: PROCESS_ACCESS_RIGHTS) -> io::Result<Option<OwnedHandle>> {
    // SAFETY: takes numbers.
    let handle = unsafe { OpenProcess(rights | PROCESS_QUERY_LIMITED_INFORMATION, 0, pid) };
    if handle.is_null() {
        let error = io::Error::last_os_error();
        let gone = error.raw_os_error() == Some(ERROR_INVALID_PARAMETER as i32);
        return if gone { Ok(None) } else { Err(error) };
    }
    // SAFETY: just opened, and owned by this code alone.
    Ok(Some(unsafe { OwnedHandle::from_raw_handle(handle) }))
}

/// Kills a process that has not been waited for.
///
/// # Errors
/// If the system does not let us.
pub fn kill(pid: u32) -> io::Result<()> {
    let Some(process) = open(pid, PROCESS_TERMINATE)? else { return Ok(()) };
    // SAFETY: the handle is open.
    if unsafe { TerminateProcess(process.as_raw_handle(), KILLED) } != 0 || has_exited(&process) {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}

/// Stops such a process at whatever instruction it is.
///
/// # Errors
/// As [`kill`].
pub fn stop(pid: u32) -> io::Result<()> {
    let Some(process) = open(pid, PROCESS_SUSPEND_RESUME)? else { return Ok(()) };
    // SAFETY: the handle is open.
    let status = unsafe { NtSuspendProcess(process.as_raw_handle()) };
    done(status, &process)
}

/// Lets a stopped process go on.
///
/// # Errors
/// As [`kill`].
pub fn resume(pid: u32) -> io::Result<()> {
    let Some(process) = open(pid, PROCESS_SUSPEND_RESUME)? else { return Ok(()) };
    // SAFETY: the handle is open.
    let status = unsafe { NtResumeProcess(process.as_raw_handle()) };
    done(status, &process)
}

/// As a signal, it may come after the end.
fn done(status: NTSTATUS, process: &OwnedHandle) -> io::Result<()> {
    if status == 0 || has_exited(process) { Ok(()) } else { Err(io::Error::other(format!("status {status:#x}"))) }
}

/// Whether no thread of the process can run any code of its program again. The status of its end is set before the last of
/// its threads frees what the process had open, and with it the lock.
pub(crate) fn is_gone(pid: u32) -> bool {
    // A process that we may not open exists.
    open(pid, 0).is_ok_and(|process| process.is_none_or(|process| has_exited(&process)))
}

fn has_exited(process: &OwnedHandle) -> bool {
    let mut code = 0;
    // SAFETY: the handle is open, and `code` is valid for writes.
    unsafe { GetExitCodeProcess(process.as_raw_handle(), &raw mut code) != 0 && code != STILL_ACTIVE as u32 }
}

/// Takes the lock on a byte behind the page.
pub(crate) fn lock_byte(file: &File, process: usize) -> io::Result<()> {
    let locked = lock(file, process, LOCKFILE_EXCLUSIVE_LOCK)?;
    if locked { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
}

/// Whether process number `process` has its byte of the page locked, and so the kernel has not freed it.
pub(crate) fn has_byte(file: &File, process: usize) -> io::Result<bool> {
    if !lock(file, process, 0)? {
        return Ok(true);
    }
    let place = place_of(process);
    // SAFETY: the handle is open.
    let unlocked = unsafe { UnlockFile(file.as_raw_handle(), place as u32, (place >> 32) as u32, 1, 0) };
    if unlocked == 0 { Err(io::Error::last_os_error()) } else { Ok(false) }
}

fn lock(file: &File, process: usize, kind: LOCK_FILE_FLAGS) -> io::Result<bool> {
    // SAFETY: plain old data; all zero is a valid value of it.
    let mut at: OVERLAPPED = unsafe { std::mem::zeroed() };
    at.Anonymous.Anonymous.Offset = place_of(process) as u32;
    let flags = kind | LOCKFILE_FAIL_IMMEDIATELY;
    // SAFETY: the handle is open; `at` outlives the call, which does not return before it is done.
    if unsafe { LockFileEx(file.as_raw_handle(), flags, 0, 1, 0, &raw mut at) } != 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() == Some(ERROR_LOCK_VIOLATION as i32) { Ok(false) } else { Err(error) }
}
