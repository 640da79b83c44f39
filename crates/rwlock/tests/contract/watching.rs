//! Threads that block on behalf of event loops: they ring when there is something to do, and only
//! then.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use process_rwlock::{Attachment, Doorbell, HoldEnd, Mode, Outcome, WaitOptions, Watch, Watcher, now};

use crate::helpers::{TestLock, ms, until};

const PATIENT: WaitOptions = WaitOptions { deadline: u64::MAX, fairness: 1_000_000, in_turn: false };
/// Never times out, and never closes the queue.
const FOR_NEWS: WaitOptions = WaitOptions { deadline: u64::MAX, fairness: u64::MAX, in_turn: false };

/// A watched attachment, and how often it was rung for.
struct Watched {
    attachment: Attachment,
    watch: Watch,
    rings: Arc<AtomicU32>,
}

impl Watched {
    fn new(watcher: &Arc<Watcher>, lock: &TestLock) -> Self {
        let (attachment, rings) = (lock.attach(), Arc::new(AtomicU32::new(0)));
        let counted = rings.clone();
        let watch = watcher.watch(&attachment, move || {
            counted.fetch_add(1, SeqCst);
        });
        Self { attachment, watch, rings }
    }

    fn rings(&self) -> u32 {
        self.rings.load(SeqCst)
    }

    /// Like the binding: polls, is watched while a request is pending, and returns the outcomes.
    fn handle_blocker(&mut self) -> Vec<Outcome> {
        let time = now();
        self.attachment.poll(time).unwrap();
        if self.attachment.pending() == 0 {
            self.watch.end();
        } else {
            self.watch.begin(time, self.attachment.next_poll(time)).unwrap();
        }
        self.attachment.take_settled().into_iter().map(|(_, outcome)| outcome).collect()
    }

    /// Requests the lock, and waits for a notification only.
    fn wait(&mut self, mode: Mode) {
        self.attachment.request(mode, FOR_NEWS);
        assert_eq!(self.handle_blocker(), []);
    }
}

#[test]
fn a_watcher_without_work_has_no_threads() {
    let lock = TestLock::named();
    let watcher = Watcher::new();
    let mut own = Watched::new(&watcher, &lock);
    assert_eq!(watcher.threads(), 0);
    own.attachment.request(Mode::Read, PATIENT);
    assert_eq!(own.handle_blocker(), [Outcome::Granted]);
    assert_eq!(watcher.threads(), 0, "nothing had to be waited for");
}

#[test]
fn a_watch_rings_once_when_the_lock_is_released_and_not_before() {
    let lock = TestLock::named();
    let watcher = Watcher::new();
    let mut own = Watched::new(&watcher, &lock);
    let child = lock.child();
    for (held, mode) in [("write", Mode::Read), ("read", Mode::Write), ("upgradable", Mode::Upgradable)] {
        child.hold(held);
        own.wait(mode);
        let before = own.rings();
        thread::sleep(ms(100)); // many periodic checks
        assert_eq!(own.rings(), before, "there was nothing to ring for ({held})");
        child.release();
        until("it rings", || own.rings() == before + 1);
        assert_eq!(own.handle_blocker(), [Outcome::Granted]);
        assert_eq!(own.rings(), before + 1);
        own.attachment.release_read();
        own.attachment.release_exclusive(HoldEnd::Consistent).unwrap();
    }
}

#[test]
fn a_watch_rings_when_the_holder_is_killed() {
    for (held, mode) in [("write", Mode::Read), ("read", Mode::Write), ("upgradable", Mode::Write)] {
        let lock = TestLock::named();
        let watcher = Watcher::new();
        let mut own = Watched::new(&watcher, &lock);
        let child = lock.child();
        child.hold(held);
        own.wait(mode);
        let before = own.rings();
        child.kill();
        until("it rings", || own.rings() > before);
        assert_eq!(own.handle_blocker(), [Outcome::Granted]);
    }
}

#[test]
fn a_watch_rings_at_the_given_time() {
    let lock = TestLock::named();
    let watcher = Watcher::new();
    let mut own = Watched::new(&watcher, &lock);
    let child = lock.child();
    child.hold("write");
    let deadline = now() + 300_000_000;
    own.attachment.request(Mode::Read, WaitOptions { deadline, ..PATIENT });
    let mut outcomes = vec![];
    let mut rings = 0;
    while outcomes.is_empty() {
        outcomes = own.handle_blocker();
        if outcomes.is_empty() {
            assert!(now() < deadline + 2_000_000_000, "it did not ring");
            until("it rings", || own.rings() > rings);
            rings = own.rings();
        }
    }
    assert_eq!(outcomes, [Outcome::TimedOut]);
    assert!(now() >= deadline);
    assert!(rings <= 3, "for closing the queue and for the deadline, not {rings} times");
}

#[test]
fn a_watch_does_not_ring_after_its_end() {
    let lock = TestLock::named();
    let watcher = Watcher::new();
    let mut own = Watched::new(&watcher, &lock);
    let child = lock.child();
    child.hold("write");
    own.wait(Mode::Read);
    let before = own.rings();
    own.watch.end();
    child.release();
    thread::sleep(ms(50));
    assert_eq!(own.rings(), before);
    assert_eq!(own.handle_blocker(), [Outcome::Granted]);
}

#[test]
fn a_watch_can_be_dropped_at_any_time() {
    let lock = TestLock::named();
    let watcher = Watcher::new();
    let child = lock.child();
    child.hold("write");
    for _ in 0..50 {
        let mut own = Watched::new(&watcher, &lock);
        own.attachment.request(Mode::Read, PATIENT);
        assert_eq!(own.handle_blocker(), []);
    }
    child.release();
    assert_eq!(child.ask("try_write"), "granted");
}

#[test]
fn many_attachments_share_a_few_watcher_threads() {
    const ATTACHMENTS: usize = 300;
    let per_thread = if waits_for_many() { 127 } else { 1 };
    let lock = TestLock::at_path();
    let holder = lock.open_with(&process_rwlock::OpenOptions::new().capacity(400)).unwrap();
    let writing = holder.write().unwrap();
    let watcher = Watcher::new();
    let mut watched: Vec<_> = (0..ATTACHMENTS).map(|_| Watched::new(&watcher, &lock)).collect();
    for own in &mut watched {
        own.attachment.request(Mode::Read, FOR_NEWS);
        assert_eq!(own.handle_blocker(), []);
    }
    assert_eq!(watcher.threads(), ATTACHMENTS.div_ceil(per_thread));
    assert!(watched.iter().all(|own| own.rings() == 0));
    drop(writing);
    until("all have been rung for", || watched.iter().all(|own| own.rings() == 1));
    for own in &mut watched {
        assert_eq!(own.handle_blocker(), [Outcome::Granted]);
    }
    assert_eq!(holder.inspect().holders.len(), ATTACHMENTS);
    until("the threads without work end", || watcher.threads() == 0);
}

/// Linux supports this since 5.16 (`futex_waitv`), Windows always.
fn waits_for_many() -> bool {
    if cfg!(windows) {
        return true;
    }
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(['.', '-']).map_while(|number| number.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(5), Some(16))
}

#[test]
fn an_idle_watcher_thread_ends_and_another_starts_for_new_work() {
    let lock = TestLock::named();
    let watcher = Watcher::new();
    let mut own = Watched::new(&watcher, &lock);
    let child = lock.child();
    for _ in 0..2 {
        child.hold("write");
        own.wait(Mode::Read);
        assert_eq!(watcher.threads(), 1);
        let before = own.rings();
        child.release();
        until("it rings", || own.rings() > before);
        assert_eq!(own.handle_blocker(), [Outcome::Granted]);
        own.attachment.release_read();
        until("the thread ends", || watcher.threads() == 0);
    }
}

#[test]
fn two_threads_hand_a_lock_back_and_forth_by_rings() {
    const ROUNDS: usize = 300;
    let lock = TestLock::named();
    let watcher = Watcher::new();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut own = Watched::new(&watcher, &lock);
                for _ in 0..ROUNDS {
                    own.attachment.request(Mode::Write, PATIENT);
                    let mut seen = own.rings();
                    while own.handle_blocker().is_empty() {
                        until("it rings", || own.rings() != seen);
                        seen = own.rings();
                    }
                    own.attachment.release_exclusive(HoldEnd::Consistent).unwrap();
                }
            });
        }
    });
}

#[test]
fn a_read_behind_a_write_of_its_own_thread_sleeps_while_that_waits() {
    let lock = TestLock::at_path();
    let reader = lock.attach();
    assert!(reader.try_read());
    let watcher = Watcher::new();
    let mut own = Watched::new(&watcher, &lock);
    own.wait(Mode::Write);
    own.wait(Mode::Read);
    let (start, mut looks) = (now(), 0);
    while now() < start + 200_000_000 {
        if own.rings() != looks {
            looks = own.rings();
            assert_eq!(own.handle_blocker(), []);
        }
        thread::sleep(Duration::from_micros(100));
    }
    assert!(looks < 100, "rang {looks} times in 200 ms");
    reader.release_read();
    until("it writes", || own.handle_blocker() == [Outcome::Granted]);
}

/// On systems without doorbells, there is only the watcher.
fn doorbell() -> Option<Doorbell> {
    let doorbell = Doorbell::open();
    assert!(doorbell.is_ok() || !cfg!(target_os = "linux"), "{:?}", doorbell.err());
    doorbell.ok()
}

#[test]
fn the_doorbell_rings_without_a_watcher_thread() {
    let Some(doorbell) = doorbell() else { return };
    let lock = TestLock::named();
    let watcher = Watcher::new();
    let mut own = Watched::new(&watcher, &lock);
    own.attachment.set_doorbell(&doorbell, 42);
    let child = lock.child();
    for (held, mode) in [("write", Mode::Read), ("read", Mode::Write), ("upgradable", Mode::Upgradable)] {
        child.hold(held);
        own.attachment.request(mode, FOR_NEWS);
        own.attachment.poll(now()).unwrap();
        assert_eq!(doorbell.next_ring(), None);
        child.release();
        until("it rings", || doorbell.next_ring() == Some(42));
        assert_eq!(doorbell.next_ring(), None, "once");
        assert_eq!(own.handle_blocker(), [Outcome::Granted]);
        own.attachment.release_read();
        own.attachment.release_exclusive(HoldEnd::Consistent).unwrap();
    }
    assert_eq!(watcher.threads(), 0);
}

#[test]
fn a_lost_ring_is_compensated() {
    let Some(doorbell) = doorbell() else { return };
    let lock = TestLock::named();
    let watcher = Watcher::new();
    let mut own = Watched::new(&watcher, &lock);
    own.attachment.set_doorbell(&doorbell, 42);
    let child = lock.child();
    let mut kept = Some(doorbell);
    // The ring arrives and is not handled; then the doorbell is closed.
    for _ in 0..2 {
        child.hold("write");
        own.wait(Mode::Read);
        let before = own.rings();
        child.release();
        until("it rings", || own.rings() > before);
        assert_eq!(own.handle_blocker(), [Outcome::Granted]);
        own.attachment.release_read();
        kept = None;
    }
    assert!(kept.is_none());
}

#[test]
fn a_blocked_thread_is_woken_and_gets_its_doorbell_back_afterwards() {
    let Some(doorbell) = doorbell() else { return };
    let lock = TestLock::named();
    let attachment = lock.attach();
    attachment.set_doorbell(&doorbell, 42);
    let child = lock.child();
    child.hold("write");
    let releases = thread::spawn(move || {
        thread::sleep(ms(20));
        child.release();
        child
    });
    attachment.wait(Mode::Write, FOR_NEWS, || false).unwrap();
    let child = releases.join().unwrap();
    assert_eq!(doorbell.next_ring(), None, "it slept elsewhere");
    attachment.release_exclusive(HoldEnd::Consistent).unwrap();
    child.hold("write");
    attachment.request(Mode::Read, FOR_NEWS);
    attachment.poll(now()).unwrap();
    child.release();
    until("it rings", || doorbell.next_ring() == Some(42));
}
