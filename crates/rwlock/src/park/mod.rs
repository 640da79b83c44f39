//! Sleeping on a word of shared memory, and waking who sleeps there. One file per platform, one signature.
//!
//! A word is [`IDLE`], or [`WOKEN`] once somebody has news for its owner. Times are monotonic nanoseconds, the same clock
//! in every process.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::{coarse_now, now, wait, wait_any, wait_any_limit, wake_sleeper};

pub(crate) const IDLE: u32 = 0;
/// There is news: look at the lock again.
pub(crate) const WOKEN: u32 = 1;
/// No news of the lock; the thread that sleeps here has something else to see to.
pub(crate) const POKED: u32 = 2;

/// Tells the owner of `word` to look again. A word already woken needs no second system call; should its waker have died
/// between the two steps, the sleeper finds out at its next look after dead peers.
pub(crate) fn wake(word: &AtomicU32) {
    if word.swap(WOKEN, SeqCst) != WOKEN {
        wake_sleeper(word);
    }
}

/// Interrupts the sleep of this process' own watcher without making it news.
pub(crate) fn poke(word: &AtomicU32) {
    if word.compare_exchange(IDLE, POKED, SeqCst, SeqCst).is_ok() {
        wake_sleeper(word);
    }
}
