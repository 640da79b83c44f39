//! The file locks of the kernel.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::mem;
use std::os::fd::AsRawFd;
use std::path::Path;

use super::{Lock, Result};

/// A file lock, of one of the two kinds of the kernel.
pub struct FileLock<K: Kind> {
    file: File,
    kind: PhantomData<K>,
}

pub type Flock = FileLock<WholeFile>;
pub type Fcntl = FileLock<Range>;

/// Ends a hold.
pub struct Held<'a, K: Kind>(&'a FileLock<K>);

pub trait Kind {
    const READ: libc::c_int;
    const WRITE: libc::c_int;
    const UNLOCK: libc::c_int;

    /// Acquires a lock, waiting for it, or releases it.
    fn request(file: &File, operation: libc::c_int) -> libc::c_int;
}

/// `flock(2)`.
pub struct WholeFile;

impl Kind for WholeFile {
    const READ: libc::c_int = libc::LOCK_SH;
    const WRITE: libc::c_int = libc::LOCK_EX;
    const UNLOCK: libc::c_int = libc::LOCK_UN;

    fn request(file: &File, operation: libc::c_int) -> libc::c_int {
        // SAFETY: the arguments are numbers; the descriptor is open.
        unsafe { libc::flock(file.as_raw_fd(), operation) }
    }
}

/// `fcntl(2)` with `F_OFD_SETLKW`, on all bytes: open file descriptions own the lock, not processes.
pub struct Range;

impl Kind for Range {
    const READ: libc::c_int = libc::F_RDLCK;
    const WRITE: libc::c_int = libc::F_WRLCK;
    const UNLOCK: libc::c_int = libc::F_UNLCK;

    fn request(file: &File, operation: libc::c_int) -> libc::c_int {
        // SAFETY: plain old data; all zero is a valid value: all bytes.
        let mut request: libc::flock = unsafe { mem::zeroed() };
        request.l_type = operation as libc::c_short;
        // SAFETY: the descriptor is open and `request` valid for reads.
        unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLKW, &raw const request) }
    }
}

impl<K: Kind> Lock for FileLock<K> {
    type Read<'a>
        = Held<'a, K>
    where
        K: 'a;
    type Write<'a>
        = Held<'a, K>
    where
        K: 'a;

    fn open(prefix: &Path) -> Result<Self> {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(prefix)?;
        Ok(Self { file, kind: PhantomData })
    }

    fn version() -> String {
        kernel()
    }

    fn read(&self) -> Result<Held<'_, K>> {
        self.request(K::READ)?;
        Ok(Held(self))
    }

    fn write(&self) -> Result<Held<'_, K>> {
        self.request(K::WRITE)?;
        Ok(Held(self))
    }
}

impl<K: Kind> FileLock<K> {
    fn request(&self, operation: libc::c_int) -> Result<()> {
        if K::request(&self.file, operation) == 0 { Ok(()) } else { Err(io::Error::last_os_error().into()) }
    }
}

impl<K: Kind> Drop for Held<'_, K> {
    fn drop(&mut self) {
        self.0.request(K::UNLOCK).expect("it is held");
    }
}

pub fn kernel() -> String {
    // SAFETY: plain old data; all zero is a valid value.
    let mut system: libc::utsname = unsafe { mem::zeroed() };
    // SAFETY: valid for writes.
    unsafe { libc::uname(&raw mut system) };
    // SAFETY: a string that ends within the array, whether the kernel wrote it or left it zeroed.
    let release = unsafe { CStr::from_ptr(system.release.as_ptr()) };
    format!("Linux {}", release.to_string_lossy())
}
