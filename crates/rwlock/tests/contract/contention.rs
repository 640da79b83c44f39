//! Holders that are told of the requests that they keep out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;

use process_rwlock::{Attachment, Doorbell, HoldEnd, Mode, Options, Outcome, WaitOptions, Watcher, now};

use crate::helpers::{TestLock, ms, timed, until};

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
                assert!(!own.is_contended(held) && !own.inspect().contended);
                let request = waiter.request(wanted, FOR_NEWS);
                waiter.poll(now()).unwrap();
                let granted = !waiter.take_settled().is_empty();
                assert_eq!(own.is_contended(held), keeps_out(held, wanted), "{held:?}, {wanted:?}");
                assert_eq!(own.inspect().contended, keeps_out(held, wanted), "{held:?}, {wanted:?}");
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
fn an_upgrade_is_kept_out_by_readers_and_not_by_its_own_hold() {
    let lock = TestLock::named();
    let [own, reader, other] = [lock.attach(), lock.attach(), lock.attach()];
    acquire(&own, Mode::Upgradable);
    acquire(&reader, Mode::Read);
    own.request_upgrade(FOR_NEWS).unwrap();
    own.poll(now()).unwrap();
    assert!(!own.is_contended(Mode::Upgradable));
    assert!(reader.is_contended(Mode::Read));
    assert!(other.inspect().contended);
    reader.release_read();
    assert!(!other.inspect().contended, "no hold keeps it out any more");
    own.poll(now()).unwrap();
    assert_eq!(own.exclusive(), Some(Mode::Write));
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
fn a_thread_waits_until_a_request_comes_that_its_hold_keeps_out() {
    let lock = TestLock::named();
    let own = lock.open();
    let child = lock.child();
    let served = || {
        assert_eq!(child.answer(), "granted");
        child.release();
    };
    let read = own.read().unwrap();
    let (is_contended, took) = timed(|| read.wait_contended(Some(ms(30))));
    assert!(!is_contended && took >= ms(30), "{took:?}");
    child.tell("write");
    assert!(read.wait_contended(None));
    assert!(read.is_contended() && read.wait_contended(Some(ms(0))));
    drop(read);
    served();

    let upgradable = own.upgradable().unwrap();
    child.tell("upgradable");
    assert!(upgradable.wait_contended(None));
    drop(upgradable);
    served();

    let write = own.write().unwrap();
    child.tell("read");
    assert!(write.wait_contended(None));
    drop(write);
    served();
    assert!(!own.read().unwrap().is_contended());
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

#[test]
fn a_reader_is_contended_by_another_one_if_the_limit_on_readers_is_reached() {
    let Ok(doorbell) = Doorbell::open() else { return };
    let lock = TestLock::named();
    let options = Options { max_readers: Some(2), ..Options::default() };
    let [own, second, third] = [0; 3].map(|_| Attachment::open(lock.reference(), &options).unwrap());
    own.set_doorbell(&doorbell, 42);
    acquire(&own, Mode::Read);
    own.want_notices(&[Mode::Read]);
    own.take_notice();
    for (reader, is_granted) in [(&own, true), (&second, false), (&own, false), (&third, false)] {
        let request = reader.request(Mode::Read, FOR_NEWS);
        reader.poll(now()).unwrap();
        assert_eq!(!reader.take_settled().is_empty(), is_granted);
        assert_eq!(own.is_contended(Mode::Read), !is_granted);
        assert_eq!(own.inspect().contended, !is_granted);
        assert_eq!(doorbell.next_ring().is_some(), !is_granted && !std::ptr::eq(reader, &raw const own));
        own.take_notice();
        reader.cancel(request);
        reader.poll(now()).unwrap();
    }
}
