//! The greatest fencing token of any lock of this user that was removed, so that a lock made anew goes on above it even if
//! the wall clock was set back.
//!
//! It is one word of a file that every process maps, raised by atomic operations: nobody waits for anybody.

use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

use memmap2::{MmapOptions, MmapRaw};

use super::directory;
use crate::sys::clock::unix_nanos;
use crate::sys::files;

/// Its file, in the user's directory.
pub(super) const FILE: &str = "token-floor";

/// A century in ns. A token floor that lies further ahead is damaged, and following it would end in a wrap to zero.
const MAX_AHEAD: u64 = 100 * 365 * 24 * 3600 * 1_000_000_000;

/// Where a new lock's tokens begin: Unix time in ns, which is above every token of an earlier life, since a lock hands out
/// fewer than one per ns.
pub(super) fn seed() -> u64 {
    let now = unix_nanos();
    LastToken::open().map_or(now, |last| now.max(plausible(last.load(), now) + 1))
}

/// A lock that handed out `token` is removed.
pub(super) fn note(token: u64) {
    // Without it the wall clock alone keeps tokens growing.
    if let Ok(last) = LastToken::open() {
        last.raise(token, unix_nanos());
    }
}

/// What is damaged, here or in the lock that is removed, counts for nothing.
fn plausible(token: u64, now: u64) -> u64 {
    if token < now.saturating_add(MAX_AHEAD) { token } else { 0 }
}

/// The mapped word.
struct LastToken(MmapRaw);

impl LastToken {
    fn open() -> io::Result<Self> {
        let directory =
            directory::existing().transpose().unwrap_or_else(directory::ensure).map_err(io::Error::other)?;
        let path = directory.join(FILE);
        crash_point!(open_token_floor);
        let file = files::private().create(true).truncate(false).open(path)?;
        // A page that the system has no room for is an error here, and a signal when it is written to.
        crash_point!(reserve_token_floor);
        files::reserve(&file, size_of::<u64>())?;
        crash_point!(map_token_floor);
        MmapOptions::new().len(size_of::<u64>()).map_raw(&file).map(Self)
    }

    fn word(&self) -> &AtomicU64 {
        // SAFETY: mappings are page-aligned, and this one is as long as the word; it lives as long as `self`.
        unsafe { &*self.0.as_mut_ptr().cast::<AtomicU64>() }
    }

    fn load(&self) -> u64 {
        crash_point!(read_token_floor);
        u64::from_le(self.word().load(SeqCst))
    }

    fn raise(&self, token: u64, now: u64) {
        let word = self.word();
        loop {
            crash_point!(raise_token_floor_load);
            let seen = word.load(SeqCst);
            let raised = plausible(u64::from_le(seen), now).max(plausible(token, now)).to_le();
            crash_point!(raise_token_floor);
            if raised == seen || word.compare_exchange(seen, raised, SeqCst, SeqCst).is_ok() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_token_does_not_make_the_others_forgotten() {
        let now = unix_nanos();
        let ahead = now + 3_600_000_000_000; // the clock was set back by an hour
        assert_eq!(plausible(ahead, now), ahead);
        assert_eq!(plausible(now + MAX_AHEAD, now), 0);
        assert_eq!(plausible(u64::MAX, now), 0);
    }
}
