//! The greatest fencing token of any lock of this user that was removed, so that a lock made anew goes on above it even if
//! the wall clock was set back.

use std::fs::File;
use std::io;

use super::file::{read_start, write_start};
use super::{SETUP_PATIENCE, directory, disk, enter_setup, unix_nanos};
use crate::liveness::LockFile;

/// Its file, in the user's directory.
pub(super) const FILE: &str = "fence";

/// A century in ns. A fence that lies further ahead is damaged, and following it would end in a wrap to zero.
const ABSURD: u64 = 100 * 365 * 24 * 3600 * 1_000_000_000;

/// Where a new lock's tokens begin: Unix time in ns, which is above every token of an earlier life, since a lock hands out
/// fewer than one per ns.
pub(super) fn seed() -> u64 {
    let now = unix_nanos();
    with_file(|_, last| Ok(last)).map_or(now, |last| now.max(sane(last, now) + 1))
}

/// A lock that handed out `token` is about to be removed.
pub(super) fn note(token: u64) {
    // Without it the wall clock alone keeps tokens growing.
    let _ = with_file(|file, last| {
        let now = unix_nanos();
        step!(write_last_fence);
        write_start(file, &sane(last, now).max(sane(token, now)).to_le_bytes())
    });
}

/// What is damaged, here or in the lock that is removed, counts for nothing.
fn sane(token: u64, now: u64) -> u64 {
    if token < now.saturating_add(ABSURD) { token } else { 0 }
}

fn with_file<T>(act: impl FnOnce(&File, u64) -> io::Result<T>) -> io::Result<T> {
    let path = directory::ensure().map_err(io::Error::other)?.join(FILE);
    step!(open_last_fence);
    let lock = LockFile::open(|| disk::private().create(true).truncate(false).open(&path))?;
    enter_setup(&lock, &"the fence of removed locks", SETUP_PATIENCE).map_err(io::Error::other)?;
    step!(read_last_fence);
    let mut bytes = [0; 8];
    let last = read_start(lock.file(), &mut bytes).map_or(0, |()| u64::from_le_bytes(bytes));
    act(lock.file(), last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_token_does_not_make_the_others_forgotten() {
        let now = unix_nanos();
        let ahead = now + 3_600_000_000_000; // the clock was set back by an hour
        assert_eq!(sane(ahead, now), ahead);
        assert_eq!(sane(now + ABSURD, now), 0);
        assert_eq!(sane(u64::MAX, now), 0);
    }
}
