//! The wake word of a slot: marks for its owner, and who is woken after one.
//!
//! A word is [`IDLE`], or says with one bit each that there is news for its owner ([`WOKEN`]), or for the thread that
//! sleeps on the owner's behalf ([`INTERRUPTED`]).

use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use crate::shm::layout::WaitLine;
use crate::sys::doorbell;
use crate::sys::park::{self, Word};

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
    if line.wake.news.fetch_or(WOKEN, SeqCst) & WOKEN == 0 && !ring(line) {
        crash_point!(wake_call);
        park::wake_sleeper(&line.wake);
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
        park::wait(word, seen, deadline);
    }
}

/// Interrupts the sleep of this process' own watcher without making it news.
pub(crate) fn interrupt(word: &Word) {
    crash_point!(interrupt_mark);
    if word.news.fetch_or(INTERRUPTED, SeqCst) & INTERRUPTED == 0 {
        crash_point!(interrupt_call);
        park::wake_sleeper(word);
    }
}

/// The watcher is about to look at what changed. Bits that nobody sets would end its sleep at once: they go too.
pub(crate) fn take_interrupt(word: &Word) {
    crash_point!(take_interrupt);
    word.news.fetch_and(WOKEN, SeqCst);
}

/// In a slot: whoever waits there sleeps on the wake word.
pub(crate) const NO_DOORBELL: u64 = 0;

/// Rings for the owner of `line`, who has been marked to have news just now. `false`: it could not be, or there is no doorbell.
///
/// The mark, then the look at the doorbell; its owner mutes it, then clears the mark, looks and sleeps. Dekker's scheme again: the
/// owner finds the mark, or is not rung for.
fn ring(line: &WaitLine) -> bool {
    crash_point!(doorbell_load);
    let name = line.doorbell.load(SeqCst);
    name != NO_DOORBELL && {
        crash_point!(ring);
        doorbell::send(name, line.doorbell_key.load(Relaxed))
    }
}

/// Whether the owner of `line`, who asks, is rung for.
pub(crate) fn has_doorbell(line: &WaitLine) -> bool {
    line.doorbell.load(Relaxed) != NO_DOORBELL
}
