//! Threads that sleep for those who must not: each watches the wake words of many attachments, looks after their dead
//! peers, and rings when an attachment has something to do.
//!
//! One thread watches 127 waiting attachments where the kernel can wait for many words at once, else one. A thread without
//! work ends after a second.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::attachment::Attachment;
use crate::protocol::recovery::{FIRST_CHECK, PeerCheck};
use crate::shm::Segment;
use crate::sync::AtomicU64;
use crate::sys::park::doorbell;
use crate::sys::park::{self, Word};

/// How long a thread without work stays, in ns.
const IDLE_TIME: u64 = 1_000_000_000;
/// PeerChecks that are kept at full pace: a look at one costs 1 to 2 µs, so 32 of them cost half a percent of a core; more where each
/// has a thread of its own, which wakes for it.
const FULL_PACE: usize = 32;

/// Sleeps on behalf of attachments. Usually one per process; a forked child needs its own.
pub struct Watcher {
    posts: Mutex<Vec<Arc<WatcherThread>>>,
    /// Wake words one thread can sleep on.
    limit: usize,
}

/// One thread and what it watches.
struct WatcherThread {
    watched: Mutex<Watched>,
    /// What the thread sleeps on besides the wake words; a word of this process alone.
    bell: Word,
    /// When the thread looks next without being woken; [`AWAKE`]: it may have looked already, and must be woken.
    sleeps_until: AtomicU64,
}

const AWAKE: u64 = u64::MAX;

#[derive(Default)]
struct Watched {
    entries: Vec<Arc<Entry>>,
    ended: bool,
}

/// An attachment as the watcher knows it.
struct Entry {
    sleeper: Sleeper,
    peer_check: Mutex<PeerCheck>,
    /// When to ring at the latest; `u64::MAX`: only for news. 0: not watched now.
    due: AtomicU64,
    /// The watch was begun since the thread looked last: it will soon be begun again.
    busy: AtomicBool,
    /// Among the entries of a post; changed under its mutex.
    posted: AtomicBool,
    ring: Box<dyn Fn() + Send + Sync>,
}

/// The wake word of an attachment; keeps it mapped.
struct Sleeper {
    segment: Arc<Segment>,
    slot: usize,
}

impl Sleeper {
    fn word(&self) -> &Word {
        &self.segment.slots()[self.slot].waiting.wake
    }

    fn has_doorbell(&self) -> bool {
        doorbell::is_set(&self.segment.slots()[self.slot].waiting)
    }
}

/// An attachment's link to its [`Watcher`]. Dropping it ends the watch.
pub struct Watch {
    watcher: Arc<Watcher>,
    entry: Arc<Entry>,
    post: Option<Arc<WatcherThread>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere does not damage what the mutexes guard: lists of entries, each valid by itself.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watcher {
    /// A watcher without threads yet.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Self::with_limit(park::wait_any_limit())
    }

    fn with_limit(limit: usize) -> Arc<Self> {
        Arc::new(Self { posts: Mutex::default(), limit })
    }

    /// Prepares to watch `attachment`; `ring` is called on another thread, and must not block.
    pub fn watch(self: &Arc<Self>, attachment: &Attachment, ring: impl Fn() + Send + Sync + 'static) -> Watch {
        let entry = Entry {
            sleeper: Sleeper { segment: attachment.segment.clone(), slot: attachment.index },
            peer_check: Mutex::new(attachment.peer_check()),
            due: AtomicU64::new(0),
            busy: AtomicBool::new(false),
            posted: AtomicBool::new(false),
            ring: Box::new(ring),
        };
        Watch { watcher: self.clone(), entry: Arc::new(entry), post: None }
    }

    /// Threads that run now.
    #[must_use]
    pub fn threads(&self) -> usize {
        lock(&self.posts).len()
    }

    /// A post with room, which `entry` joins.
    fn assign(self: &Arc<Self>, entry: &Arc<Entry>) -> std::io::Result<Arc<WatcherThread>> {
        let mut posts = lock(&self.posts);
        if let Some(post) = posts.iter().find(|post| post.admit(entry, self.limit)) {
            return Ok(post.clone());
        }
        let post = Arc::new(WatcherThread {
            watched: Mutex::default(),
            bell: Word::default(),
            sleeps_until: AtomicU64::new(AWAKE),
        });
        post.admit(entry, self.limit);
        let (watcher, kept) = (self.clone(), post.clone());
        thread::Builder::new().name("rwlock-watcher".into()).stack_size(128 * 1024).spawn(move || {
            kept.keep_watch(&watcher);
        })?;
        posts.push(post.clone());
        Ok(post)
    }
}

impl Watch {
    /// Rings once: at the first news, or at `due` (monotonic ns). Where the attachment has a doorbell, at the first news
    /// that nobody has seen to for a while.
    ///
    /// # Errors
    /// If a thread is needed and none can be started.
    pub fn begin(&mut self, now: u64, due: u64) -> std::io::Result<()> {
        if self.entry.sleeper.segment.is_forked() {
            return Err(std::io::Error::other("this process was forked, and has no thread of its parent"));
        }
        let set = self.entry.due.load(SeqCst);
        if set != 0 && set <= due {
            return Ok(()); // it rings, if anything too early
        }
        let check = lock(&self.entry.peer_check).begin(now);
        self.entry.busy.store(true, SeqCst);
        self.entry.due.store(due.max(1), SeqCst);
        let post = match self.post.take().filter(|post| post.admit(&self.entry, self.watcher.limit)) {
            Some(post) => post,
            None => self.watcher.assign(&self.entry)?,
        };
        // After `due`: the thread sees that, or we see how long it sleeps.
        let in_time = post.sleeps_until.load(SeqCst) <= due.min(check);
        self.post = Some(post);
        if !in_time || !self.entry.sleeper.has_doorbell() {
            self.interrupt(); // the thread sleeps without us, or for too long
        }
        Ok(())
    }

    /// Nothing waits any more. The thread leaves this one out when it looks next, unless it has begun again: a wake-up for
    /// each end of a short wait would cost more than the wait.
    pub fn end(&mut self) {
        self.entry.due.store(0, SeqCst);
    }

    fn interrupt(&self) {
        let Some(post) = &self.post else { return };
        park::interrupt(&post.bell);
        if self.watcher.limit == 1 {
            park::interrupt(self.entry.sleeper.word()); // where its thread sleeps
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.end();
        // The thread of a forked child's parent is not here, and may have held the mutex.
        if let Some(post) = self.post.as_ref().filter(|_| !self.entry.sleeper.segment.is_forked()) {
            lock(&post.watched).entries.retain(|entry| !Arc::ptr_eq(entry, &self.entry));
            self.interrupt(); // the thread has the lock's memory mapped
        }
    }
}

impl WatcherThread {
    /// Takes `entry` in, unless it is in already. `false`: there is no room, or the thread has ended.
    fn admit(&self, entry: &Arc<Entry>, limit: usize) -> bool {
        let mut watched = lock(&self.watched);
        if !entry.posted.load(Relaxed) {
            if watched.ended || watched.entries.len() >= limit {
                return false;
            }
            entry.posted.store(true, Relaxed);
            watched.entries.push(entry.clone());
        }
        true
    }

    /// Leaves those out whose watch has ended.
    fn dismiss_ended(&self) {
        lock(&self.watched).entries.retain(|entry| {
            let stays = entry.due.load(SeqCst) != 0;
            entry.posted.store(stays, Relaxed);
            if !stays {
                lock(&entry.peer_check).end();
            }
            stays
        });
    }

    fn keep_watch(&self, watcher: &Watcher) {
        let mut ends_at = None;
        loop {
            // Before looking: who changes something from here on keeps us from falling asleep.
            self.sleeps_until.store(AWAKE, SeqCst);
            park::take_interrupt(&self.bell);
            let entries = lock(&self.watched).entries.clone();
            let now = park::now();
            if entries.is_empty() {
                let until = *ends_at.get_or_insert(now + IDLE_TIME);
                if now >= until && self.end(watcher) {
                    return;
                }
                park::wait(&self.bell, park::IDLE, until);
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

    /// Takes the looks whose time has come, at the pace of a process that keeps so many `vigils`, and rings for entries that have
    /// news or are due. Returns when the next is due.
    fn serve(&self, entries: &[Arc<Entry>], now: u64, vigils: usize) -> u64 {
        let share = (vigils / FULL_PACE + 1) as u64;
        let mut next = u64::MAX;
        let mut ended = false;
        for entry in entries {
            let word = entry.sleeper.word();
            // A poke is for us, not for the attachment. Taken back before looking, like the bell.
            park::take_interrupt(word);
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
            if !park::is_woken(word) && due > now {
                next = next.min(due).min(next_check);
            } else if entry.due.compare_exchange(due, 0, SeqCst, SeqCst).is_ok() {
                (entry.ring)();
                next = next.min(now + FIRST_CHECK); // is it begun again?
            } else {
                next = now; // renewed just now
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
        let mut words: Vec<_> = watched.map(|entry| (entry.sleeper.word(), park::IDLE)).collect();
        if limit > 1 || words.is_empty() {
            words.push((&self.bell, park::IDLE));
        }
        crash_point!(sleep_any);
        park::wait_any(&words, until);
    }

    /// Ends the thread, unless it was given work meanwhile.
    fn end(&self, watcher: &Watcher) -> bool {
        let mut posts = lock(&watcher.posts);
        let mut watched = lock(&self.watched);
        if !watched.entries.is_empty() {
            return false;
        }
        watched.ended = true;
        posts.retain(|post| !std::ptr::eq(&raw const **post, self));
        true
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::attachment::requests::{Outcome, WaitOptions};
    use crate::attachment::{HoldEnd, LockRef, Options};
    use crate::protocol::slot::Mode;

    const BOUND: Duration = Duration::from_secs(20);

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
            std::fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }

        fn open(&self, number: usize) -> Attachment {
            Attachment::open(LockRef::Path(&self.0.join(number.to_string())), &Options::default()).unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    /// Kernels with and without a way to wait for many words at once; the latter need a thread each.
    fn with_both_kinds(name: &str, test: impl Fn(&Folder, &Arc<Watcher>, usize)) {
        for limit in [1, 3] {
            test(&Folder::new(&format!("{name}-{limit}")), &Watcher::with_limit(limit), limit);
        }
    }

    fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < BOUND, "{what}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn rings_for_the_attachment_whose_turn_has_come_and_for_no_other() {
        with_both_kinds("rings", |folder, watcher, limit| {
            let (sender, rung) = mpsc::channel();
            let holders: Vec<_> = (0..7).map(|number| folder.open(number)).collect();
            assert!(holders.iter().all(Attachment::try_write));
            let options = WaitOptions { deadline: u64::MAX, fairness: u64::MAX };
            let mut waiters: Vec<_> = (0..7)
                .map(|number| {
                    let waiter = folder.open(number);
                    let sender = sender.clone();
                    let mut watch = watcher.watch(&waiter, move || sender.send(number).unwrap());
                    waiter.request(Mode::Write, options);
                    waiter.poll(park::now()).unwrap();
                    watch.begin(park::now(), waiter.next_poll(park::now())).unwrap();
                    (waiter, watch)
                })
                .collect();
            assert_eq!(watcher.threads(), 7_usize.div_ceil(limit));
            for number in [3, 0, 6, 1] {
                holders[number].release_exclusive(HoldEnd::Consistent).unwrap();
                assert_eq!(rung.recv_timeout(BOUND), Ok(number));
                let (waiter, watch) = &mut waiters[number];
                waiter.poll(park::now()).unwrap();
                assert!(matches!(waiter.take_settled()[..], [(_, Outcome::Granted)]));
                watch.end();
            }
            assert_eq!(rung.try_recv(), Err(mpsc::TryRecvError::Empty));
            drop(waiters);
            wait_for("a thread without work ends", || watcher.threads() == 0);
        });
    }

    #[test]
    fn rings_when_the_time_has_come_even_if_that_was_brought_forward() {
        with_both_kinds("due", |folder, watcher, _| {
            let holder = folder.open(0);
            assert!(holder.try_write());
            let waiter = folder.open(0);
            let (sender, rung) = mpsc::channel();
            let mut watch = watcher.watch(&waiter, move || sender.send(()).unwrap());
            waiter.request(Mode::Read, WaitOptions { deadline: u64::MAX, fairness: u64::MAX });
            for _ in 0..50 {
                waiter.poll(park::now()).unwrap();
                watch.begin(park::now(), u64::MAX).unwrap();
                waiter.poll(park::now()).unwrap();
                let due = park::now() + 2_000_000;
                watch.begin(park::now(), due).unwrap();
                rung.recv_timeout(BOUND).unwrap();
                assert!(park::now() >= due);
            }
        });
    }

    /// Also where somebody has a doorbell and a ring got lost: the thread then looks as soon as it would without.
    #[test]
    fn an_idle_thread_is_woken_by_who_begins_a_wait() {
        with_both_kinds("idle", |folder, watcher, _| {
            let holder = folder.open(0);
            let waiter = folder.open(0);
            let (sender, rung) = mpsc::channel();
            let mut watch = watcher.watch(&waiter, move || sender.send(()).unwrap());
            let doorbell = doorbell::Doorbell::open();
            let mut times = [vec![], vec![]];
            for round in 0..14 {
                let times = &mut times[round / 7];
                assert!(holder.try_write());
                waiter.request(Mode::Read, WaitOptions { deadline: u64::MAX, fairness: u64::MAX });
                waiter.poll(park::now()).unwrap();
                watch.begin(park::now(), u64::MAX).unwrap();
                let released = park::now();
                holder.release_exclusive(HoldEnd::Consistent).unwrap();
                rung.recv_timeout(BOUND).unwrap();
                times.push(park::now() - released);
                waiter.poll(park::now()).unwrap();
                watch.end();
                waiter.release_read();
                let post = watch.post.clone().unwrap();
                wait_for("its thread leaves it out", || lock(&post.watched).entries.is_empty());
                if let (6, Ok(doorbell)) = (round, &doorbell) {
                    waiter.answer(doorbell, 0); // where nobody listens
                }
            }
            for mut times in times {
                times.sort_unstable();
                assert!(times[times.len() / 2] < IDLE_TIME / 5, "{times:?}");
            }
        });
    }

    /// With a thread each as well: hundreds of them would otherwise take a tenth of a core.
    #[test]
    fn the_more_vigils_a_process_keeps_the_less_often_it_looks() {
        const LAST_CHECK: u64 = 10_000_000; // or a multiple of that
        with_both_kinds("pace", |folder, watcher, _| {
            let holders: Vec<_> = (0..3 * FULL_PACE).map(|number| folder.open(number)).collect();
            let waiters: Vec<_> = (0..3 * FULL_PACE)
                .map(|number| {
                    assert!(holders[number].try_write());
                    let waiter = folder.open(number);
                    let mut watch = watcher.watch(&waiter, || ());
                    waiter.request(Mode::Write, WaitOptions { deadline: u64::MAX, fairness: u64::MAX });
                    waiter.poll(park::now()).unwrap();
                    watch.begin(park::now(), u64::MAX).unwrap();
                    (waiter, watch)
                })
                .collect();
            let mut looks = vec![0];
            wait_for("5 looks that are 4 times as far apart", || {
                let next = lock(&waiters[0].1.entry.peer_check).next;
                if looks.last() != Some(&next) {
                    looks.push(next);
                }
                looks.len() > 5 && looks[looks.len() - 5..].iter().all(|check| check % (4 * LAST_CHECK) == 0)
            });
        });
    }
}
