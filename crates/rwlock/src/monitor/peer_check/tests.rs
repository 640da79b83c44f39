use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::attachment::{Attachment, HoldEnd};
use crate::options::{LockRef, Options, WaitOptions};
use crate::protocol::gate::Hold;
use crate::protocol::slot::{Mode, Queued};
use crate::shm::lock_file::slot_byte;
use crate::shm::segment::Segment;
use crate::sys::park;

const BOUND: Duration = Duration::from_secs(20);

/// Three attachments, of which the last is dead, and a thread that writes something `anew` all the
/// time while `act` runs.
fn with_an_overwriting_thread(
    name: &str,
    anew: impl Fn(&Segment) + Send + 'static,
    act: impl FnOnce(&Attachment) + Send + 'static,
) {
    let path = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
    let open = || Attachment::open(LockRef::Path(&path), &Options::default()).unwrap();
    let (own, other, dead) = (open(), open(), open());
    dead.segment.lock.unlock(slot_byte(dead.index)).unwrap();
    let ends = Arc::new(AtomicBool::new(false));
    let (is_over, segment) = (ends.clone(), own.segment.clone());
    let writer = thread::spawn(move || {
        while !is_over.load(SeqCst) {
            anew(&segment);
        }
    });
    let (done, is_done) = mpsc::channel();
    let acts = thread::spawn(move || {
        act(&own);
        let _ = done.send(());
        own
    });
    let in_time = is_done.recv_timeout(BOUND).is_ok();
    ends.store(true, SeqCst);
    writer.join().unwrap();
    let _ = acts.join();
    drop((other, dead));
    std::fs::remove_file(&path).unwrap();
    assert!(in_time, "it continues for as long as the other thread writes");
}

#[test]
fn a_check_ends_even_if_a_dead_request_is_overwritten_all_the_time() {
    let publish = |segment: &Segment| {
        segment.slots()[2].waiting.queued.store(Queued::new(Mode::Write, 0, 0).0, SeqCst);
    };
    with_an_overwriting_thread("overwritten-queue", publish, |own| {
        for _ in 0..20 {
            own.peer_check().check_for(Mode::Write, park::now());
        }
    });
}

#[test]
fn a_poll_ends_even_if_its_own_request_is_overwritten_all_the_time() {
    let damage = |segment: &Segment| segment.slots()[0].waiting.queued.store(3 | 9 << 20, SeqCst);
    with_an_overwriting_thread("overwritten-request", damage, |own| {
        own.segment.change_gate(|gate| Some(gate.acquired(Hold::Writing, 1)));
        own.request(Mode::Write, WaitOptions { deadline: u64::MAX, fairness: 0, in_turn: false });
        for _ in 0..200 {
            own.poll(park::now()).unwrap();
        }
    });
}

#[test]
fn a_wake_and_a_repair_end_even_if_the_gate_is_overwritten_all_the_time() {
    let damage = |segment: &Segment| {
        segment.change_gate(|gate| Some(gate.acquired(Hold::Upgradable, 2).with_waiting()));
    };
    with_an_overwriting_thread("overwritten-gate", damage, |own| {
        for _ in 0..20 {
            own.segment.queue().wake_next(None);
            own.segment.recovery().recover(2);
        }
    });
}

/// A slot that does not block a try is repaired after some tries.
/// `first` waits in the queue, or drains, and does not come when it is its turn.
#[test]
fn a_request_is_skipped_unless_the_lock_keeps_turns() {
    for (keeps_turns, drains) in [(false, false), (false, true), (true, false), (true, true)] {
        let path = std::env::temp_dir().join(format!("turns-{keeps_turns}-{drains}-{}", std::process::id()));
        let options = Options { keeps_turns, ..Options::default() };
        let open = || Attachment::open(LockRef::Path(&path), &options).unwrap();
        let (holder, first, later) = (open(), open(), open());
        assert!(if drains { holder.try_read() } else { holder.try_write() });
        for waiter in [&first, &later] {
            waiter.request(Mode::Write, WaitOptions { deadline: u64::MAX, fairness: 0, in_turn: true });
            waiter.poll(park::now()).unwrap();
        }
        if drains {
            holder.release_read();
        } else {
            assert_eq!(holder.set_value(Some(b"value")).is_err(), keeps_turns, "such a lock has no value");
            holder.release_exclusive(HoldEnd::Consistent).unwrap();
        }
        let (mut check, begin) = (later.peer_check(), park::now());
        for ms in 0..100 {
            check.check(begin + ms * 1_000_000, 1);
            later.poll(park::now()).unwrap();
        }
        assert_eq!(later.take_settled().is_empty(), keeps_turns, "{drains}");
        first.poll(park::now()).unwrap();
        assert_eq!(first.take_settled().len(), usize::from(keeps_turns), "{drains}");
        drop((holder, first, later));
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn tries_inspect_every_slot_in_turn() {
    let path = std::env::temp_dir().join(format!("in-turn-{}", std::process::id()));
    let open = || Attachment::open(LockRef::Path(&path), &Options::default()).unwrap();
    let own = open();
    let readers: Vec<_> = (0..20).map(|_| open()).collect();
    assert!(readers.iter().all(Attachment::try_read));
    let last = readers.last().unwrap();
    last.segment.lock.unlock(slot_byte(last.index)).unwrap();
    let mut next = 0;
    let mut rounds = 0;
    let mut repaired = false;
    while !repaired && rounds < 10 {
        (repaired, next) = own.segment.recovery().recover_some(own.index, next);
        rounds += 1;
    }
    drop((readers, own));
    std::fs::remove_file(&path).unwrap();
    assert_eq!((repaired, rounds), (true, 5));
}

/// Among many attachments of one live process, the dead one is found in turn.
#[test]
fn inspections_find_every_dead_attachment() {
    let path = std::env::temp_dir().join(format!("inspected-{}", std::process::id()));
    let open = || Attachment::open(LockRef::Path(&path), &Options::default()).unwrap();
    let own = open();
    let readers: Vec<_> = (0..100).map(|_| open()).collect();
    assert!(readers.iter().all(Attachment::try_read));
    let dead = &readers[50];
    dead.segment.lock.unlock(slot_byte(dead.index)).unwrap();
    let holders: Vec<_> = (0..2).map(|_| own.inspect().holders.len()).collect();
    // If their process has exited, all are found at once.
    let mut child = std::process::Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    for reader in &readers[60..] {
        reader.slot().waiting.pid.store(child.id(), Relaxed);
        reader.segment.lock.unlock(slot_byte(reader.index)).unwrap();
    }
    let left = own.inspect().holders.len();
    drop((readers, own));
    std::fs::remove_file(&path).unwrap();
    assert_eq!((holders[1], left), (99, 59));
}

#[test]
fn waiters_are_served_in_order_when_tickets_wrap() {
    let path = std::env::temp_dir().join(format!("wrapping-tickets-{}", std::process::id()));
    let open = || Attachment::open(LockRef::Path(&path), &Options::default()).unwrap();
    let holder = open();
    assert!(holder.try_write());
    holder.segment.tickets().next.store((1 << 44) - 2, SeqCst);
    let waiters: Vec<_> = (0..4).map(|_| open()).collect();
    let options = WaitOptions { deadline: u64::MAX, fairness: 0, in_turn: false };
    for waiter in &waiters {
        waiter.request(Mode::Write, options);
        waiter.poll(park::now()).unwrap();
    }
    let shown: Vec<_> = holder.segment.queue().entries().map(|(slot, queued)| (slot, queued.ticket())).collect();
    holder.release_exclusive(HoldEnd::Consistent).unwrap();
    let mut order = Vec::new();
    for _ in 0..4 {
        // In the wrong order: only the one whose turn it is gets the lock.
        for (position, waiter) in waiters.iter().enumerate().rev() {
            waiter.poll(park::now()).unwrap();
            if !waiter.take_settled().is_empty() {
                order.push(position);
                waiter.release_exclusive(HoldEnd::Consistent).unwrap();
            }
        }
    }
    drop((waiters, holder));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(shown.iter().map(|(_, ticket)| *ticket).collect::<Vec<_>>(), [(1 << 44) - 2, (1 << 44) - 1, 0, 1]);
    assert_eq!(order, [0, 1, 2, 3]);
}
