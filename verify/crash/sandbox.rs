//! A private `/dev/shm`: it has no other locks, and nothing stays behind.

use std::ffi::CStr;
use std::{fs, io, ptr};

/// Only while this process has one thread and has opened nothing there.
pub fn enter() -> io::Result<()> {
    // SAFETY: has no preconditions.
    let user = unsafe { libc::geteuid() };
    let spaces = libc::CLONE_NEWNS | if user == 0 { 0 } else { libc::CLONE_NEWUSER };
    // SAFETY: takes a number.
    checked(unsafe { libc::unshare(spaces) })?;
    if user != 0 {
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
    }
    mount(c"none", c"/", ptr::null(), libc::MS_REC | libc::MS_PRIVATE)?;
    mount(c"tmpfs", c"/dev/shm", c"tmpfs".as_ptr(), 0)
}

fn mount(source: &CStr, target: &CStr, kind: *const libc::c_char, flags: libc::c_ulong) -> io::Result<()> {
    // SAFETY: C strings, or null where that is allowed.
    checked(unsafe { libc::mount(source.as_ptr(), target.as_ptr(), kind, flags, ptr::null()) })
}

fn checked(result: i32) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
