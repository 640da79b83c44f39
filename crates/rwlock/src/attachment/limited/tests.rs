use std::path::PathBuf;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use crate::attachment::{Attachment, HoldEnd};
use crate::error::ErrorKind;
use crate::options::{LockRef, Options, WaitOptions};
use crate::protocol::admission::next_claim;
use crate::protocol::slot::{Mode, Reads};
use crate::sys::park;

const NO_LIMIT: WaitOptions = WaitOptions { deadline: u64::MAX, fairness: u64::MAX, in_turn: false };

/// A lock in a file that is removed at the end. Declare it before its attachments.
struct Limited(PathBuf, u32);

impl Limited {
    fn new(name: &str, limit: u32) -> Self {
        Self(std::env::temp_dir().join(format!("limited-{name}-{}", std::process::id())), limit)
    }

    fn open(&self) -> Attachment {
        let options = Options { max_readers: Some(self.1), ..Options::default() };
        Attachment::open(LockRef::Path(&self.0), &options).unwrap()
    }

    fn plain(&self) -> Attachment {
        Attachment::open(LockRef::Path(&self.0), &Options::default()).unwrap()
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What a reader leaves that dies or stops after it was admitted, and before it stored its hold.
fn admitted(attachment: &Attachment) {
    attachment.register_reader();
    let claim = attachment.claim.get();
    attachment.slot().reads.swap(Reads::new(attachment.generation, attachment.reads()).claiming(claim).0, SeqCst);
    assert!(attachment.segment.admit(attachment.index, claim));
}

#[test]
fn a_try_is_true_to_the_limit() {
    let lock = Limited::new("try", 2);
    let (a, b, c) = (lock.open(), lock.open(), lock.open());
    for _ in 0..5 {
        assert!(a.try_read() && b.try_read());
        assert!(!c.try_read() && !a.try_read() && !c.try_read());
        a.release_read();
        assert!(c.try_read() && !a.try_read());
        c.release_read();
        b.release_read();
    }
    assert!(a.try_write());
    assert!(!b.try_read());
    a.release_exclusive(HoldEnd::Consistent).unwrap();
    assert_eq!((a.max_readers(), a.inspect().max_readers), (Some(2), Some(2)));
}

#[test]
fn nested_reads_count_each() {
    let lock = Limited::new("nested", 3);
    let (a, b) = (lock.open(), lock.open());
    assert!(a.try_read() && a.try_read() && b.try_read());
    assert!(!a.try_read() && !b.try_read());
    let holders: Vec<_> = b.inspect().holders.iter().map(|holder| holder.count).collect();
    a.release_read();
    assert!(b.try_read() && !a.try_read());
    let reads = (a.reads(), b.reads());
    assert_eq!((holders, reads), (vec![2, 1], (1, 2)));
}

#[test]
fn the_last_hold_of_a_closed_attachment_is_free() {
    let lock = Limited::new("closed", 2);
    let (a, b) = (lock.open(), lock.open());
    assert!(a.try_read() && a.try_read() && !b.try_read());
    drop(a);
    assert!(b.try_read() && b.try_read() && !b.try_read());
}

#[test]
fn exclusive_holds_are_beside_the_limit() {
    let lock = Limited::new("beside", 1);
    let (a, b, c) = (lock.open(), lock.open(), lock.open());
    assert!(a.try_read() && b.try_upgradable() && !c.try_read());
    let refused = b.downgrade_to_read().unwrap_err();
    assert_eq!((refused.kind(), b.exclusive(), b.reads()), (ErrorKind::Busy, Some(Mode::Upgradable), 0));
    assert!(refused.to_string().contains("all 1 read holds are in use: held for read by pid"), "{refused}");
    assert!(!c.try_upgradable() && !b.try_upgrade());
    a.release_read();
    b.downgrade_to_read().unwrap();
    assert!(!a.try_read() && c.try_upgradable());
    b.release_read();
    assert!(c.try_upgrade() && !a.try_read());
    c.downgrade_to_upgradable().unwrap();
    assert!(a.try_read() && !b.try_read());
    a.release_read();
    c.release_exclusive(HoldEnd::Consistent).unwrap();
    assert!(c.try_write());
    c.downgrade_to_read().unwrap();
    assert!(!a.try_read() && c.try_upgrade() && !a.try_read());
    c.release_exclusive(HoldEnd::Consistent).unwrap();
    assert!(a.try_read());
}

#[test]
fn an_admitted_reader_that_is_stopped_has_its_hold() {
    let lock = Limited::new("stopped", 2);
    let (stopped, a, b) = (lock.open(), lock.open(), lock.open());
    admitted(&stopped);
    assert!(a.try_read() && !b.try_read() && !b.try_write());
    assert_eq!(Reads(stopped.slot().reads.load(SeqCst)), Reads::new(stopped.generation, 1), "others complete it");
}

#[test]
fn an_admitted_reader_that_died_leaves_room() {
    let lock = Limited::new("died", 1);
    for completed in [false, true] {
        let (victim, a) = (lock.open(), lock.open());
        admitted(&victim);
        if completed {
            assert!(!a.try_read());
        }
        assert!(a.segment.recovery().repair(victim.index, || true));
        assert!(a.try_read() && !a.try_read());
        a.release_read();
    }
}

/// The admission word still names a claim of the slot's earlier owner.
#[test]
fn a_claim_of_a_new_owner_is_not_taken_for_that_of_the_earlier_one() {
    let lock = Limited::new("reused", 1);
    let other = lock.open();
    let first = lock.open();
    let (index, claim) = (first.index, first.claim.get());
    assert!(first.try_read());
    drop(first);
    let second = lock.open();
    assert_eq!((second.index, second.claim.get()), (index, next_claim(claim)));
    // A claim that is not admitted.
    second.slot().reads.swap(Reads::new(second.generation, 0).claiming(second.claim.get()).0, SeqCst);
    assert!(other.try_read());
    assert_ne!(Reads(second.slot().reads.load(SeqCst)).claim(), None);
}

#[test]
fn waiting_readers_come_one_for_each_release_and_in_order() {
    let lock = Limited::new("order", 1);
    let (holder, a, b) = (lock.open(), lock.open(), lock.open());
    assert!(holder.try_read());
    for waiter in [&a, &b] {
        waiter.request(Mode::Read, NO_LIMIT);
        waiter.poll(park::now()).unwrap();
    }
    holder.release_read();
    b.poll(park::now()).unwrap();
    assert!(b.take_settled().is_empty(), "the other one was first");
    a.poll(park::now()).unwrap();
    assert_eq!(a.take_settled().len(), 1);
    b.poll(park::now()).unwrap();
    assert!(b.take_settled().is_empty() && !holder.try_read());
    a.release_read();
    b.poll(park::now()).unwrap();
    assert_eq!(b.take_settled().len(), 1);
}

/// Of the attachments that it wakes, each would try again.
#[test]
fn a_release_wakes_only_the_next_reader() {
    let lock = Limited::new("herd", 1);
    let (holder, a, b) = (lock.open(), lock.open(), lock.open());
    assert!(holder.try_read());
    for waiter in [&a, &b] {
        waiter.request(Mode::Read, NO_LIMIT);
        waiter.poll(park::now()).unwrap();
    }
    let woken = |waiter: &Attachment| crate::protocol::wake::is_woken(&waiter.slot().waiting.wake);
    a.poll(park::now()).unwrap(); // the other one woke it when it joined the queue
    assert!(!woken(&a) && !woken(&b));
    holder.release_read();
    assert!(woken(&a) && !woken(&b));
    a.poll(park::now()).unwrap();
    assert!(woken(&b), "a grant wakes the next");
    b.poll(park::now()).unwrap();
}

#[test]
fn a_nested_read_waits_for_room_and_then_passes_the_writer() {
    let lock = Limited::new("nested-wait", 2);
    let (reader, other, writer) = (lock.open(), lock.open(), lock.open());
    assert!(reader.try_read() && other.try_read());
    writer.request(Mode::Write, NO_LIMIT);
    writer.poll(park::now()).unwrap();
    reader.request(Mode::Read, NO_LIMIT);
    let now = park::now();
    let second = 1_000_000_000;
    reader.poll(now).unwrap();
    reader.poll(now + second).unwrap();
    assert!(reader.take_settled().is_empty());
    other.release_read();
    assert!(reader.next_poll(now + second) <= now + 2 * second);
    reader.poll(now + 2 * second).unwrap();
    assert_eq!(reader.take_settled().len(), 1);
    reader.release_read();
    reader.release_read();
    writer.poll(park::now()).unwrap();
    assert_eq!(writer.take_settled().len(), 1);
}

#[test]
fn a_thread_that_has_all_holds_does_not_block_on_itself() {
    let lock = Limited::new("deadlock", 2);
    let (a, b) = (lock.open(), lock.open());
    let soon = || WaitOptions { deadline: park::now() + 20_000_000, fairness: 0, in_turn: false };
    a.wait(Mode::Read, soon(), || false).unwrap();
    a.wait(Mode::Read, soon(), || false).unwrap();
    for in_turn in [false, true] {
        let error = a.wait(Mode::Read, WaitOptions { in_turn, ..NO_LIMIT }, || false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Deadlock);
        assert!(error.to_string().contains("already has all 2 read holds"), "{error}");
    }
    a.release_read();
    assert!(b.try_read());
    let error = a.wait(Mode::Read, soon(), || false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("held for read by this thread"), "{error}");
    let error = lock.open().wait(Mode::Read, soon(), || false).unwrap_err();
    assert!(error.to_string().contains("held for read by pid"), "{error}");
}

#[test]
fn the_creators_limit_applies() {
    let lock = Limited::new("creator", 4);
    let _first = lock.open();
    let with = |max_readers| Attachment::open(LockRef::Path(&lock.0), &Options { max_readers, ..Options::default() });
    for asked in [None, Some(4), Some(5)] {
        let other = with(asked).unwrap();
        assert_eq!((other.max_readers(), other.inspect().max_readers), (Some(4), Some(4)), "{asked:?}");
    }
    for limit in [0, 65_536, u32::MAX] {
        assert_eq!(with(Some(limit)).map(drop).unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
    let unlimited = Limited::new("unlimited", 1);
    let plain = unlimited.plain();
    let other = unlimited.open();
    assert_eq!((plain.max_readers(), other.max_readers(), other.inspect().max_readers), (None, None, None));
    assert!(plain.try_read() && plain.try_read() && other.try_read());
}

/// A waiting reader is kept out by the readers, which a holder can learn.
#[test]
fn a_waiting_reader_contends_with_the_readers() {
    let lock = Limited::new("contended", 1);
    let (holder, waiter) = (lock.open(), lock.open());
    let woken = || crate::protocol::wake::is_woken(&holder.slot().waiting.wake);
    assert!(holder.try_read());
    holder.want_notices(&[Mode::Read]);
    holder.take_notice();
    assert!(!holder.is_contended(Mode::Read));
    waiter.request(Mode::Read, NO_LIMIT);
    waiter.poll(park::now()).unwrap();
    assert!(woken() && holder.is_contended(Mode::Read));
    let _ = waiter.withdraw_all();
    assert!(!holder.is_contended(Mode::Read));
    holder.request(Mode::Read, NO_LIMIT);
    holder.poll(park::now()).unwrap();
    assert!(holder.is_contended(Mode::Read), "by a request of its own");
}

#[test]
fn readers_without_a_limit_do_not_contend() {
    let lock = Limited::new("plain", 0);
    let (holder, writer, reader) = (lock.plain(), lock.plain(), lock.plain());
    assert!(holder.try_upgradable() && holder.try_read());
    reader.request(Mode::Read, NO_LIMIT);
    assert!(!holder.is_contended(Mode::Read));
    reader.poll(park::now()).unwrap();
    writer.request(Mode::Write, NO_LIMIT);
    writer.poll(park::now()).unwrap();
    assert!(holder.is_contended(Mode::Read));
}

/// The time of the read hold, and not of an earlier one.
#[test]
fn a_downgraded_hold_has_its_own_time() {
    let lock = Limited::new("since", 2);
    let a = lock.open();
    assert!(a.try_read());
    a.release_read();
    a.slot().read_since.store(1, Relaxed);
    assert!(a.try_write());
    a.downgrade_to_read().unwrap();
    assert_ne!(a.slot().read_since.load(Relaxed), 1);
}

#[test]
fn the_greatest_limit_can_be_reached() {
    let lock = Limited::new("greatest", 65_535);
    let (a, b) = (lock.open(), lock.open());
    for _ in 0..65_535 {
        assert!(a.try_read());
    }
    assert!(!a.try_read() && !b.try_read());
    a.release_read();
    assert!(b.try_read() && !a.try_read());
}
