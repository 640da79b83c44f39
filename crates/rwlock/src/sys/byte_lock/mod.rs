//! Who is alive: the kernel says so. An attachment holds an exclusive lock on one byte of the lock file, through an open
//! file of its own; the kernel drops it at death, whatever the death, and across pid namespaces.
//!
//! The bytes lie far beyond the mapped range, where some systems' locks would forbid access.

#[cfg(miri)]
mod miri;
#[cfg(all(unix, not(miri)))]
mod unix;
#[cfg(all(windows, not(miri)))]
mod windows;

use std::fs::File;
use std::io;

use crate::shm::forked::OpenFile;
use crate::shm::layout::{MAX_CAPACITY, slots_of};

/// An open lock file. One per attachment: its byte locks are the proof that the attachment lives. How they are taken, given back
/// and asked about is the system's.
pub(crate) struct LockFile(OpenFile);

impl LockFile {
    /// What `open` opens. It may be called more than once.
    pub fn open(open: impl FnMut() -> io::Result<File>) -> io::Result<Self> {
        OpenFile::open(open).map(Self)
    }

    pub fn file(&self) -> &File {
        self.0.file()
    }

    /// Whether any other open file has a slot.
    pub fn is_in_use(&self) -> io::Result<bool> {
        self.is_locked(slot_byte(0), slots_of(MAX_CAPACITY))
    }
}

/// The byte that who lays a file out in place, or removes one, holds meanwhile.
pub(crate) const SETUP_BYTE: u64 = 1 << 40;

/// The byte that the owner of `slot` holds while it lives.
pub(crate) const fn slot_byte(slot: usize) -> u64 {
    SETUP_BYTE + 1 + slot as u64
}
