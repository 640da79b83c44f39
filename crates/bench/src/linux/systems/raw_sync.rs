use std::path::Path;

use memmap2::MmapRaw;
use raw_sync::locks::{LockGuard, LockImpl, LockInit, ReadLockGuard, RwLock};

use super::memory::page;
use super::{Lock, Result};

/// `raw_sync`'s lock.
pub struct RawSync {
    lock: Box<dyn LockImpl>,
    /// Where the lock points to.
    _page: MmapRaw,
}

impl Lock for RawSync {
    type Read<'a> = ReadLockGuard<'a>;
    type Write<'a> = LockGuard<'a>;

    fn open(prefix: &Path) -> Result<Self> {
        // SAFETY: the page is zero, and large enough for lock and data. (What is dropped is a pointer to it.)
        let page = page(prefix, |page| unsafe { RwLock::new(page, data(page)) }.map(drop))?;
        let start = page.as_mut_ptr();
        // SAFETY: initialised, and mapped as long as the lock is used.
        let (lock, _) = unsafe { RwLock::from_existing(start, data(start)) }?;
        Ok(Self { lock, _page: page })
    }

    fn version() -> String {
        "0.1.5".into() // it does not say itself; Cargo.toml asks for exactly this one
    }

    fn read(&self) -> Result<ReadLockGuard<'_>> {
        self.lock.rlock()
    }

    fn write(&self) -> Result<LockGuard<'_>> {
        self.lock.lock()
    }
}

/// What the lock protects, behind the lock.
fn data(page: *mut u8) -> *mut u8 {
    page.wrapping_add(RwLock::size_of(None))
}
