//! The greatest fencing token of any removed lock of this user. A lock that is created again starts
//! above it, even if the wall clock was set back.
//!
//! It is one word of a file that every process maps. Atomic operations raise it, so no process
//! waits for another.

use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

use memmap2::{MmapOptions, MmapRaw};

use super::directory;
use crate::sys::clock::unix_nanos;
use crate::sys::files;

/// The name of its file in the user's directory.
pub(super) const FILE: &str = "token-floor";

/// A century in ns. A token floor further in the future is damaged; using it would soon let tokens
/// wrap to zero.
const MAX_AHEAD: u64 = 100 * 365 * 24 * 3600 * 1_000_000_000;

/// The first token of a new lock: the Unix time in ns, or the token floor if that is greater. It
/// exceeds every token of an earlier lock, because a lock issues fewer than one token per ns.
pub(super) fn seed() -> u64 {
    let now = unix_nanos();
    LastToken::open().map_or(now, |last| now.max(plausible(last.load(), now) + 1))
}

/// Records the last token of a lock that is being removed.
pub(super) fn note(token: u64) {
    // Without the file, only the wall clock keeps tokens growing.
    if let Ok(last) = LastToken::open() {
        last.raise(token, unix_nanos());
    }
}

/// Ignores a damaged value, of the file or of the removed lock.
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
        // If no page is available, this returns an error; a later write to the page would raise a
        // signal.
        crash_point!(reserve_token_floor);
        files::reserve(&file, size_of::<u64>())?;
        crash_point!(map_token_floor);
        MmapOptions::new().len(size_of::<u64>()).map_raw(&file).map(Self)
    }

    fn word(&self) -> &AtomicU64 {
        // SAFETY: mappings are page-aligned, and this one has the size of the word; it lives as
        // long as `self`.
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
