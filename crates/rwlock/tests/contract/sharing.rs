//! One handle, used by several threads.

use std::cell::RefCell;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Barrier};
use std::thread;

use process_rwlock::{ErrorKind, Mode, OpenOptions, RwLock, UpgradableGuard, WriteGuard};

use crate::helpers::{TestLock, ms, timed, until};

/// A lock without a borrow, as in a static variable, but dropped at the end.
struct Global(&'static RwLock);

impl Global {
    fn open(place: &TestLock) -> Self {
        Self(Box::leak(Box::new(place.open())))
    }
}

impl Deref for Global {
    type Target = &'static RwLock;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Drop for Global {
    fn drop(&mut self) {
        // SAFETY: leaked by `open`, and the threads that used it have ended.
        drop(unsafe { Box::from_raw(std::ptr::from_ref(self.0).cast_mut()) });
    }
}

fn holders(lock: &RwLock) -> usize {
    lock.inspect().holders.len()
}

#[test]
fn the_threads_of_a_handle_exclude_each_other_like_processes() {
    for place in TestLock::both_kinds() {
        let lock = place.open();
        let seen = || {
            let tried = || {
                let read = lock.try_read().is_some();
                let upgradable = lock.try_upgradable().is_some();
                [read, upgradable, lock.try_write().is_some()]
            };
            thread::scope(|scope| scope.spawn(tried).join().unwrap())
        };
        assert_eq!(seen(), [true, true, true]);
        let reading = lock.read().unwrap();
        assert_eq!(seen(), [true, true, false]);
        drop(reading);
        let upgradable = lock.upgradable().unwrap();
        assert_eq!(seen(), [true, false, false]);
        let writing = upgradable.upgrade(None).map_err(|(_, error)| error).unwrap();
        assert_eq!(seen(), [false, false, false]);
        drop(writing);
        assert_eq!(seen(), [true, true, true]);
    }
}

#[test]
fn threads_write_one_at_a_time() {
    for place in TestLock::both_kinds() {
        let lock = place.open();
        let (inside, count) = (AtomicBool::new(false), AtomicU32::new(0));
        thread::scope(|scope| {
            for number in 0..6 {
                let (lock, inside, count) = (&lock, &inside, &count);
                scope.spawn(move || {
                    for round in 0..300 {
                        if (number + round) % 3 == 0 {
                            let _reading = lock.read().unwrap();
                            assert!(!inside.load(SeqCst));
                        } else {
                            let _writing = lock.write().unwrap();
                            assert!(!inside.swap(true, SeqCst));
                            count.fetch_add(1, SeqCst);
                            inside.store(false, SeqCst);
                        }
                    }
                });
            }
        });
        assert_eq!(count.load(SeqCst), 1200);
        assert_eq!(holders(&lock), 0);
    }
}

#[test]
fn a_waiting_thread_is_granted_when_another_releases() {
    let place = TestLock::named();
    let lock = place.open();
    let writing = lock.write().unwrap();
    thread::scope(|scope| {
        let waits = scope.spawn(|| lock.read().map(drop));
        until("it waits", || lock.inspect().waiters.len() == 1);
        drop(writing);
        waits.join().unwrap().unwrap();
    });
}

#[test]
fn a_timeout_in_one_thread_names_the_hold_of_another() {
    let place = TestLock::named();
    let lock = place.open();
    let _writing = lock.write().unwrap();
    thread::scope(|scope| {
        let waits = scope.spawn(|| lock.write_timeout(ms(20)).map(drop).unwrap_err());
        let error = waits.join().unwrap();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(error.to_string().contains(&format!("held for write by pid {}", std::process::id())), "{error}");
        assert!(!error.to_string().contains("this thread"), "{error}");
    });
    // The same thread would wait for itself.
    assert_eq!(lock.read().map(drop).unwrap_err().kind(), ErrorKind::Deadlock);
}

#[test]
fn each_thread_takes_a_slot_and_returns_it_when_it_ends() {
    for place in TestLock::both_kinds() {
        let lock = place.open_with(&OpenOptions::new().capacity(2)).unwrap();
        for _ in 0..20 {
            // The first one uses the attachment that opened the lock.
            let (used, over) = (Barrier::new(3), Barrier::new(3));
            thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| {
                        // A thread of the round before may not be completely over.
                        until("it attaches", || lock.read().is_ok());
                        used.wait();
                        over.wait();
                    });
                }
                used.wait();
                let error = lock.read().map(drop).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Full);
                assert!(lock.try_read().is_none() && lock.try_write().is_none() && lock.try_upgradable().is_none());
                over.wait();
            });
        }
        until("their slots are free", || lock.write().is_ok());
    }
}

#[test]
fn a_thread_that_has_ended_and_was_joined_holds_no_slot() {
    let place = TestLock::named();
    let lock = Arc::new(place.open_with(&OpenOptions::new().capacity(1)).unwrap());
    for _ in 0..50 {
        let theirs = lock.clone();
        thread::spawn(move || drop(theirs.write().unwrap())).join().unwrap();
    }
    drop(lock.write().unwrap());
}

#[test]
fn many_threads_that_come_and_go_leak_nothing() {
    let place = TestLock::named();
    let lock = Arc::new(place.open_with(&OpenOptions::new().capacity(9)).unwrap());
    drop(lock.read().unwrap()); // the first seat is ours
    for round in 0..200 {
        let open = || {
            let theirs = lock.clone();
            thread::spawn(move || {
                if round % 2 == 0 {
                    drop(theirs.read().unwrap());
                } else {
                    drop(theirs.write().unwrap());
                }
            })
        };
        let threads: Vec<_> = (0..8).map(|_| open()).collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
    assert_eq!(holders(&lock), 0);
}

#[test]
fn the_last_handle_removes_the_lock_although_other_threads_have_used_it() {
    let place = TestLock::named();
    let lock = Arc::new(place.open());
    let (used, over) = (Arc::new(Barrier::new(4)), Arc::new(Barrier::new(4)));
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let (lock, used, over) = (lock.clone(), used.clone(), over.clone());
            thread::spawn(move || {
                drop(lock.read().unwrap());
                drop(lock);
                used.wait();
                over.wait();
            })
        })
        .collect();
    used.wait();
    // The threads live, and have no handle any more.
    drop(lock);
    assert!(!place.remove().unwrap(), "it still exists");
    over.wait();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_snapshot_from_a_thread_that_does_not_use_the_lock_shows_no_hold_as_its_own() {
    let place = TestLock::named();
    let lock = place.open_with(&OpenOptions::new().capacity(1)).unwrap();
    assert_eq!(holders(&lock), 0);
    thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let writing = lock.write().unwrap();
            writing.set_value(Some(b"one")).unwrap();
            let seen = lock.inspect();
            assert!(seen.holders[0].is_own);
            // Another thread sees it, and neither attaches nor repairs it away.
            let other = || (lock.inspect(), lock.value());
            let (seen, value) = thread::scope(|scope| scope.spawn(other).join().unwrap());
            assert_eq!((seen.holders[0].mode, seen.holders[0].is_own), (Mode::Write, false));
            assert_eq!(value.as_deref(), Some(&b"one"[..]));
            assert!(lock.try_read().is_none());
            drop(writing);
        });
        writing.join().unwrap();
    });
}

#[test]
fn a_thread_uses_many_handles_in_turn() {
    let places: Vec<_> = (0..40).map(|_| TestLock::at_path()).collect();
    let locks: Vec<_> = places.iter().map(TestLock::open).collect();
    let both = || {
        for _ in 0..3 {
            let _reading: Vec<_> = locks.iter().map(|lock| lock.read().unwrap()).collect();
            for lock in &locks {
                assert!(lock.inspect().holders.iter().any(|holder| holder.is_own));
            }
        }
    };
    both();
    thread::scope(|scope| {
        scope.spawn(both);
        scope.spawn(both);
    });
    for lock in &locks {
        until("the others have ended", || lock.try_write().is_some());
    }
}

#[test]
fn a_handle_opened_by_one_thread_and_used_by_another_needs_one_slot() {
    let place = TestLock::named();
    let lock = thread::scope(|scope| {
        let open = || place.open_with(&OpenOptions::new().capacity(1)).unwrap();
        scope.spawn(open).join().unwrap()
    });
    drop(lock.write().unwrap());
}

/// The guard of a thread-local variable is dropped after the thread's seats may have been left.
#[test]
fn a_guard_in_a_thread_local_variable_is_released_with_its_thread() {
    thread_local! {
        static FIRST: RefCell<Option<WriteGuard<'static>>> = const { RefCell::new(None) };
        static LATER: RefCell<Option<UpgradableGuard<'static>>> = const { RefCell::new(None) };
    }
    let place = TestLock::at_path();
    let global = Global::open(&place);
    let lock = *global;
    for is_first in [true, false, true, false] {
        thread::spawn(move || {
            // Destructors run in an order of their own: the variable is used before the lock, and
            // after it.
            if is_first {
                FIRST.with(|guard| *guard.borrow_mut() = None);
                FIRST.with(|guard| *guard.borrow_mut() = Some(lock.write().unwrap()));
            } else {
                drop(lock.read().unwrap());
                LATER.with(|guard| *guard.borrow_mut() = Some(lock.upgradable().unwrap()));
            }
            assert_eq!(lock.inspect().holders.len(), 1);
        })
        .join()
        .unwrap();
        assert!(lock.try_write().is_some(), "it is free again");
    }
}

/// A destructor of a thread-local variable uses the lock, when the thread has no seats any more.
#[test]
fn a_thread_that_ends_can_still_use_the_lock() {
    static LOCK: AtomicPtr<RwLock> = AtomicPtr::new(std::ptr::null_mut());
    static USED: AtomicU32 = AtomicU32::new(0);
    struct UsesTheLock;
    impl Drop for UsesTheLock {
        fn drop(&mut self) {
            // SAFETY: the test waits for the end of this thread before it drops the lock.
            let lock = unsafe { &*LOCK.load(SeqCst) };
            for _ in 0..2 {
                drop(lock.write().unwrap());
                drop(lock.try_read().unwrap());
            }
            USED.fetch_add(1, SeqCst);
        }
    }
    thread_local! {
        static BEFORE: UsesTheLock = const { UsesTheLock };
        static AFTER: UsesTheLock = const { UsesTheLock };
    }
    let place = TestLock::at_path();
    let global = Global::open(&place);
    let lock = *global;
    LOCK.store(std::ptr::from_ref(lock).cast_mut(), SeqCst);
    for _ in 0..5 {
        thread::spawn(move || {
            BEFORE.with(|_| ());
            drop(lock.read().unwrap());
            AFTER.with(|_| ());
        })
        .join()
        .unwrap();
    }
    assert_eq!(USED.load(SeqCst), 10);
    drop(lock.write().unwrap());
}

#[test]
fn a_leaked_guard_keeps_its_hold_when_its_thread_ends_until_the_handle_is_dropped() {
    for mode in ["read", "write"] {
        let place = TestLock::at_path();
        let (lock, other) = (Arc::new(place.open()), place.open());
        drop(lock.read().unwrap()); // the first seat is ours
        let theirs = lock.clone();
        thread::spawn(move || {
            if mode == "read" {
                std::mem::forget(theirs.read().unwrap());
            } else {
                std::mem::forget(theirs.write().unwrap());
            }
        })
        .join()
        .unwrap();
        assert!(other.try_write().is_none(), "the {mode} hold stays");
        assert_eq!(holders(&lock), 1);
        drop(lock);
        let writing = other.try_write().expect("it has ended");
        let died = writing.owner_died();
        assert_eq!(died.map(|died| died.pid), (mode == "write").then(std::process::id));
    }
}

// Windows does not remove a mapped file.
#[cfg(unix)]
#[test]
fn a_thread_does_not_attach_to_another_lock_at_the_same_path() {
    let place = TestLock::at_path();
    let lock = place.open();
    let _writing = lock.write().unwrap();
    let attached = || {
        let waits = || lock.read().map(drop);
        thread::scope(|scope| scope.spawn(waits).join().unwrap())
    };
    std::fs::remove_file(place.path()).unwrap();
    let error = attached().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Access);
    assert!(error.to_string().contains("removed or replaced"), "{error}");
    assert!(!place.path().exists(), "it made nothing there");
    let _another = place.open();
    assert_eq!(attached().unwrap_err().kind(), ErrorKind::Access);
}

#[test]
fn a_thread_attaches_although_the_working_directory_has_changed() {
    let place = TestLock::at_path();
    let child = place.child();
    assert_eq!(child.ask("threads_after_chdir"), "granted");
}

/// A second thread that waits must not keep the first one from using its own hold.
#[test]
fn a_wait_of_one_thread_does_not_delay_the_calls_of_another() {
    let place = TestLock::named();
    let lock = place.open();
    let writing = lock.write().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| drop(lock.write().unwrap()));
        until("it waits", || lock.inspect().waiters.len() == 1);
        let (_, took) = timed(|| (lock.value(), lock.inspect(), writing.token()));
        assert!(took < ms(1000), "{took:?}");
        drop(writing);
    });
}
