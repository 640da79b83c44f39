//! The model checker's sleep. A sleeper is woken by nothing but a wake: where that one is lost, every thread sleeps, and
//! loom reports the deadlock. Time stands still, so nobody looks after the dead, and nothing makes up for a lost wake.

use std::cell::RefCell;
use std::sync::atomic::Ordering::Relaxed;

use loom::thread::{self, Thread};

use super::word::Word;

thread_local! {
    // loom runs all threads of a model on one thread of the system.
    static SLEEPERS: RefCell<Vec<(*const Word, Thread)>> = const { RefCell::new(Vec::new()) };
}

pub(crate) fn now() -> u64 {
    0
}

pub(crate) fn coarse_now() -> u64 {
    0
}

/// From looking at the word to sleeping nobody comes in between: in the kernel the futex' lock sees to that.
pub(crate) fn wait(word: &Word, expected: u32, _deadline: u64) {
    // Fails, whatever the word says, and so returns the latest value.
    if word.news.compare_exchange(u32::MAX, u32::MAX, Relaxed, Relaxed) == Err(expected) {
        SLEEPERS.with_borrow_mut(|sleepers| sleepers.push((word, thread::current())));
        thread::park();
    }
}

pub(crate) fn wake_sleeper(word: &Word) {
    let woken = SLEEPERS.with_borrow_mut(|sleepers| {
        let (woken, others) = sleepers.drain(..).partition(|(slept, _)| std::ptr::eq(*slept, word));
        *sleepers = others;
        woken
    });
    Vec::into_iter(woken).for_each(|(_, sleeper)| sleeper.unpark());
}

pub(crate) fn wait_any_limit() -> usize {
    1
}

pub(crate) fn wait_any(words: &[(&Word, u32)], deadline: u64) {
    let (word, expected) = words[0];
    wait(word, expected, deadline);
}
