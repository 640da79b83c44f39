//! The wake word of a slot: marks for its owner, and the wake that follows a mark.
//!
//! A word is [`IDLE`], or has one bit for news to its owner ([`WOKEN`]) and one for the watcher
//! thread that sleeps on behalf of the owner ([`INTERRUPTED`]).

use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use crate::shm::layout::WaitLine;
use crate::sys::doorbell;
use crate::sys::park::{self, Word};

pub(crate) const IDLE: u32 = 0;
/// There is news: check the lock again.
const WOKEN: u32 = 1;
/// No news of the lock; the watcher thread has other work.
const INTERRUPTED: u32 = 2;

/// Tells the owner of `line` to check the lock again. A word that is already marked needs no second
/// system call. If its waker died between the two steps, the sleeper notices at its next peer
/// check.
pub(crate) fn wake(line: &WaitLine) {
    // The doorbell after the mark: an owner that muted it, to sleep on the word, finds the mark or
    // is not rung for.
    if !mark(line) {
        call(line);
    }
}

/// Like [`wake`], even if the word is already marked: the process that marked it may have died
/// before its call.
pub(crate) fn wake_again(line: &WaitLine) {
    mark(line);
    call(line);
}

/// Returns whether the word was marked already.
fn mark(line: &WaitLine) -> bool {
    crash_point!(wake_mark);
    line.wake.news.fetch_or(WOKEN, SeqCst) & WOKEN != 0
}

fn call(line: &WaitLine) {
    if !ring(line) {
        crash_point!(wake_call);
        park::wake_sleeper(&line.wake);
    }
}

pub(crate) fn is_woken(word: &Word) -> bool {
    crash_point!(wake_load_mark);
    word.news.load(SeqCst) & WOKEN != 0
}

/// The owner is about to check: later news wakes it again. Unknown bits are cleared too.
pub(crate) fn take_wake(word: &Word) {
    crash_point!(take_wake);
    word.news.fetch_and(INTERRUPTED, SeqCst);
}

/// Sleeps until there is news, or until `deadline`. Neither an interrupt of another thread nor
/// corruption keeps it awake. May return early for no reason.
pub(crate) fn wait_for_news(word: &Word, deadline: u64) {
    crash_point!(sleep_load);
    let seen = word.news.load(SeqCst);
    if seen & WOKEN == 0 {
        crash_point!(sleep);
        park::wait(word, seen, deadline);
    }
}

/// Interrupts the sleep of this process's own watcher thread without news for the owner.
pub(crate) fn interrupt(word: &Word) {
    crash_point!(interrupt_mark);
    if word.news.fetch_or(INTERRUPTED, SeqCst) & INTERRUPTED == 0 {
        crash_point!(interrupt_call);
        park::wake_sleeper(word);
    }
}

/// The watcher thread is about to check what changed. Unknown bits would end its sleep immediately,
/// so they are cleared too.
pub(crate) fn take_interrupt(word: &Word) {
    crash_point!(take_interrupt);
    word.news.fetch_and(WOKEN, SeqCst);
}

/// The doorbell word of a slot whose owner sleeps on the wake word.
pub(crate) const NO_DOORBELL: u64 = 0;

/// Rings for the owner of `line`, which has just been marked. `false` if that failed or there is no
/// doorbell.
///
/// The mark comes before the load of the doorbell; the owner mutes the doorbell before it clears
/// the mark, checks and sleeps. Dekker's scheme: the owner finds the mark, or is not rung for.
fn ring(line: &WaitLine) -> bool {
    crash_point!(doorbell_load);
    let name = line.doorbell.load(SeqCst);
    name != NO_DOORBELL && {
        crash_point!(ring);
        doorbell::send(name, line.doorbell_key.load(Relaxed))
    }
}

/// Whether the owner of `line`, which is the caller, is rung for.
pub(crate) fn has_doorbell(line: &WaitLine) -> bool {
    line.doorbell.load(Relaxed) != NO_DOORBELL
}
