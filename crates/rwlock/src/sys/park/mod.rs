//! Sleeping on a word of shared memory, and waking who sleeps there. One file per platform, one signature.
//!
//! A word is [`IDLE`], or says with one bit each that there is news for its owner ([`WOKEN`]), or for the thread that
//! sleeps on the owner's behalf ([`INTERRUPTED`]). Times are monotonic nanoseconds of this process' own clock: what goes into shared
//! memory is converted by [`shared`].

use std::sync::atomic::Ordering::SeqCst;

use crate::shm::layout::WaitLine;
use crate::sync::AtomicU32;

pub(crate) mod doorbell;

#[cfg(loom)]
mod loom;
#[cfg(loom)]
use loom as system;

#[cfg(all(unix, not(loom)))]
mod clock;

#[cfg(all(target_os = "linux", not(loom)))]
mod linux;
#[cfg(all(target_os = "linux", not(loom)))]
use linux as system;

#[cfg(all(target_os = "macos", not(loom)))]
mod macos;
#[cfg(all(target_os = "macos", not(loom)))]
use macos as system;

#[cfg(all(windows, not(loom)))]
mod windows;
#[cfg(all(windows, not(loom)))]
use windows as system;

use system::wake_sleeper;
pub(crate) use system::{coarse_now, now, wait, wait_any, wait_any_limit};

/// What this process calls `own`, as all processes may compare it: for people, nothing is decided by it. 0: not known.
#[inline]
pub(crate) fn shared(own: u64) -> u64 {
    #[cfg(all(target_os = "linux", not(loom), not(miri)))]
    return linux::clock_offset().map_or(0, |offset| own.wrapping_sub(offset as u64));
    #[cfg(not(all(target_os = "linux", not(loom), not(miri))))]
    own
}

/// Whether the process is ending and the threads beside this one have been stopped already, at whatever instruction. Then
/// nothing may be waited for that one of them might have held: leave everything as it is, and the kernel tells the others.
#[must_use]
pub fn is_process_ending() -> bool {
    #[cfg(all(windows, not(loom)))]
    return windows::is_process_ending();
    #[cfg(not(all(windows, not(loom))))]
    false
}

/// What can be slept on: for one thread in [`wait`], and beside it one in [`wait_any`].
#[derive(Default)]
#[repr(C)]
pub(crate) struct Word {
    /// [`IDLE`], or news.
    pub news: AtomicU32,
    /// Where each of the two is woken, if the system cannot do so by the address of `news` (`windows`).
    #[cfg(not(loom))]
    sleepers: [std::sync::atomic::AtomicU32; 2],
}

impl Word {
    /// Forgets what was said to an earlier owner.
    pub fn reset(&self) {
        self.news.store(IDLE, SeqCst);
        #[cfg(not(loom))]
        for sleeper in &self.sleepers {
            sleeper.store(0, SeqCst);
        }
    }
}

pub(crate) const IDLE: u32 = 0;
/// There is news: look at the lock again.
const WOKEN: u32 = 1;
/// No news of the lock; the thread that sleeps here has something else to see to.
const INTERRUPTED: u32 = 2;

/// Tells the owner of `line` to look again. A word already woken needs no second system call; should its waker have died
/// between the two steps, the sleeper finds out at its next look after dead peers.
pub(crate) fn wake(line: &WaitLine) {
    crash_point!(wake_mark);
    // The doorbell after the mark: who has muted it, to sleep on the word, finds the mark or is not rung for.
    if line.wake.news.fetch_or(WOKEN, SeqCst) & WOKEN == 0 && !doorbell::ring(line) {
        crash_point!(wake_call);
        wake_sleeper(&line.wake);
    }
}

pub(crate) fn is_woken(word: &Word) -> bool {
    crash_point!(wake_load_mark);
    word.news.load(SeqCst) & WOKEN != 0
}

/// The owner is about to look: news that comes from here on wakes it again. Bits that nobody sets go too.
pub(crate) fn take_wake(word: &Word) {
    crash_point!(take_wake);
    word.news.fetch_and(INTERRUPTED, SeqCst);
}

/// Sleeps until there is news, or past `deadline`. A poke that is nobody's here, and damage, do not keep it awake. May
/// return early for no reason.
pub(crate) fn wait_for_news(word: &Word, deadline: u64) {
    crash_point!(sleep_load);
    let seen = word.news.load(SeqCst);
    if seen & WOKEN == 0 {
        crash_point!(sleep);
        wait(word, seen, deadline);
    }
}

/// Interrupts the sleep of this process' own watcher without making it news.
pub(crate) fn interrupt(word: &Word) {
    crash_point!(interrupt_mark);
    if word.news.fetch_or(INTERRUPTED, SeqCst) & INTERRUPTED == 0 {
        crash_point!(interrupt_call);
        wake_sleeper(word);
    }
}

/// The watcher is about to look at what changed. Bits that nobody sets would end its sleep at once: they go too.
pub(crate) fn take_interrupt(word: &Word) {
    crash_point!(take_interrupt);
    word.news.fetch_and(WOKEN, SeqCst);
}
