//! The level below the guards, on which the binding for Node is built: requests that are made and
//! polled.

use process_rwlock::{Attachment, ErrorKind, HoldEnd, Mode, Outcome, WaitOptions, now};

use crate::helpers::{TestLock, ms, until};

const PATIENT: WaitOptions = WaitOptions { deadline: u64::MAX, fairness: 1_000_000 };

fn granted(attachment: &Attachment) -> Vec<u32> {
    attachment.poll(now()).unwrap();
    let settled = attachment.take_settled();
    assert!(settled.iter().all(|(_, outcome)| *outcome == Outcome::Granted), "{settled:?}");
    settled.into_iter().map(|(id, _)| id).collect()
}

fn due_in(ms: u64) -> WaitOptions {
    WaitOptions { deadline: now() + ms * 1_000_000, ..PATIENT }
}

#[test]
fn a_request_for_a_free_lock_is_granted_by_the_first_poll_and_reported_once() {
    let lock = TestLock::named();
    let own = lock.attach();
    for mode in [Mode::Read, Mode::Upgradable, Mode::Write] {
        let id = own.request(mode, PATIENT);
        assert_eq!(own.take_settled(), [], "not before the poll");
        assert_eq!(own.pending(), 1);
        assert_eq!(granted(&own), [id]);
        assert_eq!(granted(&own), []);
        assert_eq!(own.pending(), 0);
        assert_eq!((own.reads(), own.exclusive()), if mode == Mode::Read { (1, None) } else { (0, Some(mode)) });
        own.release_read();
        own.release_exclusive(HoldEnd::Consistent).unwrap();
    }
}

#[test]
fn requests_are_granted_in_the_order_in_which_they_were_made() {
    let lock = TestLock::named();
    let own = lock.attach();
    assert!(own.try_write());
    let ids = [Mode::Read, Mode::Read, Mode::Write, Mode::Write, Mode::Read].map(|mode| own.request(mode, PATIENT));
    assert_eq!(granted(&own), []);
    own.release_exclusive(HoldEnd::Consistent).unwrap();
    assert_eq!(granted(&own), ids[..2]);
    own.release_read();
    assert_eq!(granted(&own), [], "one of the two reads still");
    own.release_read();
    for writer in &ids[2..4] {
        assert_eq!(granted(&own), [*writer]);
        own.release_exclusive(HoldEnd::Consistent).unwrap();
    }
    assert_eq!(granted(&own), ids[4..]);
}

#[test]
fn a_request_waits_for_another_process() {
    let lock = TestLock::named();
    let own = lock.attach();
    let child = lock.child();
    for (held, mode) in [("write", Mode::Read), ("read", Mode::Write), ("upgradable", Mode::Write)] {
        child.hold(held);
        let id = own.request(mode, PATIENT);
        assert_eq!(granted(&own), []);
        child.release();
        assert_eq!(granted(&own), [id]);
        own.release_read();
        own.release_exclusive(HoldEnd::Consistent).unwrap();
    }
}

#[test]
fn a_cancelled_request_is_not_granted_and_does_not_block_the_next() {
    let lock = TestLock::named();
    let (own, other) = (lock.attach(), lock.attach());
    let child = lock.child();
    child.hold("write");
    let (first, second) = (own.request(Mode::Write, PATIENT), own.request(Mode::Read, PATIENT));
    assert_eq!(granted(&own), []);
    let behind = other.request(Mode::Read, PATIENT);
    assert_eq!(granted(&other), []);
    assert!(own.cancel(first));
    assert!(!own.cancel(first), "only once");
    assert_eq!(granted(&own), []);
    child.release();
    assert_eq!((granted(&own), granted(&other)), (vec![second], vec![behind]));
    assert!(!own.cancel(second), "it is granted");
    assert!(!own.cancel(12345));
    assert_eq!(own.reads(), 1);
}

#[test]
fn a_writer_cancelled_while_it_waits_for_readers_admits_others_again() {
    let lock = TestLock::named();
    let own = lock.attach();
    let (child, late) = (lock.child(), lock.child());
    child.hold("read");
    let id = own.request(Mode::Write, PATIENT);
    assert_eq!(granted(&own), []);
    assert_eq!(late.ask("try_read"), "refused");
    assert!(own.cancel(id));
    assert_eq!(granted(&own), []);
    assert_eq!(late.ask("try_read"), "granted");
    assert_eq!((own.pending(), own.exclusive()), (0, None));
}

#[test]
fn a_request_times_out_at_its_deadline_which_next_poll_returns() {
    let lock = TestLock::named();
    let own = lock.attach();
    let child = lock.child();
    for (held, mode) in [("write", Mode::Read), ("write", Mode::Write), ("read", Mode::Write)] {
        child.hold(held);
        let options = due_in(60_000);
        let id = own.request(mode, options);
        assert_eq!(granted(&own), []);
        assert!(own.next_poll(now()) <= options.deadline);
        own.poll(options.deadline - 1).unwrap();
        assert_eq!(own.take_settled(), []);
        own.poll(options.deadline).unwrap();
        assert_eq!(own.take_settled(), [(id, Outcome::TimedOut)]);
        assert_eq!(own.pending(), 0);
        child.release();
    }
}

#[test]
fn only_the_late_ones_of_many_requests_time_out() {
    let lock = TestLock::named();
    let own = lock.attach();
    let child = lock.child();
    child.hold("write");
    let soon = due_in(60_000);
    let ids = [PATIENT, soon, PATIENT, soon].map(|options| own.request(Mode::Read, options));
    assert_eq!(granted(&own), []);
    own.poll(soon.deadline).unwrap();
    assert_eq!(own.take_settled(), [(ids[1], Outcome::TimedOut), (ids[3], Outcome::TimedOut)]);
    child.release();
    assert_eq!(granted(&own), [ids[0], ids[2]]);
}

#[test]
fn nothing_is_due_without_a_deadline() {
    let lock = TestLock::named();
    let own = lock.attach();
    assert_eq!(own.next_poll(now()), u64::MAX);
    own.poll(now()).unwrap();
    assert_eq!(own.next_poll(now()), u64::MAX);
    let id = own.request(Mode::Read, due_in(1000));
    assert_eq!(granted(&own), [id]);
    let due = own.next_poll(now());
    own.poll(due).unwrap();
    assert_eq!(own.next_poll(due), u64::MAX, "what is settled has no deadline");
    assert_eq!(own.take_settled(), []);
}

#[test]
fn a_waiting_request_is_due_when_the_queue_must_be_closed() {
    let lock = TestLock::named();
    let own = lock.attach();
    let child = lock.child();
    child.hold("write");
    let before = now();
    own.request(Mode::Read, PATIENT);
    own.poll(before).unwrap();
    let due = own.next_poll(before);
    assert!((before..=now() + PATIENT.fairness).contains(&due), "{due} is not within {} of {before}", PATIENT.fairness);
    own.poll(due).unwrap();
    assert_eq!(own.next_poll(due), u64::MAX, "closed once, it waits for news alone");
}

#[test]
fn an_upgrade_is_a_request_of_an_upgradable_hold() {
    let lock = TestLock::named();
    let own = lock.attach();
    assert_eq!(own.request_upgrade(PATIENT), None);
    assert!(own.try_read());
    assert_eq!(own.request_upgrade(PATIENT), None);
    own.release_read();
    let child = lock.child();
    child.hold("read");
    assert!(own.try_upgradable());
    let id = own.request_upgrade(PATIENT).unwrap();
    assert_eq!(own.request_upgrade(PATIENT), None, "it is being upgraded");
    assert_eq!(granted(&own), []);
    assert_eq!(own.exclusive(), Some(Mode::Upgradable));
    child.release();
    assert_eq!(granted(&own), [id]);
    assert_eq!(own.exclusive(), Some(Mode::Write));
    assert_eq!(own.request_upgrade(PATIENT), None);
}

#[test]
fn an_upgrade_that_is_cancelled_or_late_leaves_the_hold_upgradable() {
    let lock = TestLock::named();
    let own = lock.attach();
    let (child, late) = (lock.child(), lock.child());
    child.hold("read");
    assert!(own.try_upgradable());
    let id = own.request_upgrade(PATIENT).unwrap();
    assert_eq!(granted(&own), []);
    assert!(own.cancel(id));
    assert_eq!(granted(&own), []);
    assert_eq!((own.exclusive(), late.ask("try_read").as_str()), (Some(Mode::Upgradable), "granted"));
    let options = due_in(60_000);
    let id = own.request_upgrade(options).unwrap();
    own.poll(options.deadline).unwrap();
    assert_eq!(own.take_settled(), [(id, Outcome::TimedOut)]);
    assert_eq!((own.exclusive(), late.ask("try_read").as_str()), (Some(Mode::Upgradable), "granted"));
}

#[test]
fn a_blocking_wait_precedes_the_requests_of_its_own_thread() {
    let lock = TestLock::named();
    let own = lock.attach();
    let child = lock.child();
    child.hold("write");
    let first = own.request(Mode::Write, PATIENT);
    assert_eq!(granted(&own), []);
    child.release();
    own.wait(Mode::Write, PATIENT, || false).unwrap();
    assert_eq!(own.exclusive(), Some(Mode::Write));
    assert_eq!(granted(&own), [], "the request waits on");
    own.release_exclusive(HoldEnd::Consistent).unwrap();
    assert_eq!(granted(&own), [first]);
}

#[test]
fn a_blocking_wait_precedes_a_draining_writer_of_its_own_thread() {
    let lock = TestLock::named();
    let own = lock.attach();
    let child = lock.child();
    child.hold("read");
    let writer = own.request(Mode::Write, PATIENT);
    assert_eq!(granted(&own), []);
    own.wait(Mode::Read, PATIENT, || false).unwrap();
    assert_eq!(own.reads(), 1);
    own.release_read();
    assert_eq!(granted(&own), []);
    child.release();
    assert_eq!(granted(&own), [writer]);
}

#[test]
fn a_blocking_wait_that_times_out_keeps_the_other_requests() {
    let lock = TestLock::named();
    let own = lock.attach();
    let child = lock.child();
    child.hold("write");
    let request = own.request(Mode::Read, PATIENT);
    assert_eq!(own.wait(Mode::Write, due_in(20), || false).unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(own.pending(), 1);
    child.release();
    assert_eq!(granted(&own), [request]);
}

#[test]
fn a_blocking_wait_can_be_interrupted() {
    let lock = TestLock::named();
    let own = lock.attach();
    let child = lock.child();
    child.hold("write");
    let mut asked = 0;
    let error = own.wait(Mode::Read, PATIENT, || {
        asked += 1;
        asked == 5
    });
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Interrupted);
    child.release();
    assert_eq!(child.ask("try_write"), "granted", "it waits no longer");
}

#[test]
fn a_read_requested_while_reading_is_granted_despite_a_queued_writer() {
    let lock = TestLock::named();
    let own = lock.attach();
    let writer = lock.child();
    assert!(own.try_read());
    writer.tell("write");
    until("the writer keeps readers out", || lock.open().try_read().is_none());
    let nested = own.request(Mode::Read, PATIENT);
    assert_eq!(granted(&own), []);
    // The request may belong to the hold for which the writer waits, so it is granted in the end.
    let mut settled = vec![];
    until("it goes on", || {
        let due = own.next_poll(now());
        assert!(due < now() + 1_000_000_000, "it is not due");
        own.poll(due).unwrap();
        settled.extend(own.take_settled());
        !settled.is_empty()
    });
    assert_eq!(settled, [(nested, Outcome::Granted)]);
    assert_eq!(own.reads(), 2);
    own.release_read();
    assert_eq!(writer.answer_within(ms(20)), None);
    own.release_read();
    assert_eq!(writer.answer(), "granted");
}

#[test]
fn all_requests_can_be_withdrawn_at_once() {
    let lock = TestLock::named();
    let own = lock.attach();
    let child = lock.child();
    child.hold("read");
    let writer = own.request(Mode::Write, PATIENT);
    assert_eq!(granted(&own), []);
    let reader = own.request(Mode::Read, PATIENT);
    assert_eq!(own.pending(), 2);
    assert_eq!(own.withdraw_all(), [writer, reader]);
    assert_eq!((own.pending(), own.take_settled()), (0, vec![]));
    assert_eq!(child.ask("try_read"), "granted");
}

/// A hold that did not wait shows the duration since its stamp, or an unknown duration without a
/// stamp.
#[test]
fn an_unstamped_hold_does_not_show_the_time_of_an_earlier_hold() {
    let lock = TestLock::named();
    let (own, other) = (lock.attach(), lock.open());
    let shown = || other.inspect().holders.iter().map(|holder| holder.ms).collect::<Vec<_>>();
    let release = || {
        own.release_read();
        own.release_exclusive(HoldEnd::Consistent).unwrap();
    };
    for mode in [Mode::Read, Mode::Write] {
        let id = own.request(mode, PATIENT);
        assert_eq!(granted(&own), [id]);
        until("it has lasted", || shown()[0] >= 10);
        release();
        assert!(if mode == Mode::Read { own.try_read() } else { own.try_write() });
        assert_eq!(shown(), [0], "{mode:?}");
        assert!(!other.inspect().holders_text().contains(" for 0"), "{}", other.inspect().holders_text());
        own.stamp_read();
        own.stamp_exclusive();
        until("it has lasted", || shown()[0] >= 10);
        release();
    }
}

#[test]
fn closing_ends_every_wait_and_hold() {
    let lock = TestLock::named();
    let other = lock.open();
    for hold in [Attachment::try_read, Attachment::try_upgradable, Attachment::try_write] {
        let own = lock.attach();
        assert!(hold(&own));
        own.request(Mode::Write, PATIENT);
        own.poll(now()).unwrap();
        own.close(HoldEnd::Consistent);
        assert_eq!((other.inspect().holders, other.inspect().waiters), (vec![], vec![]));
        assert!(other.try_write().is_some());
    }
}

#[test]
fn closing_grants_the_next_waiter() {
    let lock = TestLock::named();
    let seen = lock.open();
    for hold in [Attachment::try_read, Attachment::try_upgradable, Attachment::try_write] {
        let (own, child) = (lock.attach(), lock.child());
        assert!(hold(&own));
        child.tell("write");
        until("it waits", || seen.inspect().waiters.len() == 1);
        drop(own);
        assert_eq!(child.answer(), "granted");
    }
}

#[test]
fn releasing_what_is_not_held_does_nothing() {
    let lock = TestLock::named();
    let (own, other) = (lock.attach(), lock.attach());
    assert!(other.try_write());
    own.release_read();
    own.release_exclusive(HoldEnd::Abandoned).unwrap();
    own.downgrade_to_read().unwrap();
    own.downgrade_to_upgradable().unwrap();
    assert!(!own.try_upgrade());
    assert_eq!((own.reads(), own.exclusive(), own.is_poisoned()), (0, None, false));
    assert!(!own.try_read(), "the other writes still");
    other.release_exclusive(HoldEnd::Consistent).unwrap();
    assert!(own.try_read());
    own.release_read();
    own.release_read();
    assert!(other.try_write());
}

#[test]
fn a_failed_hold_does_not_clear_the_poison() {
    let lock = TestLock::named();
    let own = lock.attach();
    let child = lock.child();
    child.hold("write");
    child.kill();
    own.wait(Mode::Write, PATIENT, || false).unwrap();
    own.release_exclusive(HoldEnd::Failed).unwrap();
    assert!(own.is_poisoned());
    assert!(own.try_write());
    own.release_exclusive(HoldEnd::Consistent).unwrap();
    assert!(!own.is_poisoned());
    assert!(own.try_write());
    own.release_exclusive(HoldEnd::Failed).unwrap();
    assert!(!own.is_poisoned(), "where there was none it makes none");
}
