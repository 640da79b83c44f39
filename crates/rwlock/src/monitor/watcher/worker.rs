//! A thread that sleeps on the wake words of many attachments.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Watcher;
use crate::monitor::peer_check::{FIRST_CHECK, PeerCheck};
use crate::protocol::wake;
use crate::shm::segment::Segment;
use crate::sync::AtomicU64;
use crate::sys::park::{self, Word};

/// For how long a thread without work stays, in ns.
pub(super) const IDLE_TIME: u64 = 1_000_000_000;
/// The most peer checks that run at full pace. One costs 1 to 2 µs, so 32 of them cost half a
/// percent of a core, and more if each has a thread of its own, which wakes for it.
pub(super) const FULL_PACE: usize = 32;

/// A thread and what it watches.
pub(super) struct WatcherThread {
    pub(super) watched: Mutex<Watched>,
    /// What the thread sleeps on besides the wake words; private to this process.
    pub(super) bell: Word,
    /// When the thread checks next without being woken; [`AWAKE`]: it may have checked already, and
    /// must be woken.
    pub(super) sleeps_until: AtomicU64,
}

pub(super) const AWAKE: u64 = u64::MAX;

#[derive(Default)]
pub(super) struct Watched {
    pub(super) entries: Vec<Arc<Entry>>,
    ended: bool,
}

/// A watched attachment.
pub(super) struct Entry {
    pub(super) sleeper: Sleeper,
    pub(super) peer_check: Mutex<PeerCheck>,
    /// When to ring at the latest; `u64::MAX`: only for news. 0: not watched now.
    pub(super) due: AtomicU64,
    /// The watch was begun after the last check of the thread: it will soon be begun again.
    pub(super) busy: AtomicBool,
    /// Among the entries of a thread; changed under its mutex.
    pub(super) is_watched: AtomicBool,
    pub(super) ring: Box<dyn Fn() + Send + Sync>,
}

/// The wake word of an attachment; keeps it mapped.
pub(super) struct Sleeper {
    pub(super) segment: Arc<Segment>,
    pub(super) slot: usize,
}

impl Sleeper {
    pub(super) fn word(&self) -> &Word {
        &self.segment.slots()[self.slot].waiting.wake
    }

    pub(super) fn has_doorbell(&self) -> bool {
        wake::has_doorbell(&self.segment.slots()[self.slot].waiting)
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere does not corrupt what the mutexes guard: lists of entries, each valid by
    // itself.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl WatcherThread {
    /// Adds `entry` unless it is already watched. `false`: there is no room, or the thread has
    /// ended.
    pub(super) fn admit(&self, entry: &Arc<Entry>, limit: usize) -> bool {
        let mut watched = lock(&self.watched);
        if !entry.is_watched.load(Relaxed) {
            if watched.ended || watched.entries.len() >= limit {
                return false;
            }
            entry.is_watched.store(true, Relaxed);
            watched.entries.push(entry.clone());
        }
        true
    }

    /// Drops the entries whose watch has ended.
    fn dismiss_ended(&self) {
        lock(&self.watched).entries.retain(|entry| {
            let stays = entry.due.load(SeqCst) != 0;
            entry.is_watched.store(stays, Relaxed);
            if !stays {
                lock(&entry.peer_check).end();
            }
            stays
        });
    }

    pub(super) fn keep_watch(&self, watcher: &Watcher) {
        let mut ends_at = None;
        loop {
            // Before the checks: a later change prevents the sleep.
            self.sleeps_until.store(AWAKE, SeqCst);
            wake::take_interrupt(&self.bell);
            let entries = lock(&self.watched).entries.clone();
            let now = park::now();
            if entries.is_empty() {
                let until = *ends_at.get_or_insert(now + IDLE_TIME);
                if now >= until && self.end(watcher) {
                    return;
                }
                park::wait(&self.bell, wake::IDLE, until);
                continue;
            }
            ends_at = None;
            let due = self.serve(&entries, now, entries.len() * watcher.threads());
            if due > now {
                self.sleeps_until.store(due, SeqCst);
                self.sleep(&entries, due, watcher.limit);
            }
        }
    }

    /// Makes the checks that are due, at the pace of a process with so many `checks`, and rings for
    /// entries that have news or are due. Returns when the next one is due.
    fn serve(&self, entries: &[Arc<Entry>], now: u64, checks: usize) -> u64 {
        let share = (checks / FULL_PACE + 1) as u64;
        let mut next = u64::MAX;
        let mut ended = false;
        for entry in entries {
            let word = entry.sleeper.word();
            // An interrupt is for this thread, not for the attachment. Cleared before the check,
            // like the bell.
            wake::take_interrupt(word);
            let busy = entry.busy.swap(false, SeqCst);
            let due = entry.due.load(SeqCst);
            if due == 0 {
                if busy {
                    next = next.min(now + FIRST_CHECK);
                } else {
                    ended = true;
                }
                continue;
            }
            let next_check = {
                let mut peer_check = lock(&entry.peer_check);
                if peer_check.next <= now {
                    peer_check.check(now, share);
                }
                peer_check.next
            };
            if !wake::is_woken(word) && due > now {
                next = next.min(due).min(next_check);
            } else if entry.due.compare_exchange(due, 0, SeqCst, SeqCst).is_ok() {
                (entry.ring)();
                next = next.min(now + FIRST_CHECK); // perhaps it begins again
            } else {
                next = now; // it was just begun again
            }
        }
        if ended {
            self.dismiss_ended();
            next = now;
        }
        next
    }

    fn sleep(&self, entries: &[Arc<Entry>], until: u64, limit: usize) {
        let watched = entries.iter().filter(|entry| entry.due.load(SeqCst) != 0);
        let mut words: Vec<_> = watched.map(|entry| (entry.sleeper.word(), wake::IDLE)).collect();
        if limit > 1 || words.is_empty() {
            words.push((&self.bell, wake::IDLE));
        }
        crash_point!(sleep_any);
        park::wait_any(&words, until);
    }

    /// Ends the thread, unless it got work meanwhile.
    fn end(&self, watcher: &Watcher) -> bool {
        let mut threads = lock(&watcher.threads);
        let mut watched = lock(&self.watched);
        if !watched.entries.is_empty() {
            return false;
        }
        watched.ended = true;
        threads.retain(|thread| !std::ptr::eq(&raw const **thread, self));
        true
    }
}
