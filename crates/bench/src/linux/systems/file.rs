//! The kernel's locks on files.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::mem;
use std::os::fd::AsRawFd;
use std::path::Path;

use super::{Lock, Result};

/// `flock(2)`.
pub struct Flock(File);

/// `fcntl(2)` with `F_OFD_SETLKW`, on the whole file: open file descriptions own the lock, not processes.
pub struct Fcntl(File);

/// Ends a hold.
pub struct FlockHeld<'a>(&'a Flock);

/// Ends a hold.
pub struct FcntlHeld<'a>(&'a Fcntl);

impl Lock for Flock {
    type Read<'a> = FlockHeld<'a>;
    type Write<'a> = FlockHeld<'a>;

    fn open(prefix: &Path) -> Result<Self> {
        Ok(Self(open(prefix)?))
    }

    fn version() -> String {
        kernel()
    }

    fn read(&self) -> Result<FlockHeld<'_>> {
        self.request(libc::LOCK_SH)?;
        Ok(FlockHeld(self))
    }

    fn write(&self) -> Result<FlockHeld<'_>> {
        self.request(libc::LOCK_EX)?;
        Ok(FlockHeld(self))
    }
}

impl Flock {
    fn request(&self, operation: libc::c_int) -> Result<()> {
        // SAFETY: takes two numbers; the descriptor is open.
        check(unsafe { libc::flock(self.0.as_raw_fd(), operation) })
    }
}

impl Drop for FlockHeld<'_> {
    fn drop(&mut self) {
        self.0.request(libc::LOCK_UN).expect("it is held");
    }
}

impl Lock for Fcntl {
    type Read<'a> = FcntlHeld<'a>;
    type Write<'a> = FcntlHeld<'a>;

    fn open(prefix: &Path) -> Result<Self> {
        Ok(Self(open(prefix)?))
    }

    fn version() -> String {
        kernel()
    }

    fn read(&self) -> Result<FcntlHeld<'_>> {
        self.request(libc::F_RDLCK)?;
        Ok(FcntlHeld(self))
    }

    fn write(&self) -> Result<FcntlHeld<'_>> {
        self.request(libc::F_WRLCK)?;
        Ok(FcntlHeld(self))
    }
}

impl Fcntl {
    fn request(&self, kind: libc::c_int) -> Result<()> {
        // SAFETY: plain old data; all zero is a valid value: the whole file.
        let mut request: libc::flock = unsafe { mem::zeroed() };
        request.l_type = kind as libc::c_short;
        // SAFETY: the descriptor is open and `request` valid for reads.
        check(unsafe { libc::fcntl(self.0.as_raw_fd(), libc::F_OFD_SETLKW, &raw const request) })
    }
}

impl Drop for FcntlHeld<'_> {
    fn drop(&mut self) {
        self.0.request(libc::F_UNLCK).expect("it is held");
    }
}

fn open(path: &Path) -> Result<File> {
    Ok(File::options().read(true).write(true).create(true).truncate(false).open(path)?)
}

fn check(result: libc::c_int) -> Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error().into()) }
}

pub fn kernel() -> String {
    // SAFETY: plain old data; all zero is a valid value.
    let mut system: libc::utsname = unsafe { mem::zeroed() };
    // SAFETY: valid for writes.
    unsafe { libc::uname(&raw mut system) };
    // SAFETY: a string that ends within the array, as the kernel wrote it or as it was.
    let release = unsafe { CStr::from_ptr(system.release.as_ptr()) };
    format!("Linux {}", release.to_string_lossy())
}
