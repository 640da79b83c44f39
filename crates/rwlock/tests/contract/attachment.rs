//! The level below the guards, on which the binding for Node is built: requests that are made and
//! polled.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Instant;

use process_rwlock::{Attachment, ErrorKind, HoldEnd, Mode, Options, Outcome, WaitOptions, now};

use crate::helpers::{TestLock, ms, until};

const PATIENT: WaitOptions = WaitOptions { deadline: u64::MAX, fairness: 1_000_000, in_turn: false };

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

// ---- strict order, and what a snapshot shows of the queue

/// Strictly in order, and so are nested reads.
const STRICT: WaitOptions = WaitOptions { deadline: u64::MAX, fairness: 0, in_turn: true };

#[test]
fn in_strict_order_readers_do_not_overtake_a_writer_behind_a_read_of_its_own_attachment() {
    let lock = TestLock::named();
    let (holder, first, second) = (lock.attach(), lock.attach(), lock.attach());
    for (options, overtakes) in [(PATIENT, true), (STRICT, false)] {
        assert!(holder.try_write());
        let read = first.request(Mode::Read, options);
        let write = first.request(Mode::Write, options);
        assert_eq!(granted(&first), []);
        let late = second.request(Mode::Read, options);
        assert_eq!(granted(&second), []);
        holder.release_exclusive(HoldEnd::Consistent).unwrap();
        assert_eq!(granted(&second), if overtakes { vec![late] } else { vec![] });
        assert_eq!(granted(&first), [read]);
        first.release_read();
        second.release_read();
        assert_eq!(granted(&first), [write]);
        first.release_exclusive(HoldEnd::Consistent).unwrap();
        assert_eq!(granted(&second), if overtakes { vec![] } else { vec![late] });
        second.release_read();
    }
}

#[test]
fn readers_behind_a_writer_that_gives_up_are_granted_with_the_read_before_it() {
    let lock = TestLock::named();
    let (holder, first, second) = (lock.attach(), lock.attach(), lock.attach());
    assert!(holder.try_write());
    let read = first.request(Mode::Read, STRICT);
    let write = first.request(Mode::Write, STRICT);
    assert_eq!(granted(&first), []);
    let late = second.request(Mode::Read, STRICT);
    assert_eq!(granted(&second), []);
    assert!(first.cancel(write));
    assert_eq!(granted(&first), []);
    holder.release_exclusive(HoldEnd::Consistent).unwrap();
    assert_eq!(granted(&second), [late]);
    assert_eq!(granted(&first), [read]);
}

#[test]
fn in_strict_order_the_queue_stays_closed_from_one_request_to_the_next() {
    let lock = TestLock::named();
    let (holder, own, newcomer) = (lock.attach(), lock.attach(), lock.attach());
    assert!(holder.try_upgradable());
    let first = own.request(Mode::Read, STRICT);
    assert_eq!(granted(&own), [first]);
    for _ in 0..2 {
        own.request(Mode::Write, STRICT);
    }
    assert_eq!(granted(&own), []);
    own.release_read();
    assert!(!newcomer.try_read(), "a writer waits");
    holder.release_exclusive(HoldEnd::Consistent).unwrap();
    assert!(!newcomer.try_read() && !newcomer.try_write());
    assert_eq!(granted(&own).len(), 1);
    own.release_exclusive(HoldEnd::Consistent).unwrap();
    assert!(!newcomer.try_read() && !newcomer.try_write(), "the next writer waits");
    assert_eq!(granted(&own).len(), 1);
}

#[test]
fn a_nested_read_in_turn_waits_for_the_writer_before_it() {
    let lock = TestLock::named();
    let (own, other) = (lock.attach(), lock.attach());
    for mode in [Mode::Read, Mode::Upgradable] {
        let outer = own.request(mode, STRICT);
        assert_eq!(granted(&own), [outer]);
        let nested = own.request(Mode::Read, STRICT);
        assert_eq!(granted(&own), [nested], "nobody waits");
        own.release_read();
        let write = other.request(Mode::Write, STRICT);
        assert_eq!(granted(&other), []);
        let nested = own.request(Mode::Read, STRICT);
        assert_eq!(granted(&own), []);
        assert_eq!(own.next_poll(now()), u64::MAX, "no time lets it in");
        std::thread::sleep(ms(120));
        assert_eq!(granted(&own), []);
        let error = own.wait(Mode::Read, STRICT, || false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Deadlock, "{error}");
        own.release_read();
        own.release_exclusive(HoldEnd::Consistent).unwrap();
        assert_eq!(granted(&own), []);
        assert_eq!(granted(&other), [write]);
        other.release_exclusive(HoldEnd::Consistent).unwrap();
        assert_eq!(granted(&own), [nested]);
        own.release_read();
    }
}

#[test]
fn a_nested_read_in_turn_that_blocks_waits_for_what_does_not_wait_for_it() {
    let lock = TestLock::named();
    let (own, other) = (lock.attach(), lock.attach());
    assert!(own.try_read());
    own.wait(Mode::Read, STRICT, || false).unwrap();
    own.release_read();
    assert!(other.try_upgradable());
    let upgradable = lock.child();
    upgradable.tell("upgradable");
    until("it waits", || own.inspect().waiters.len() == 1);
    std::thread::scope(|scope| {
        let releases = scope.spawn(move || {
            std::thread::sleep(ms(20));
            other.release_exclusive(HoldEnd::Consistent).unwrap();
            other
        });
        own.wait(Mode::Read, STRICT, || false).unwrap();
        releases.join().unwrap();
    });
}

#[test]
fn a_snapshot_has_a_row_for_each_of_the_first_requests_and_counts_the_rest() {
    let lock = TestLock::named();
    let (holder, own, other) = (lock.attach(), lock.attach(), lock.attach());
    own.set_label("own");
    assert!(holder.try_write());
    let rows = || -> Vec<(Mode, String, u32)> {
        let waiters = holder.inspect().waiters.into_iter();
        waiters.map(|row| (row.mode, row.label, row.more)).collect()
    };
    let row = |mode, label: &str, more| (mode, label.to_string(), more);
    let first = own.request(Mode::Read, STRICT);
    own.label_request(first, "the first");
    assert_eq!(granted(&own), []);
    let write = other.request(Mode::Write, STRICT);
    assert_eq!(granted(&other), []);
    let ids = [Mode::Write, Mode::Upgradable, Mode::Read, Mode::Read].map(|mode| own.request(mode, STRICT));
    own.label_request(ids[1], "a label with more than 24 bytes");
    own.label_request(ids[2], "the fourth");
    assert_eq!(granted(&own), []);
    let own_rows = |more| [row(Mode::Write, "own", 0), row(Mode::Upgradable, "a label with more than 2", more)];
    let before = [row(Mode::Read, "the first", 0), row(Mode::Write, "", 0)];
    assert_eq!(rows(), [&before[..], &own_rows(2)].concat());
    assert!(holder.inspect().waiters.iter().all(|row| row.ms >= 1 && row.count == 1));
    assert!(own.cancel(first));
    assert_eq!(granted(&own), []);
    assert_eq!(rows(), [&before[1..], &own_rows(0), &[row(Mode::Read, "the fourth", 1)]].concat());
    holder.release_exclusive(HoldEnd::Consistent).unwrap();
    assert!(holder.try_read() || granted(&other) == [write]);
    other.release_exclusive(HoldEnd::Consistent).unwrap();
    assert_eq!(granted(&own), [ids[0]]);
    assert_eq!(rows()[0], row(Mode::Upgradable, "a label with more than 2", 0));
    assert_eq!(own.withdraw_all().len(), 3);
    assert_eq!(rows(), []);
}

#[test]
fn a_snapshot_shows_a_writer_that_drains_before_the_queue() {
    let lock = TestLock::named();
    let (reader, own) = (lock.attach(), lock.attach());
    assert!(reader.try_read());
    own.request(Mode::Write, STRICT);
    own.request(Mode::Read, STRICT);
    assert_eq!(granted(&own), []);
    let rows = || reader.inspect().waiters.iter().map(|row| (row.mode, row.more)).collect::<Vec<_>>();
    assert_eq!(rows(), [(Mode::Write, 0), (Mode::Read, 0)]);
    reader.release_read();
    assert_eq!(granted(&own).len(), 1);
    assert_eq!(rows(), [(Mode::Read, 0)]);
}

// ---- calls that block the thread, in the queue

/// Does something once, while a thread blocks.
fn meanwhile(act: impl FnOnce()) -> impl FnMut() -> bool {
    let mut act = Some(act);
    move || {
        if let Some(act) = act.take() {
            act();
        }
        false
    }
}

#[test]
fn a_blocking_request_has_its_own_place_among_those_of_other_attachments() {
    for mode in [Mode::Read, Mode::Write] {
        let lock = TestLock::named();
        let (holder, own, other) = (lock.attach(), lock.attach(), lock.attach());
        assert!(holder.try_write());
        let first = own.request(Mode::Write, STRICT);
        assert_eq!(granted(&own), []);
        let second = other.request(Mode::Write, STRICT);
        assert_eq!(granted(&other), []);
        let passes = || {
            holder.release_exclusive(HoldEnd::Consistent).unwrap();
            assert_eq!(granted(&other), [second], "it came before the call that blocks");
            other.release_exclusive(HoldEnd::Consistent).unwrap();
        };
        own.wait(mode, STRICT, meanwhile(passes)).unwrap();
        assert_eq!(granted(&own), []);
        let third = other.request(Mode::Write, STRICT);
        assert_eq!(granted(&other), []);
        own.release_read();
        own.release_exclusive(HoldEnd::Consistent).unwrap();
        assert_eq!(granted(&other), [], "the request that gave way has its place back");
        assert_eq!(granted(&own), [first]);
        own.release_exclusive(HoldEnd::Consistent).unwrap();
        assert_eq!(granted(&other), [third]);
    }
}

#[test]
fn a_writer_that_drains_keeps_its_place_when_it_gives_way_to_a_nested_read() {
    let lock = TestLock::named();
    let (own, other) = (lock.attach(), lock.attach());
    assert!(own.try_read());
    let first = own.request(Mode::Write, STRICT);
    assert_eq!(granted(&own), []);
    let second = other.request(Mode::Write, STRICT);
    assert_eq!(granted(&other), []);
    own.wait(Mode::Read, WaitOptions { in_turn: false, ..STRICT }, || false).unwrap();
    assert_eq!(granted(&other), []);
    assert!(!other.try_read());
    own.release_read();
    own.release_read();
    assert_eq!(granted(&other), []);
    assert_eq!(granted(&own), [first]);
    own.release_exclusive(HoldEnd::Consistent).unwrap();
    assert_eq!(granted(&other), [second]);
}

#[test]
fn a_thread_that_reads_does_not_block_behind_a_writer_that_waits_for_it() {
    for mode in [Mode::Upgradable, Mode::Read] {
        let lock = TestLock::named();
        let (own, other) = (lock.attach(), lock.attach());
        assert!(own.try_read());
        let write = other.request(Mode::Write, STRICT);
        assert_eq!(granted(&other), []);
        let error = own.wait(mode, WaitOptions { in_turn: true, ..due_in(10_000) }, || false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Deadlock, "{error}");
        assert!(error.to_string().contains(&format!("before this one for {}", mode.name())), "{error}");
        own.release_read();
        assert_eq!(granted(&other), [write]);
    }
}

#[test]
fn a_blocking_read_in_turn_by_a_thread_that_holds_nothing_is_no_deadlock() {
    let lock = TestLock::named();
    let open = || {
        let options = Options { max_readers: Some(2), ..Options::default() };
        Attachment::open(lock.reference(), &options).unwrap()
    };
    let (reader, writer, own) = (open(), open(), open());
    assert!(reader.try_read());
    let write = writer.request(Mode::Write, STRICT);
    assert_eq!(granted(&writer), []);
    let passes = || {
        reader.release_read();
        assert_eq!(granted(&writer), [write]);
        writer.release_exclusive(HoldEnd::Consistent).unwrap();
    };
    own.wait(Mode::Read, STRICT, meanwhile(passes)).unwrap();
}

#[test]
fn a_snapshot_shows_a_blocking_request_before_those_of_its_thread_that_give_way() {
    let lock = TestLock::named();
    let (holder, own, other) = (lock.attach(), lock.attach(), lock.attach());
    let rows = || -> Vec<(Mode, String, u32)> {
        let waiters = other.inspect().waiters.into_iter();
        waiters.map(|row| (row.mode, row.label, row.more)).collect()
    };
    let row = |mode, label: &str, more| (mode, label.to_string(), more);
    assert!(holder.try_write());
    let labels = ["first", "second", "third"];
    let ids = labels.map(|label| {
        let id = own.request(Mode::Write, STRICT);
        own.label_request(id, label);
        id
    });
    assert_eq!(granted(&own), []);
    let write = other.request(Mode::Upgradable, STRICT);
    assert_eq!(granted(&other), []);
    let own_rows = labels.map(|label| row(Mode::Write, label, 0));
    let of_other = row(Mode::Upgradable, "", 0);
    assert_eq!(rows(), [&own_rows[..], std::slice::from_ref(&of_other)].concat());
    let look = || {
        let behind = [row(Mode::Write, "first", 0), row(Mode::Write, "second", 1)];
        assert_eq!(rows(), [&[of_other, row(Mode::Read, "blocking", 0)], &behind[..]].concat());
        holder.release_exclusive(HoldEnd::Consistent).unwrap();
        assert_eq!(granted(&other), [write]);
        other.release_exclusive(HoldEnd::Consistent).unwrap();
    };
    own.wait_labelled(Mode::Read, STRICT, Some("blocking"), meanwhile(look)).unwrap();
    assert_eq!(rows(), own_rows);
    own.release_read();
    assert_eq!(granted(&own), ids[..1]);
    assert_eq!(rows(), own_rows[1..]);
}

#[test]
fn a_snapshot_shows_each_request_with_its_label_from_the_first_moment_to_the_last() {
    let lock = TestLock::named();
    let holder = lock.attach();
    assert!(holder.try_write());
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let own = lock.attach();
            while !over.load(SeqCst) {
                let ids = [Mode::Read, Mode::Write].map(|mode| {
                    let id = own.request(mode, STRICT);
                    own.label_request(id, "its own");
                    assert_eq!(granted(&own), []);
                    id
                });
                for id in ids {
                    assert!(own.cancel(id));
                    assert_eq!(granted(&own), []);
                }
            }
        });
        let mut seen = [0, 0, 0];
        let end = Instant::now() + ms(1500);
        while Instant::now() < end {
            let waiters = holder.inspect().waiters;
            seen[waiters.len()] += 1;
            let wrong = waiters.iter().find(|row| row.label != "its own" || row.more != 0);
            over.store(wrong.is_some(), SeqCst);
            assert_eq!(wrong, None);
        }
        over.store(true, SeqCst);
        assert!(seen.iter().all(|&times| times > 0), "{seen:?}");
    });
}
