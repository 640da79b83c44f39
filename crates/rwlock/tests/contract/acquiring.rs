//! Acquiring and releasing: which holds are compatible, timeouts, panics, deadlocks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use process_rwlock::{ErrorKind, Participant, Result};

use crate::helpers::{Child, TEST_TIMEOUT, TestLock, ms, timed, until, within};

/// How much longer a wait may take on a loaded machine.
const SLACK: Duration = Duration::from_secs(2);

#[test]
fn readers_share_and_writers_exclude() {
    for lock in TestLock::both_kinds() {
        let (own, child) = (lock.open(), lock.child());
        // Rows: what the child holds. Columns: whether read, upgradable and write are available at
        // the same time.
        let table =
            [("read", [true, true, false]), ("upgradable", [true, false, false]), ("write", [false, false, false])];
        for (held, expected) in table {
            child.hold(held);
            let found = [own.try_read().is_some(), own.try_upgradable().is_some(), own.try_write().is_some()];
            assert_eq!(found, expected, "beside {held}");
            child.release();
            assert!(own.try_write().is_some(), "after {held}");
        }
    }
}

#[test]
fn two_threads_exclude_each_other_like_two_processes() {
    let lock = TestLock::named();
    let own = lock.open();
    let writing = own.write().unwrap();
    let other = || lock.open().try_read().is_some();
    assert!(!thread::scope(|scope| scope.spawn(other).join().unwrap()));
    drop(writing);
    assert!(thread::scope(|scope| scope.spawn(other).join().unwrap()));
}

#[test]
fn a_lock_can_be_sent_to_another_thread() {
    let lock = TestLock::named();
    let own = lock.open();
    let own = thread::spawn(move || {
        drop(own.write().unwrap());
        own
    })
    .join()
    .unwrap();
    assert!(own.try_write().is_some());
}

#[test]
fn dropping_a_guard_releases() {
    let lock = TestLock::named();
    let (own, other) = (lock.open(), lock.open());
    drop(own.read().unwrap());
    drop(own.upgradable().unwrap());
    drop(own.write().unwrap());
    assert!(other.try_write().is_some());
}

#[test]
fn nested_reads_end_with_the_last() {
    let lock = TestLock::named();
    let (own, other) = (lock.open(), lock.open());
    let (first, second) = (own.read().unwrap(), own.read().unwrap());
    let third = own.try_read().unwrap();
    drop(first);
    drop(third);
    assert!(other.try_write().is_none());
    drop(second);
    assert!(other.try_write().is_some());
}

#[test]
fn twenty_readers_are_inside_together() {
    let lock = TestLock::named();
    let inside = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                let own = lock.open();
                let _reading = own.read().unwrap();
                inside.fetch_add(1, SeqCst);
                until("all are inside", || inside.load(SeqCst) == 20);
            });
        }
    });
}

#[test]
fn a_writer_waits_for_every_reader() {
    let lock = TestLock::named();
    let readers: Vec<_> = (0..5).map(|_| lock.child()).collect();
    readers.iter().for_each(|reader| reader.hold("read"));
    let writer = lock.child();
    writer.tell("write");
    for reader in readers {
        assert_eq!(writer.answer_within(ms(20)), None);
        reader.release();
    }
    assert_eq!(writer.answer(), "granted");
}

#[test]
fn a_release_grants_every_waiting_reader() {
    let lock = TestLock::named();
    let own = lock.open();
    let writing = own.write().unwrap();
    let readers: Vec<_> = (0..4).map(|_| lock.child()).collect();
    readers.iter().for_each(|reader| reader.tell("read"));
    until("all of them wait", || own.inspect().waiters.len() == 4);
    drop(writing);
    readers.iter().for_each(|reader| assert_eq!(reader.answer(), "granted"));
    assert_eq!(own.inspect().holders.len(), 4);
}

#[test]
fn a_timeout_has_subsecond_precision() {
    let lock = TestLock::named();
    let own = lock.open();
    let child = lock.child();
    child.hold("write");
    for timeout in [ms(0), ms(300), ms(500)] {
        let bounds = timeout..=timeout + SLACK;
        assert_eq!(within(bounds, || own.read_timeout(timeout).map(drop)).unwrap_err().kind(), ErrorKind::Timeout);
    }
    for timeout in [ms(0), ms(300)] {
        let bounds = timeout..=timeout + SLACK;
        let write = || own.write_timeout(timeout).map(drop);
        assert_eq!(within(bounds.clone(), write).unwrap_err().kind(), ErrorKind::Timeout);
        let upgradable = || own.upgradable_timeout(timeout).map(drop);
        assert_eq!(within(bounds, upgradable).unwrap_err().kind(), ErrorKind::Timeout);
    }
    child.release();
    assert!(own.read_timeout(ms(0)).is_ok());
    assert!(own.write_timeout(ms(0)).is_ok());
}

#[test]
fn a_writer_that_gives_up_waiting_for_readers_admits_others_again() {
    let lock = TestLock::named();
    let (own, other) = (lock.open(), lock.open());
    let child = lock.child();
    child.hold("read");
    let error = within(ms(300)..=ms(300) + SLACK, || own.write_timeout(ms(300)).map(drop)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(other.try_read().is_some());
    assert!(other.try_upgradable().is_some());
    assert_eq!(own.inspect().waiters, []);
    child.release();
    assert!(own.try_write().is_some());
}

#[test]
fn a_wait_with_any_timeout_ends_with_the_release() {
    let lock = TestLock::named();
    let own = lock.open();
    let child = lock.child();
    for timeout in [TEST_TIMEOUT * 4, Duration::MAX] {
        child.hold("write");
        thread::scope(|scope| {
            let waits = scope.spawn(|| timed(|| lock.open().read_timeout(timeout).map(drop)));
            until("it waits", || own.inspect().waiters.len() == 1);
            child.release();
            let (result, took) = waits.join().unwrap();
            result.unwrap();
            assert!(took < TEST_TIMEOUT, "it took {took:?}");
        });
    }
}

#[test]
fn a_timeout_names_the_blockers() {
    let lock = TestLock::named();
    let own = lock.open();
    let child = Child::new(lock.reference());
    assert_eq!(child.ask("open label=rebuild"), "ok");
    child.hold("write");
    let message = own.read_timeout(ms(1)).map(drop).unwrap_err().to_string();
    assert!(message.contains(lock.name()), "{message}");
    assert!(message.contains(&format!("held for write by pid {} ('rebuild')", child.pid())), "{message}");
}

#[test]
fn a_panic_inside_a_hold_releases_it() {
    let lock = TestLock::named();
    let (own, other) = (lock.open(), lock.open());
    let panics: [&dyn Fn(); 4] = [
        &|| {
            let _reading = own.read().unwrap();
            panic!("inside a read hold");
        },
        &|| {
            let _outer = own.read().unwrap();
            let _inner = own.read().unwrap();
            panic!("inside a nested read hold");
        },
        &|| {
            let _upgradable = own.upgradable().unwrap();
            panic!("inside an upgradable hold");
        },
        &|| {
            let _writing = own.write().unwrap();
            panic!("inside a write hold");
        },
    ];
    for panicking in panics {
        catch_unwind(AssertUnwindSafe(panicking)).unwrap_err();
        // A panic ends the hold in an orderly way, so it is not a death.
        assert_eq!(other.try_write().unwrap().owner_died(), None);
    }
}

#[test]
fn a_wait_for_a_hold_of_the_same_thread_fails_immediately() {
    let lock = TestLock::named();
    let own = lock.open();
    let deadlocks = |result: Result<()>| {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Deadlock);
        assert!(error.to_string().contains(lock.name()), "{error}");
    };
    {
        let _reading = own.read().unwrap();
        deadlocks(own.write().map(drop));
        deadlocks(own.write_timeout(TEST_TIMEOUT).map(drop));
    }
    {
        let _upgradable = own.upgradable().unwrap();
        deadlocks(own.write().map(drop));
        deadlocks(own.upgradable_timeout(TEST_TIMEOUT).map(drop));
    }
    {
        let upgradable = own.upgradable().unwrap();
        let reading = own.read().unwrap();
        let (_upgradable, error) = upgradable.upgrade(None).map(drop).unwrap_err();
        deadlocks(Err(error));
        drop(reading);
    }
    {
        let _writing = own.write().unwrap();
        deadlocks(own.write().map(drop));
        deadlocks(own.read().map(drop));
        deadlocks(own.upgradable().map(drop));
    }
    assert!(own.try_write().is_some());
}

#[test]
fn a_thread_that_reads_can_wait_for_the_upgradable_hold() {
    let lock = TestLock::named();
    let own = lock.open();
    let child = lock.child();
    let _reading = own.read().unwrap();
    drop(own.upgradable().unwrap());
    child.hold("upgradable");
    assert_eq!(own.upgradable_timeout(ms(20)).map(drop).unwrap_err().kind(), ErrorKind::Timeout);
    child.release();
    assert!(own.upgradable_timeout(ms(20)).is_ok());
}

#[test]
fn a_try_that_conflicts_with_an_own_hold_is_refused() {
    let lock = TestLock::named();
    let own = lock.open();
    {
        let _reading = own.read().unwrap();
        assert!(own.try_write().is_none());
    }
    {
        let _writing = own.write().unwrap();
        assert!(own.try_read().is_none());
        assert!(own.try_upgradable().is_none());
        assert!(own.try_write().is_none());
    }
    {
        let _upgradable = own.upgradable().unwrap();
        assert!(own.try_upgradable().is_none());
        assert!(own.try_write().is_none());
        assert!(own.try_read().is_some());
    }
}

#[test]
fn a_refused_try_changes_nothing() {
    let lock = TestLock::named();
    let own = lock.open();
    let writer = lock.child();
    let _reading = own.read().unwrap();
    writer.tell("write");
    until("the writer waits", || own.inspect().waiters.len() == 1);
    assert!(own.try_read().is_none());
    assert!(own.try_write().is_none());
    assert!(own.try_upgradable().is_none());
    assert_eq!(writer.answer_within(ms(50)), None, "we read still");
}

#[test]
fn inspect_shows_holders_and_waiters() {
    let lock = TestLock::named();
    let own = lock.open();
    let (holder, waiter) = (lock.child(), lock.child());
    holder.hold("write");
    waiter.tell("read");
    until("it waits", || own.inspect().waiters.len() == 1);
    let seen = own.inspect();
    let party = |party: &Participant| (party.pid, party.mode.name(), party.count);
    assert_eq!(seen.name.as_deref(), Some(lock.name()));
    assert_eq!(seen.path, None);
    assert_eq!(seen.holders.iter().map(party).collect::<Vec<_>>(), [(holder.pid(), "write", 1)]);
    assert_eq!(seen.waiters.iter().map(party).collect::<Vec<_>>(), [(waiter.pid(), "read", 1)]);
    assert_eq!(seen.token, holder.token());
    holder.release();
    assert_eq!(waiter.answer(), "granted");
    let seen = own.inspect();
    assert_eq!(seen.holders.iter().map(party).collect::<Vec<_>>(), [(waiter.pid(), "read", 1)]);
    assert_eq!(seen.waiters, []);
}
