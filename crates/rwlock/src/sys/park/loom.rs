//! Sleeping in the model checker. Only a wake ends a sleep: if a wake is lost, all threads sleep,
//! and loom reports a deadlock. Time does not pass, so no periodic check compensates for a lost
//! wake.

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

/// No other thread runs between the check of the word and the sleep: in the kernel, the futex lock
/// ensures that.
pub(crate) fn wait(word: &Word, expected: u32, _deadline: u64) {
    // Always fails, whatever the word contains, and so returns its latest value.
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
