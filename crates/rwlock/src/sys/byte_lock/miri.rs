//! The interpreter Miri has no byte locks and runs a single process, so they are kept in its
//! memory.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::ByteLockFile;

/// The open file that holds each byte. For one lock at a time: tests run one after another.
static BYTES: Mutex<BTreeMap<u64, i32>> = Mutex::new(BTreeMap::new());

impl ByteLockFile {
    pub fn try_lock(&self, byte: u64) -> io::Result<bool> {
        Ok(*bytes().entry(byte).or_insert(self.file().as_raw_fd()) == self.file().as_raw_fd())
    }

    pub fn try_lock_all(&self, byte: u64, count: usize) -> io::Result<bool> {
        let free = !self.is_locked(byte, count)?;
        Ok(free && (byte..byte + count as u64).all(|byte| self.try_lock(byte).is_ok()))
    }

    pub fn unlock(&self, byte: u64) -> io::Result<()> {
        let own = self.file().as_raw_fd();
        bytes().retain(|at, owner| *at != byte || *owner != own);
        Ok(())
    }

    pub fn is_locked(&self, byte: u64, count: usize) -> io::Result<bool> {
        let own = self.file().as_raw_fd();
        Ok(bytes().range(byte..byte + count as u64).any(|(_, owner)| *owner != own))
    }

    pub fn is_unsupported(_error: &io::Error) -> bool {
        false
    }
}

impl Drop for ByteLockFile {
    fn drop(&mut self) {
        let own = self.file().as_raw_fd();
        bytes().retain(|_, owner| *owner != own);
    }
}

fn bytes() -> MutexGuard<'static, BTreeMap<u64, i32>> {
    BYTES.lock().unwrap_or_else(PoisonError::into_inner)
}
