//! Threads that sleep for those who must not: they ring when there is something to do, and only then.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use process_rwlock::{Attachment, Doorbell, HoldEnd, Mode, Outcome, WaitOptions, Watch, Watcher, now};

use crate::kit::{TestLock, ms, until};

const PATIENT: WaitOptions = WaitOptions { deadline: u64::MAX, fairness: 1_000_000 };
/// Never gives up, and never closes the queue.
const FOR_NEWS: WaitOptions = WaitOptions { deadline: u64::MAX, fairness: u64::MAX };

/// An attachment that is watched, and how often it was rung for.
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

    /// As the binding does: polls, has itself watched while something is pending, and tells what was settled.
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

    /// Asks for the lock, and waits for news alone.
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
fn it_rings_once_when_the_lock_is_released_and_not_before() {
    let lock = TestLock::named();
    let watcher = Watcher::new();
    let mut own = Watched::new(&watcher, &lock);
    let child = lock.child();
    for (held, mode) in [("write", Mode::Read), ("read", Mode::Write), ("upgradable", Mode::Upgradable)] {
        child.hold(held);
        own.wait(mode);
        let before = own.rings();
        thread::sleep(ms(100)); // many looks after dead peers
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
fn it_rings_when_the_holder_is_killed() {
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
fn it_rings_at_the_time_that_was_said() {
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
fn it_does_not_ring_after_its_end() {
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
fn a_watch_may_be_dropped_at_any_time() {
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
fn more_attachments_than_a_thread_can_watch_share_a_few_threads() {
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

/// Linux can since 5.16 (`futex_waitv`), Windows always could.
fn waits_for_many() -> bool {
    if cfg!(windows) {
        return true;
    }
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(['.', '-']).map_while(|number| number.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(5), Some(16))
}

#[test]
fn a_thread_ends_when_it_is_idle_and_another_starts_when_there_is_work() {
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
fn two_threads_pass_a_lock_to_and_fro_by_rings() {
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
fn a_read_behind_ones_own_write_sleeps_while_that_waits_for_others() {
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

/// Where there are none, a watcher is all there is.
fn doorbell() -> Option<Doorbell> {
    let doorbell = Doorbell::open();
    assert!(doorbell.is_ok() || !cfg!(target_os = "linux"), "{:?}", doorbell.err());
    doorbell.ok()
}

#[test]
fn news_come_to_the_doorbell_without_any_thread() {
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
fn a_ring_that_nobody_hears_is_made_up_for() {
    let Some(doorbell) = doorbell() else { return };
    let lock = TestLock::named();
    let watcher = Watcher::new();
    let mut own = Watched::new(&watcher, &lock);
    own.attachment.set_doorbell(&doorbell, 42);
    let child = lock.child();
    let mut kept = Some(doorbell);
    // It arrives and is not looked at; then there is no door any more.
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
fn who_blocks_in_a_wait_is_woken_and_has_its_doorbell_back_afterwards() {
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
