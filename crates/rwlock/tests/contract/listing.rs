//! The list of locks shows each as an inspection does.

use process_rwlock::{OpenOptions, Participant, Snapshot};

use crate::fairness::granted;
use crate::helpers::{Child, TEST_TIMEOUT, TestLock, list, until};

#[track_caller]
fn listed(lock: &TestLock) -> Snapshot {
    list().into_iter().find(|seen| seen.name.as_deref() == Some(lock.name())).expect("it is listed")
}

/// Without what differs between two observers, or grows with time.
fn stripped(seen: Snapshot) -> Snapshot {
    let strip = |all: Vec<Participant>| {
        all.into_iter().map(|each| Participant { ms: 0, is_own: false, ..each }).collect::<Vec<_>>()
    };
    Snapshot { holders: strip(seen.holders), waiters: strip(seen.waiters), ..seen }
}

#[track_caller]
fn assert_listed_as_inspected(lock: &TestLock) -> Snapshot {
    let own = lock.open();
    let (listed, inspected) = (stripped(listed(lock)), stripped(own.inspect()));
    assert_eq!(format!("{listed:?}"), format!("{inspected:?}"));
    listed
}

fn opened(lock: &TestLock, options: &str) -> Child {
    let child = Child::new(lock.reference());
    assert_eq!(child.ask(&format!("open {options}")), "ok");
    child
}

#[test]
fn a_lock_is_listed_with_the_holders_that_an_inspection_shows() {
    for mode in ["read", "upgradable", "write"] {
        let lock = TestLock::named();
        let child = opened(&lock, "label=who");
        assert_eq!(assert_listed_as_inspected(&lock).holders, []);
        child.hold(mode);
        let seen = assert_listed_as_inspected(&lock);
        let [holder] = &seen.holders[..] else { panic!("{seen:?}") };
        assert_eq!((holder.pid, holder.mode.name(), holder.label.as_str()), (child.pid(), mode, "who"));
        child.release();
        assert_eq!(assert_listed_as_inspected(&lock).holders, []);
    }
}

#[test]
fn a_lock_is_listed_with_the_waiters_that_an_inspection_shows() {
    let lock = TestLock::named();
    let (reader, writer, last) = (lock.child(), opened(&lock, "label=drains"), opened(&lock, "label=queued"));
    reader.hold("read");
    writer.tell("write");
    until("it drains", || listed(&lock).waiters.len() == 1);
    last.tell("upgradable");
    until("it is queued", || listed(&lock).waiters.len() == 2);
    let seen = assert_listed_as_inspected(&lock);
    assert_eq!(seen.waiters.iter().map(|waiter| waiter.pid).collect::<Vec<_>>(), [writer.pid(), last.pid()]);
    assert_eq!(seen.holders.iter().map(|holder| holder.pid).collect::<Vec<_>>(), [reader.pid()]);
    reader.release();
    // The last one if the writer is late.
    let waiters = [writer, last];
    assert_eq!(granted(&waiters, 1, TEST_TIMEOUT).len(), 1);
    assert_eq!(assert_listed_as_inspected(&lock).waiters.len(), 1);
}

/// More slots than one page has, and more holders than a list probes one by one.
#[test]
fn a_lock_is_listed_with_all_of_its_readers() {
    for readers in [1, 2, 3, 20, 64, 65, 100] {
        let lock = TestLock::named();
        let open: Vec<_> = (0..readers).map(|_| lock.open()).collect();
        let _reading: Vec<_> = open.iter().map(|lock| lock.read().unwrap()).collect();
        assert_eq!(assert_listed_as_inspected(&lock).holders.len(), readers);
    }
}

#[test]
fn a_lock_is_listed_with_its_properties_and_its_value() {
    let lock = TestLock::named();
    let own = lock.open_with(&OpenOptions::new().capacity(7).max_readers(3)).unwrap();
    let value = vec![0xa5; process_rwlock::MAX_VALUE];
    let writing = own.write().unwrap();
    writing.set_value(Some(&value)).unwrap();
    let token = writing.token();
    drop(writing);
    let _reading = own.read().unwrap();
    let seen = assert_listed_as_inspected(&lock);
    assert_eq!((seen.capacity, seen.max_readers, seen.token), (7, Some(3), token));
    assert_eq!(seen.value, Some(value));
}

#[test]
fn what_the_dead_left_is_listed_as_repaired() {
    for mode in ["read", "upgradable", "write"] {
        let lock = TestLock::named();
        let own = lock.open();
        let dead = opened(&lock, "label=gone");
        dead.hold(mode);
        let pid = dead.pid();
        dead.kill();
        assert_eq!(listed(&lock).holders, [], "{mode}");
        let seen = assert_listed_as_inspected(&lock);
        assert_eq!(
            seen.owner_died.map(|died| (died.pid, died.label)),
            (mode == "write").then_some((pid, "gone".into()))
        );
        drop(own);
    }
}

/// The slot of the dead writer is the last one in use, and its report needs more than one page.
#[test]
fn a_death_in_a_later_slot_is_listed() {
    let lock = TestLock::named();
    let _open: Vec<_> = (0..5).map(|_| lock.open()).collect();
    let dead = opened(&lock, "label=gone");
    dead.hold("write");
    let (pid, token) = (dead.pid(), dead.token());
    dead.kill();
    for _ in 0..2 {
        let died = assert_listed_as_inspected(&lock).owner_died.unwrap();
        assert_eq!((died.pid, died.label.as_str(), died.token), (pid, "gone", token));
    }
}

/// Requests are counted as long as the lock exists, not those that were granted at once.
#[test]
fn a_lock_is_listed_with_the_number_of_its_requests_that_waited() {
    let lock = TestLock::named();
    let own = lock.open();
    let (holder, waiter) = (lock.child(), lock.child());
    assert_eq!(assert_listed_as_inspected(&lock).requests, 0);
    for waits in 1..=3 {
        holder.hold("write");
        waiter.tell(if waits == 2 { "read" } else { "write" });
        until("it waits", || listed(&lock).waiters.len() == 1);
        assert_eq!(listed(&lock).requests, waits);
        holder.release();
        assert_eq!(waiter.answer(), "granted");
        waiter.release();
        assert_eq!(assert_listed_as_inspected(&lock).requests, waits);
    }
    let created = listed(&lock).created;
    drop((holder, waiter, own)); // in this order: a process that is killed does not close it
    until("its last close removes it", || list().iter().all(|seen| seen.name.as_deref() != Some(lock.name())));
    let _own = lock.open();
    let seen = listed(&lock);
    assert_eq!(seen.requests, 0);
    assert!(seen.created > created);
}

#[test]
fn a_list_changes_nothing() {
    let lock = TestLock::named();
    let child = lock.child();
    child.hold("write");
    let memory = || std::fs::read(crate::damage::record_and_memory(&lock).1).unwrap();
    let before = memory();
    listed(&lock);
    assert!(before == memory());
}
