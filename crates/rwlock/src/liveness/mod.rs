//! Who is alive: the kernel says so. An attachment holds an exclusive lock on one byte of the lock file, through an open
//! file of its own; the kernel drops it at death, whatever the death, and across pid namespaces.
//!
//! The bytes lie far beyond the mapped range, where some systems' locks would forbid access.

pub(crate) mod deaths;

#[cfg(miri)]
mod miri;
#[cfg(miri)]
pub(crate) use miri::LockFile;

#[cfg(all(unix, not(miri)))]
mod unix;
#[cfg(all(unix, not(miri)))]
pub(crate) use unix::LockFile;

#[cfg(all(windows, not(miri)))]
mod windows;
#[cfg(all(windows, not(miri)))]
pub(crate) use windows::LockFile;

/// The byte that serialises opening, closing and removing.
pub(crate) const SETUP_BYTE: u64 = 1 << 40;

/// The byte that the owner of `slot` holds while it lives.
pub(crate) const fn slot_byte(slot: usize) -> u64 {
    SETUP_BYTE + 1 + slot as u64
}
