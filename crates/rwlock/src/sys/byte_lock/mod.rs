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

use super::fork::OpenFile;

/// An open lock file. One per attachment: its byte locks are the proof that the attachment lives. How they are taken, given back
/// and asked about is the system's.
pub(crate) struct ByteLockFile(OpenFile);

impl ByteLockFile {
    /// What `open` opens. It may be called more than once.
    pub fn open(open: impl FnMut() -> io::Result<File>) -> io::Result<Self> {
        OpenFile::open(open).map(Self)
    }

    pub fn file(&self) -> &File {
        self.0.file()
    }
}
