//! The lock file: its byte locks show which attachments live. Each attachment holds an exclusive
//! lock on one byte, through its own open file. The kernel drops the lock when the process dies,
//! for any reason, and shows it in all PID namespaces.
//!
//! The bytes are far beyond the mapped range, because on some systems byte locks forbid access to
//! the locked range.

use std::fs::File;
use std::io;
use std::ops::Deref;

use super::layout::slots_of;
use crate::options::MAX_CAPACITY;
use crate::sys::byte_lock::ByteLockFile;

/// The byte that a process locks while it initializes a file in place or removes one.
pub(crate) const SETUP_BYTE: u64 = 1 << 40;

/// The byte that the owner of `slot` locks as long as it lives.
pub(crate) const fn slot_byte(slot: usize) -> u64 {
    SETUP_BYTE + 1 + slot as u64
}

/// An open lock file. Each attachment has its own: its byte locks prove that the attachment lives.
pub(crate) struct LockFile(ByteLockFile);

impl LockFile {
    /// Opens the file with `open`, which may be called more than once.
    pub fn open(open: impl FnMut() -> io::Result<File>) -> io::Result<Self> {
        ByteLockFile::open(open).map(Self)
    }

    /// Whether any other open file holds a slot.
    pub fn is_in_use(&self) -> io::Result<bool> {
        self.is_locked(slot_byte(0), slots_of(MAX_CAPACITY))
    }

    /// Whether the attachment in `slot` lives. Considers other open files only, so it must not be
    /// called for the caller's own slot.
    pub fn is_alive(&self, slot: usize) -> bool {
        crash_point!(probe);
        // If the kernel gives no answer, the owner is treated as alive.
        self.is_locked(slot_byte(slot), 1).unwrap_or(true)
    }
}

impl Deref for LockFile {
    type Target = ByteLockFile;

    fn deref(&self) -> &ByteLockFile {
        &self.0
    }
}
