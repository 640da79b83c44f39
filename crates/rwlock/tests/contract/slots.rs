//! The slots of a lock: as many as its capacity, and those of dead attachments are reused.

use process_rwlock::{ErrorKind, OpenOptions, RwLock};

use crate::helpers::{Child, TestLock, until};

fn with_capacity(lock: &TestLock, capacity: u32) -> process_rwlock::Result<RwLock> {
    lock.open_with(&OpenOptions::new().capacity(capacity))
}

#[test]
fn a_lock_holds_as_many_attachments_as_its_capacity() {
    for lock in TestLock::both_kinds() {
        for capacity in [1, 2, 3] {
            let mut open: Vec<_> = (0..capacity).map(|_| with_capacity(&lock, capacity).unwrap()).collect();
            let error = with_capacity(&lock, capacity).map(drop).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Full);
            assert!(error.to_string().contains(&format!("all {capacity} attachments of")), "{error}");
            open.pop();
            open.push(with_capacity(&lock, capacity).unwrap());
            let _reading: Vec<_> = open.iter().map(|lock| lock.read().unwrap()).collect();
            drop(_reading);
            drop(open);
            let _ = lock.remove();
        }
    }
}

#[test]
fn the_largest_capacity_can_be_filled() {
    let lock = TestLock::at_path();
    let own = with_capacity(&lock, 4095).unwrap();
    let rest: Vec<_> = (0..400).map(|_| lock.open()).collect();
    let _reading: Vec<_> = rest.iter().map(|lock| lock.read().unwrap()).collect();
    assert_eq!(own.inspect().holders.len(), 400);
    assert_eq!(own.inspect().capacity, 4095);
    assert!(own.try_write().is_none());
}

#[test]
fn a_dead_attachment_frees_its_slot() {
    for held in ["read", "write", "upgradable"] {
        for capacity in [1, 2, 3] {
            let lock = TestLock::named();
            let _others: Vec<_> = (1..capacity).map(|_| with_capacity(&lock, capacity).unwrap()).collect();
            let child = Child::new(lock.reference());
            assert_eq!(child.ask(&format!("open capacity={capacity}")), "ok");
            child.hold(held);
            child.kill();
            let own = with_capacity(&lock, capacity).unwrap();
            assert_eq!(own.write().unwrap().owner_died().is_some(), held == "write");
        }
    }
}

#[test]
fn many_deaths_in_sequence_leak_nothing() {
    let lock = TestLock::named();
    let _own = with_capacity(&lock, 2).unwrap();
    for mode in ["write", "read", "write", "write", "upgradable", "write", "read"] {
        let child = lock.child();
        child.hold(mode);
        child.kill();
    }
}

#[test]
fn a_dead_writer_stays_known_although_others_attached_since() {
    for lock in TestLock::both_kinds() {
        let child = Child::new(lock.reference());
        assert_eq!(child.ask("open capacity=1 label=first"), "ok");
        child.hold("write");
        let (pid, token) = (child.pid(), child.token());
        child.kill();
        for _ in 0..3 {
            let own = lock.open();
            let died = own.read().unwrap().owner_died().unwrap();
            assert_eq!((died.pid, died.label.as_str(), died.token), (pid, "first", token));
        }
        let own = lock.open();
        assert_eq!(lock.open_with(&OpenOptions::new()).map(drop).unwrap_err().kind(), ErrorKind::Full);
        drop(own.write().unwrap());
        drop(own);
        assert_eq!(lock.open().read().unwrap().owner_died(), None);
    }
}

#[test]
fn two_deaths_in_a_lock_of_capacity_one_leave_a_free_slot() {
    for lock in TestLock::both_kinds() {
        let first = Child::new(lock.reference());
        assert_eq!(first.ask("open capacity=1"), "ok");
        first.hold("write");
        first.kill();
        for _ in 0..3 {
            let child = Child::new(lock.reference());
            assert_eq!(child.ask("open label=last"), "ok");
            child.hold("write");
            let pid = child.pid();
            child.kill();
            let own = lock.open();
            let died = own.read().unwrap().owner_died().unwrap();
            assert_eq!((died.pid, died.label.as_str()), (pid, "last"));
        }
    }
}

#[test]
fn a_reused_slot_starts_clean() {
    let lock = TestLock::named();
    let own = with_capacity(&lock, 3).unwrap();
    let seen = lock.open();
    let holding = own.write().unwrap();
    for mode in ["write", "read"] {
        let child = lock.child();
        child.tell(mode);
        until("it waits", || seen.inspect().waiters.len() == 1);
        child.kill();
        // The next owner of this slot neither holds nor waits.
        let next = lock.child();
        assert_eq!(seen.inspect().waiters, []);
        next.tell("read");
        until("it waits", || seen.inspect().waiters.len() == 1);
        next.kill();
    }
    drop(holding);
    assert!(own.try_write().is_some());
    assert_eq!(seen.inspect().holders, []);
}

#[test]
fn opening_and_closing_leaks_nothing_in_the_process() {
    for lock in TestLock::both_kinds() {
        let child = Child::new(lock.reference());
        assert_eq!(child.ask("churn 300"), "nothing");
    }
}

/// Writers check only the slots in the reader bitmap, from which idle readers are removed from time
/// to time.
#[test]
fn a_writer_sees_a_reader_in_any_slot_at_any_time() {
    let lock = TestLock::at_path();
    let own = with_capacity(&lock, 200).unwrap();
    let rest: Vec<_> = (1..200).map(|_| lock.open()).collect();
    for _ in 0..2 {
        for reader in rest.iter().rev() {
            let guard = reader.read().unwrap();
            assert!(own.try_write().is_none());
            drop(guard);
            assert!(own.try_write().is_some());
        }
        (0..1500).for_each(|_| drop(own.write().unwrap()));
    }
}
