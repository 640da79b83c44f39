//! A panic inside a hold, for locks that it poisons and for others.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use process_rwlock::{OpenOptions, OwnerDied, RwLock, UpgradableGuard};

use crate::helpers::TestLock;

fn poisoned_by_panics(place: &TestLock) -> RwLock {
    place.open_with(&OpenOptions::new().poison_on_panic(true).label("panics")).unwrap()
}

/// Panics while `hold` exists.
fn panic_with<T>(hold: impl FnOnce() -> T) {
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _hold = hold();
        panic!("inside the hold");
    }));
    assert!(panicked.is_err());
}

fn died(lock: &RwLock) -> Option<OwnerDied> {
    lock.read().unwrap().owner_died()
}

fn upgraded(guard: UpgradableGuard<'_>) -> process_rwlock::WriteGuard<'_> {
    guard.upgrade(None).map_err(|(_, error)| error).unwrap()
}

#[test]
fn a_panic_in_a_write_hold_is_reported_to_every_process_until_a_write_hold_ends_normally() {
    for place in TestLock::both_kinds() {
        let lock = poisoned_by_panics(&place);
        let (other, child) = (place.open(), place.child());
        let mut token = 0;
        panic_with(|| {
            let writing = lock.write().unwrap();
            token = writing.token();
            writing
        });
        let expected = OwnerDied { pid: std::process::id(), thread: 0, label: "panics".into(), token };
        for lock in [&lock, &other] {
            assert_eq!(died(lock).as_ref(), Some(&expected));
            assert_eq!(lock.inspect().owner_died.as_ref(), Some(&expected));
        }
        child.hold("upgradable");
        assert_eq!(child.ask("owner_died"), format!("{} 'panics' {token}", std::process::id()));
        child.release();
        let writing = lock.write().unwrap();
        assert_eq!(writing.owner_died(), Some(expected));
        assert!(writing.token() > token);
        drop(writing);
        assert_eq!(died(&other), None);
    }
}

#[test]
fn without_the_option_a_panic_is_not_reported() {
    let place = TestLock::named();
    let lock = place.open();
    panic_with(|| lock.write().unwrap());
    assert_eq!(died(&lock), None);
    assert!(lock.try_write().is_some());
}

#[test]
fn only_a_write_hold_is_poisoned() {
    let place = TestLock::named();
    let lock = poisoned_by_panics(&place);
    panic_with(|| lock.read().unwrap());
    assert_eq!(died(&lock), None);
    panic_with(|| lock.upgradable().unwrap());
    assert_eq!(died(&lock), None);
    panic_with(|| lock.write().unwrap().downgrade().unwrap());
    assert_eq!(died(&lock), None);
    panic_with(|| lock.write().unwrap().downgrade_to_upgradable().unwrap());
    assert_eq!(died(&lock), None);
    let poisons: [fn(&RwLock); 5] = [
        |lock| panic_with(|| upgraded(lock.upgradable().unwrap())),
        |lock| panic_with(|| lock.upgradable().unwrap().try_upgrade().map_err(drop).unwrap()),
        |lock| panic_with(|| lock.read().unwrap().try_upgrade().map_err(drop).unwrap()),
        |lock| panic_with(|| lock.try_write().unwrap()),
        |lock| panic_with(|| lock.write_timeout(Duration::from_secs(9)).unwrap()),
    ];
    for poison in poisons {
        poison(&lock);
        assert!(died(&lock).is_some());
        drop(lock.write().unwrap());
        assert_eq!(died(&lock), None);
    }
}

/// As with [`std::sync::RwLock`].
#[test]
fn a_hold_that_begins_while_a_panic_unwinds_is_not_poisoned() {
    struct Writes<'a>(&'a RwLock);
    impl Drop for Writes<'_> {
        fn drop(&mut self) {
            drop(self.0.write().unwrap());
        }
    }
    let place = TestLock::named();
    let lock = poisoned_by_panics(&place);
    panic_with(|| Writes(&lock));
    assert_eq!(died(&lock), None);
    // A hold that began before is.
    panic_with(|| lock.write().unwrap());
    assert!(died(&lock).is_some());
    // It does not clear what it found, because it may end in the middle.
    panic_with(|| Writes(&lock));
    assert!(died(&lock).is_some());
}

/// The slot that keeps the report is another one than the thread uses from then on.
#[test]
fn a_report_stays_exact_while_the_same_thread_writes_and_fails_again() {
    for capacity in [1, 2, 3] {
        let place = TestLock::named();
        let options = OpenOptions::new().poison_on_panic(true).capacity(capacity);
        let lock = place.open_with(&options).unwrap();
        let mut last = 0;
        for round in 0..20 {
            panic_with(|| {
                let writing = lock.write().unwrap();
                assert_eq!(writing.owner_died().map(|died| died.token), (round > 0).then_some(last));
                last = writing.token();
                writing
            });
            for _ in 0..2 {
                assert_eq!(died(&lock).map(|died| died.token), Some(last), "round {round}");
            }
        }
        let writing = lock.write().unwrap();
        assert_eq!(writing.owner_died().map(|died| died.token), Some(last));
        drop(writing);
        assert_eq!(died(&lock), None);
        let others: Vec<_> = (1..capacity).map(|_| place.open()).collect();
        assert!(place.open_with(&OpenOptions::new()).is_err(), "each panic took a slot, and gave one back");
        drop(others);
    }
}

#[test]
fn a_panic_in_another_thread_of_the_handle_is_reported_and_frees_its_slot() {
    let place = TestLock::named();
    let lock = Arc::new(place.open_with(&OpenOptions::new().poison_on_panic(true).capacity(2)).unwrap());
    drop(lock.read().unwrap());
    for _ in 0..10 {
        let theirs = lock.clone();
        let panicked = thread::spawn(move || {
            let _writing = theirs.write().unwrap();
            panic!("inside the hold");
        });
        assert!(panicked.join().is_err());
        assert!(lock.write().unwrap().owner_died().is_some());
        assert_eq!(died(&lock), None);
    }
}

#[test]
fn a_poisoned_lock_keeps_its_report_after_the_last_close() {
    let place = TestLock::named();
    let lock = poisoned_by_panics(&place);
    panic_with(|| lock.write().unwrap());
    drop(lock);
    let later = place.open();
    assert_eq!(died(&later).map(|died| died.label), Some("panics".into()));
}

/// It is open all the time, so its report is not lost.
#[test]
fn a_lock_that_is_not_durable_keeps_its_report_while_it_is_open() {
    let place = TestLock::named();
    let options = OpenOptions::new().poison_on_panic(true).durable(false);
    let lock = place.open_with(&options).unwrap();
    panic_with(|| lock.write().unwrap());
    assert!(died(&lock).is_some());
    drop(lock);
    assert_eq!(died(&place.open()), None);
}
