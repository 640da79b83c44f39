//! Holders that are told of the requests that they keep out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;

use process_rwlock::{Attachment, Doorbell, HoldEnd, Mode, Outcome, WaitOptions, Watcher, now};

use crate::helpers::{TestLock, ms, until};

const FOR_NEWS: WaitOptions = WaitOptions { deadline: u64::MAX, fairness: u64::MAX, in_turn: false };
const MODES: [Mode; 3] = [Mode::Read, Mode::Upgradable, Mode::Write];

fn acquire(attachment: &Attachment, mode: Mode) {
    assert!(match mode {
        Mode::Read => attachment.try_read(),
        Mode::Upgradable => attachment.try_upgradable(),
        Mode::Write => attachment.try_write(),
    });
}

fn release(attachment: &Attachment) {
    attachment.release_read();
    attachment.release_exclusive(HoldEnd::Consistent).unwrap();
}

/// Whether a request with mode `wanted` cannot be granted beside a hold with mode `held`.
fn keeps_out(held: Mode, wanted: Mode) -> bool {
    match held {
        Mode::Read => wanted == Mode::Write,
        Mode::Upgradable => wanted != Mode::Read,
        Mode::Write => true,
    }
}

#[test]
fn a_hold_is_contended_while_a_request_waits_that_it_keeps_out() {
    let lock = TestLock::named();
    let [own, other] = [lock.attach(), lock.attach()];
    for held in MODES {
        for wanted in MODES {
            for waiter in [&own, &other] {
                acquire(&own, held);
                assert!(!own.is_contended(held));
                let request = waiter.request(wanted, FOR_NEWS);
                waiter.poll(now()).unwrap();
                let granted = !waiter.take_settled().is_empty();
                assert_eq!(own.is_contended(held), keeps_out(held, wanted), "{held:?}, {wanted:?}");
                assert_eq!(granted, !keeps_out(held, wanted));
                waiter.cancel(request);
                waiter.poll(now()).unwrap();
                if granted {
                    release(waiter);
                }
                release(&own);
            }
        }
    }
}

#[test]
fn the_doorbell_rings_for_a_request_that_is_kept_out_and_for_no_other() {
    let Ok(doorbell) = Doorbell::open() else { return };
    let lock = TestLock::named();
    let own = lock.attach();
    own.set_doorbell(&doorbell, 42);
    for held in MODES {
        for wanted in MODES {
            let other = lock.attach();
            acquire(&own, held);
            own.want_notices(&[held]);
            own.take_notice();
            other.request(wanted, FOR_NEWS);
            other.poll(now()).unwrap();
            let rung = doorbell.next_ring() == Some(42);
            assert_eq!(rung, keeps_out(held, wanted), "{held:?}, {wanted:?}");
            own.want_notices(&[]);
            drop(other);
            release(&own);
        }
    }
}

#[test]
fn a_holder_that_did_not_ask_is_not_rung_for() {
    let Ok(doorbell) = Doorbell::open() else { return };
    let lock = TestLock::named();
    let [own, other] = [lock.attach(), lock.attach()];
    own.set_doorbell(&doorbell, 42);
    acquire(&own, Mode::Write);
    own.take_notice();
    other.request(Mode::Read, FOR_NEWS);
    other.poll(now()).unwrap();
    assert_eq!(doorbell.next_ring(), None);
}

#[test]
fn a_watch_listens_without_checks_and_rings_for_a_notice() {
    let lock = TestLock::named();
    let watcher = Watcher::new();
    let own = lock.attach();
    let rings = Arc::new(AtomicU32::new(0));
    let counted = rings.clone();
    let mut watch = watcher.watch(&own, move || {
        counted.fetch_add(1, SeqCst);
    });
    let child = lock.child();
    for (held, wanted) in [(Mode::Read, "write"), (Mode::Upgradable, "upgradable"), (Mode::Write, "read")] {
        acquire(&own, held);
        own.want_notices(&[held]);
        own.take_notice();
        assert!(!own.is_contended(held));
        watch.listen(now()).unwrap();
        let before = rings.load(SeqCst);
        thread::sleep(ms(60)); // many periodic checks of a waiter
        assert_eq!(rings.load(SeqCst), before, "there was nothing to ring for ({held:?})");
        child.tell(wanted);
        until("it rings", || rings.load(SeqCst) > before);
        until("it is contended", || own.is_contended(held));
        own.want_notices(&[]);
        release(&own);
        assert_eq!(child.answer(), "granted");
        child.release();
    }
}

#[test]
fn a_mark_that_a_dead_process_left_does_not_hide_the_next_request() {
    let Ok(doorbell) = Doorbell::open() else { return };
    let lock = TestLock::named();
    let own = lock.attach();
    own.set_doorbell(&doorbell, 42);
    acquire(&own, Mode::Write);
    own.take_notice();
    // A request makes the mark and its ring; the ring is lost, as if its process had died before it.
    own.want_notices(&[Mode::Write]);
    let first = lock.attach();
    first.request(Mode::Read, FOR_NEWS);
    first.poll(now()).unwrap();
    assert_eq!(doorbell.next_ring(), Some(42));
    drop(first);
    let child = lock.child();
    child.tell("read");
    until("the next waiter rings", || doorbell.next_ring() == Some(42));
    release(&own);
    assert_eq!(child.answer(), "granted");
}

#[test]
fn a_request_that_was_made_before_the_release_is_behind_those_that_wait() {
    let lock = TestLock::named();
    let own = lock.attach();
    let first = lock.attach();
    acquire(&own, Mode::Write);
    first.request(Mode::Write, FOR_NEWS);
    first.poll(now()).unwrap();
    own.request(Mode::Write, FOR_NEWS);
    own.release_exclusive(HoldEnd::Consistent).unwrap();
    let later = lock.attach();
    later.request(Mode::Write, FOR_NEWS);
    later.poll(now()).unwrap();
    own.poll(now()).unwrap();
    for attachment in [&first, &own, &later] {
        attachment.poll(now()).unwrap();
        let outcomes: Vec<_> = attachment.take_settled().into_iter().map(|(_, outcome)| outcome).collect();
        assert_eq!(outcomes, [Outcome::Granted]);
        attachment.release_exclusive(HoldEnd::Consistent).unwrap();
    }
}
