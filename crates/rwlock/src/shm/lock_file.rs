//! The lock file: its byte locks say who is alive. An attachment holds an exclusive lock on one byte, through an open file of its
//! own; the kernel drops it at death, whatever the death, and across pid namespaces.
//!
//! The bytes lie far beyond the mapped range, where some systems' locks would forbid access.

use std::fs::File;
use std::io;
use std::ops::Deref;

use super::layout::slots_of;
use crate::options::MAX_CAPACITY;
use crate::sys::byte_lock::ByteLockFile;

/// The byte that who lays a file out in place, or removes one, holds meanwhile.
pub(crate) const SETUP_BYTE: u64 = 1 << 40;

/// The byte that the owner of `slot` holds while it lives.
pub(crate) const fn slot_byte(slot: usize) -> u64 {
    SETUP_BYTE + 1 + slot as u64
}

/// An open lock file. One per attachment: its byte locks are the proof that the attachment lives.
pub(crate) struct LockFile(ByteLockFile);

impl LockFile {
    /// What `open` opens. It may be called more than once.
    pub fn open(open: impl FnMut() -> io::Result<File>) -> io::Result<Self> {
        ByteLockFile::open(open).map(Self)
    }

    /// Whether any other open file has a slot.
    pub fn is_in_use(&self) -> io::Result<bool> {
        self.is_locked(slot_byte(0), slots_of(MAX_CAPACITY))
    }

    /// Whether the attachment in `slot` lives. Asks about other open files only: never about the caller's own slot.
    pub fn is_alive(&self, slot: usize) -> bool {
        crash_point!(probe);
        // If the kernel does not answer, nobody is declared dead.
        self.is_locked(slot_byte(slot), 1).unwrap_or(true)
    }
}

impl Deref for LockFile {
    type Target = ByteLockFile;

    fn deref(&self) -> &ByteLockFile {
        &self.0
    }
}
