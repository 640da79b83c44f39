use std::path::Path;

use memmap2::MmapRaw;
use raw_sync::locks::{LockGuard, LockImpl, LockInit, ReadLockGuard, RwLock};

use super::memory::page;
use super::{Lock, Result};

/// The lock of `raw_sync`.
pub struct RawSync {
    lock: Box<dyn LockImpl>,
    /// The memory of the lock.
    _page: MmapRaw,
}

impl Lock for RawSync {
    type Read<'a> = ReadLockGuard<'a>;
    type Write<'a> = LockGuard<'a>;

    fn open(prefix: &Path) -> Result<Self> {
        // SAFETY: the page is zero, and large enough for lock and data. (The dropped value is a
        // pointer to it.)
        let page = page(prefix, |page| unsafe { RwLock::new(page, data(page)) }.map(drop))?;
        let start = page.as_mut_ptr();
        // SAFETY: initialised, and mapped as long as the lock is used.
        let (lock, _) = unsafe { RwLock::from_existing(start, data(start)) }?;
        Ok(Self { lock, _page: page })
    }

    fn version() -> String {
        "0.1.5".into() // the library does not report it; Cargo.toml requires exactly this version
    }

    fn read(&self) -> Result<ReadLockGuard<'_>> {
        self.lock.rlock()
    }

    fn write(&self) -> Result<LockGuard<'_>> {
        self.lock.lock()
    }
}

/// The data that the lock protects, behind the lock.
fn data(page: *mut u8) -> *mut u8 {
    page.wrapping_add(RwLock::size_of(None))
}
