//! Byte locks on an open file, which show whether another process lives: the kernel drops them when
//! the process dies, for any reason, and shows them in all PID namespaces.

#[cfg(miri)]
mod miri;
#[cfg(all(unix, not(miri)))]
mod unix;
#[cfg(all(windows, not(miri)))]
mod windows;

use std::fs::File;
use std::io;

use super::fork::OpenFile;

/// An open file with byte locks. Each system implements how to take, release and query them.
pub(crate) struct ByteLockFile(OpenFile);

impl ByteLockFile {
    /// Opens the file with `open`, which may be called more than once.
    pub fn open(open: impl FnMut() -> io::Result<File>) -> io::Result<Self> {
        OpenFile::open(open).map(Self)
    }

    pub fn file(&self) -> &File {
        self.0.file()
    }
}
