//! Threads that block on behalf of event loops: each watches the wake words of many attachments,
//! checks their peers, and rings when an attachment has something to do.
//!
//! One thread watches 127 waiting attachments if the kernel can wait for many words at once,
//! otherwise one. A thread without work ends after a second.

mod worker;

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};

use self::worker::{AWAKE, Entry, Sleeper, WatcherThread, lock};
use crate::attachment::Attachment;
use crate::protocol::wake;
use crate::sync::AtomicU64;
use crate::sys::park::{self, Word};

/// Sleeps on behalf of attachments. One per process is enough; a forked child needs its own.
pub struct Watcher {
    threads: Mutex<Vec<Arc<WatcherThread>>>,
    /// The number of wake words that one thread can sleep on.
    limit: usize,
}

/// An attachment's link to its [`Watcher`]. Dropping it ends the watch.
pub struct Watch {
    watcher: Arc<Watcher>,
    entry: Arc<Entry>,
    thread: Option<Arc<WatcherThread>>,
    /// It was begun by [`Watch::listen`].
    listens: bool,
}

impl Watcher {
    /// A watcher without threads.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Self::with_limit(park::wait_any_limit())
    }

    fn with_limit(limit: usize) -> Arc<Self> {
        Arc::new(Self { threads: Mutex::default(), limit })
    }

    /// Prepares to watch `attachment`. `ring` is called on another thread and must not block.
    pub fn watch(self: &Arc<Self>, attachment: &Attachment, ring: impl Fn() + Send + Sync + 'static) -> Watch {
        let entry = Entry {
            sleeper: Sleeper { segment: attachment.segment.clone(), slot: attachment.index },
            peer_check: Mutex::new(attachment.peer_check()),
            due: AtomicU64::new(0),
            busy: AtomicBool::new(false),
            is_watched: AtomicBool::new(false),
            ring: Box::new(ring),
        };
        Watch { watcher: self.clone(), entry: Arc::new(entry), thread: None, listens: false }
    }

    /// The number of threads that run now.
    #[must_use]
    pub fn threads(&self) -> usize {
        lock(&self.threads).len()
    }

    /// A thread with room, which `entry` joins.
    fn assign(self: &Arc<Self>, entry: &Arc<Entry>) -> std::io::Result<Arc<WatcherThread>> {
        let mut threads = lock(&self.threads);
        if let Some(thread) = threads.iter().find(|thread| thread.admit(entry, self.limit)) {
            return Ok(thread.clone());
        }
        let thread = Arc::new(WatcherThread {
            watched: Mutex::default(),
            bell: Word::default(),
            sleeps_until: AtomicU64::new(AWAKE),
        });
        thread.admit(entry, self.limit);
        let (watcher, started) = (self.clone(), thread.clone());
        std::thread::Builder::new().name("rwlock-watcher".into()).stack_size(128 * 1024).spawn(move || {
            started.keep_watch(&watcher);
        })?;
        threads.push(thread.clone());
        Ok(thread)
    }
}

impl Watch {
    /// Rings once: at the first news, or at `due` (monotonic ns). If the attachment has a doorbell,
    /// at the first news that was not handled for a while.
    ///
    /// # Errors
    /// If a thread is needed and cannot be started.
    pub fn begin(&mut self, now: u64, due: u64) -> std::io::Result<()> {
        self.watch(now, due, false)
    }

    /// Like [`Watch::begin`], for an attachment that wants notices and has no request: rings once,
    /// at the first news, and checks no peers.
    ///
    /// # Errors
    /// As [`Watch::begin`].
    pub fn listen(&mut self, now: u64) -> std::io::Result<()> {
        self.watch(now, u64::MAX, true)
    }

    fn watch(&mut self, now: u64, due: u64, listens: bool) -> std::io::Result<()> {
        if self.entry.sleeper.segment.is_forked() {
            return Err(std::io::Error::other("this process was forked, and has no thread of its parent"));
        }
        let set = self.entry.due.load(SeqCst);
        if set != 0 && set <= due && std::mem::replace(&mut self.listens, listens) == listens {
            return Ok(()); // it rings, perhaps too early
        }
        self.listens = listens;
        let check = {
            let mut peer_check = lock(&self.entry.peer_check);
            if listens { peer_check.pause() } else { peer_check.begin(now) }
        };
        self.entry.busy.store(true, SeqCst);
        self.entry.due.store(due.max(1), SeqCst);
        let thread = match self.thread.take().filter(|thread| thread.admit(&self.entry, self.watcher.limit)) {
            Some(thread) => thread,
            None => self.watcher.assign(&self.entry)?,
        };
        // After the store of `due`: the thread sees it, or we see how long the thread sleeps.
        let in_time = thread.sleeps_until.load(SeqCst) <= due.min(check);
        self.thread = Some(thread);
        if !in_time || !self.entry.sleeper.has_doorbell() {
            self.interrupt(); // the thread sleeps without us, or for too long
        }
        Ok(())
    }

    /// The wait has ended. The thread drops the entry at its next check, unless the watch has begun
    /// again: a wake-up at each end of a short wait would cost more than the wait.
    pub fn end(&mut self) {
        self.entry.due.store(0, SeqCst);
    }

    fn interrupt(&self) {
        let Some(thread) = &self.thread else { return };
        wake::interrupt(&thread.bell);
        if self.watcher.limit == 1 {
            wake::interrupt(self.entry.sleeper.word()); // where its thread sleeps
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.end();
        // In a forked child the parent's thread does not exist, and may have held the mutex.
        if let Some(thread) = self.thread.as_ref().filter(|_| !self.entry.sleeper.segment.is_forked()) {
            lock(&thread.watched).entries.retain(|entry| !Arc::ptr_eq(entry, &self.entry));
            self.interrupt(); // the thread has the lock's memory mapped
        }
    }
}

#[cfg(test)]
mod tests;
