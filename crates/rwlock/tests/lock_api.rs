//! The lock under `lock_api::RwLock` behaves as that of `parking_lot`, whose tests have the same
//! subjects, and is the lock of all processes.

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use process_rwlock::{ErrorKind, OpenOptions, RawRwLock};

type RwLock<T> = lock_api::RwLock<RawRwLock, T>;
type UpgradableGuard<'a, T> = lock_api::RwLockUpgradableReadGuard<'a, RawRwLock, T>;
type WriteGuard<'a, T> = lock_api::RwLockWriteGuard<'a, RawRwLock, T>;

const SOON: Duration = Duration::from_secs(10);

fn in_thread<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> thread::Result<T> {
    thread::spawn(act).join()
}

#[track_caller]
fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + SOON;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: not within {SOON:?}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// The number of requests that wait.
fn waiters<T>(lock: &RwLock<T>) -> usize {
    // SAFETY: it is only inspected.
    unsafe { lock.raw() }.lock().inspect().waiters.len()
}

// ---- alone

#[test]
fn each_mode_is_granted_and_released() {
    let lock = RwLock::new(5);
    for _ in 0..2 {
        assert_eq!(*lock.read(), 5);
        *lock.write() = 5;
        assert_eq!(*lock.upgradable_read(), 5);
    }
    let (one, two) = (lock.read(), lock.read());
    drop((one, two));
    let (reading, upgradable) = (lock.read(), lock.upgradable_read());
    drop(reading);
    *UpgradableGuard::upgrade(upgradable) += 1;
    assert_eq!(lock.into_inner(), 6);
}

/// Rows: what this thread holds. Columns: whether read, upgradable and write are available to it, and
/// what the lock says of itself.
#[test]
fn tries_beside_the_threads_own_hold() {
    let lock = RwLock::new(());
    let seen = || {
        let read = lock.try_read().is_some();
        let upgradable = lock.try_upgradable_read().is_some();
        let write = lock.try_write().is_some();
        ([read, upgradable, write], [lock.is_locked(), lock.is_locked_exclusive()])
    };
    assert_eq!(seen(), ([true; 3], [false; 2]));
    let reading = lock.read();
    assert_eq!(seen(), ([true, true, false], [true, false]));
    drop(reading);
    let upgradable = lock.upgradable_read();
    assert_eq!(seen(), ([true, false, false], [true, false]));
    drop(upgradable);
    let writing = lock.write();
    assert_eq!(seen(), ([false; 3], [true; 2]));
    drop(writing);
    assert_eq!(seen(), ([true; 3], [false; 2]));
}

#[test]
fn the_value_is_reached_replaced_and_returned() {
    #[derive(Debug, PartialEq)]
    struct NotCopy(u8);
    let mut lock = RwLock::new(NotCopy(1));
    *lock.get_mut() = NotCopy(2);
    assert_eq!(lock.into_inner(), NotCopy(2));

    let slice: &RwLock<[u8]> = &RwLock::new([1, 2, 3]);
    slice.write()[1] = 9;
    assert_eq!(*slice.read(), [1, 9, 3]);

    let shared = RwLock::new(Arc::new(()));
    let clone = Arc::clone(&shared.read());
    assert_eq!(Arc::strong_count(&clone), 2);
}

#[test]
fn the_value_is_dropped_once() {
    static DROPS: AtomicU32 = AtomicU32::new(0);
    struct Counted;
    impl Drop for Counted {
        fn drop(&mut self) {
            DROPS.fetch_add(1, SeqCst);
        }
    }
    drop(RwLock::new(Counted));
    assert_eq!(DROPS.load(SeqCst), 1);
    let inner = RwLock::new(Counted).into_inner();
    assert_eq!(DROPS.load(SeqCst), 1);
    drop(inner);
    assert_eq!(DROPS.load(SeqCst), 2);
}

#[test]
fn a_debug_text_shows_the_value_unless_it_is_locked() {
    fn text(of: &impl Debug) -> String {
        format!("{of:?}")
    }
    let lock = RwLock::new(vec![0_u8, 10]);
    assert_eq!(text(&lock), "RwLock { data: [0, 10] }");
    let _writing = lock.write();
    assert_eq!(text(&lock), "RwLock { data: <locked> }");
}

#[test]
fn locks_and_guards_may_be_shared() {
    fn is_sync(_: &impl Sync) {}
    fn is_send(_: &impl Send) {}
    let lock = RwLock::new(());
    is_sync(&lock);
    is_send(&lock);
    is_sync(&lock.read());
    is_sync(&lock.write());
}

// ---- several threads

#[test]
fn threads_read_and_write_at_random() {
    let lock = Arc::new(RwLock::new((0_u64, 0_u64)));
    thread::scope(|scope| {
        for seed in 0..8 {
            let lock = &lock;
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(seed);
                for _ in 0..400 {
                    if random.u8(..10) == 0 {
                        let mut writing = lock.write();
                        writing.0 += 1;
                        writing.1 += 1;
                    } else {
                        let reading = lock.read();
                        assert_eq!(reading.0, reading.1);
                    }
                }
            });
        }
    });
}

#[test]
fn a_writer_is_never_seen_in_the_middle() {
    let lock = Arc::new(RwLock::new(0));
    let writer = {
        let lock = lock.clone();
        thread::spawn(move || {
            for _ in 0..10 {
                let mut value = lock.write();
                let before = std::mem::replace(&mut *value, -1);
                thread::yield_now();
                *value = before + 1;
            }
        })
    };
    let others: Vec<_> = (0..10)
        .map(|number| {
            let lock = lock.clone();
            thread::spawn(move || {
                if number % 2 == 0 {
                    assert!(*lock.read() >= 0);
                    return;
                }
                let upgradable = lock.upgradable_read();
                let before = *upgradable;
                assert!(before >= 0);
                thread::yield_now();
                let mut value = UpgradableGuard::upgrade(upgradable);
                assert_eq!(*value, before, "nobody wrote in between");
                *value = -1;
                thread::yield_now();
                *value = before + 1;
            })
        })
        .collect();
    others.into_iter().chain([writer]).for_each(|thread| thread.join().unwrap());
    assert_eq!(*lock.read(), 15);
}

#[test]
fn a_writer_that_becomes_a_reader_lets_no_writer_in_between() {
    let lock = Arc::new(RwLock::new(0));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let lock = lock.clone();
            thread::spawn(move || {
                for _ in 0..50 {
                    let mut writing = lock.write();
                    *writing += 1;
                    let own = *writing;
                    assert_eq!(*WriteGuard::downgrade(writing), own);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(*lock.read(), 400);
}

#[test]
fn a_hold_passes_through_all_modes() {
    let lock = Arc::new(RwLock::new(0));
    let other = |expected| {
        let theirs = lock.clone();
        let tried = move || {
            let read = theirs.try_read().is_some();
            let upgradable = theirs.try_upgradable_read().is_some();
            [read, upgradable, theirs.try_write().is_some()]
        };
        assert_eq!(in_thread(tried).unwrap(), expected);
    };
    let upgradable = WriteGuard::downgrade_to_upgradable(lock.write());
    other([true, false, false]);
    let mut upgradable = UpgradableGuard::try_upgrade(upgradable).map_or_else(
        |_| panic!("nobody reads"),
        |writing| {
            other([false, false, false]);
            WriteGuard::downgrade_to_upgradable(writing)
        },
    );
    upgradable.with_upgraded(|value| *value += 1);
    other([true, false, false]);
    assert_eq!(*UpgradableGuard::downgrade(upgradable), 1);
    other([true, true, true]);
}

#[test]
fn an_upgrade_waits_for_the_readers() {
    let lock = RwLock::new(());
    let is_last = AtomicBool::new(false);
    let reading = lock.read();
    thread::scope(|scope| {
        scope.spawn(|| {
            let upgradable = lock.upgradable_read();
            let upgradable = UpgradableGuard::try_upgrade(upgradable).map(|_| ()).unwrap_err();
            let ms = Duration::from_millis;
            let upgradable = UpgradableGuard::try_upgrade_for(upgradable, ms(5)).map(|_| ()).unwrap_err();
            let late = Instant::now() + ms(5);
            let upgradable = UpgradableGuard::try_upgrade_until(upgradable, late).map(|_| ()).unwrap_err();
            is_last.store(true, SeqCst);
            drop(UpgradableGuard::upgrade(upgradable));
        });
        until("it drains", || is_last.load(SeqCst) && waiters(&lock) == 1);
        drop(reading);
    });
    assert!(!lock.is_locked());
}

#[test]
fn a_thread_that_reads_reads_again_although_a_writer_waits() {
    let lock = RwLock::new(());
    let one = lock.read();
    thread::scope(|scope| {
        scope.spawn(|| drop(lock.write()));
        until("it waits", || waiters(&lock) == 1);
        let all = [
            lock.read_recursive(),
            lock.try_read_recursive().unwrap(),
            lock.try_read_recursive_for(SOON).unwrap(),
            lock.try_read_recursive_until(Instant::now() + SOON).unwrap(),
            lock.read(),
        ];
        drop(one);
        assert_eq!(waiters(&lock), 1);
        drop(all);
    });
}

#[test]
fn a_wait_ends_in_time() {
    let lock = RwLock::new(());
    let writing = lock.write();
    let time = Duration::from_millis(5);
    thread::scope(|scope| {
        let times_out = || {
            let start = Instant::now();
            assert!(lock.try_read_for(time).is_none() && lock.try_read_until(Instant::now() + time).is_none());
            assert!(lock.try_write_for(time).is_none() && lock.try_write_until(Instant::now() + time).is_none());
            assert!(lock.try_upgradable_read_for(time).is_none());
            assert!(lock.try_upgradable_read_until(Instant::now() + time).is_none());
            assert!(lock.try_read_until(Instant::now()).is_none());
            assert!(start.elapsed() >= 6 * time);
        };
        scope.spawn(times_out).join().unwrap();
        drop(writing);
        let in_time = || {
            drop(lock.try_read_for(SOON).unwrap());
            drop(lock.try_write_until(Instant::now() + SOON).unwrap());
            drop(lock.try_upgradable_read_for(SOON).unwrap());
        };
        scope.spawn(in_time).join().unwrap();
    });
    assert_eq!(waiters(&lock), 0);
}

#[test]
fn guards_of_an_arc_keep_the_lock() {
    let lock = Arc::new(RwLock::new(0));
    let mut upgradable = lock.upgradable_read_arc();
    for _ in 0..2 {
        upgradable.with_upgraded(|value| *value += 1);
    }
    drop(lock);
    assert_eq!(*upgradable, 2);
}

#[test]
fn the_threads_of_one_lock_come_and_go() {
    let lock = Arc::new(RwLock::new(0));
    for _ in 0..300 {
        let theirs = lock.clone();
        in_thread(move || *theirs.write() += 1).unwrap();
    }
    assert_eq!(*lock.read(), 300);
}

#[test]
fn a_downgrade_waits_until_the_limit_on_readers_allows_it() {
    let name = format!("process-rwlock-test/lock-api-limit-{}", std::process::id());
    let lock = RwLock::from_raw(OpenOptions::new().max_readers(1).open(&name).unwrap().into(), ());
    let is_over = AtomicBool::new(false);
    let reading = lock.read();
    thread::scope(|scope| {
        let downgrades = scope.spawn(|| {
            let reading = UpgradableGuard::downgrade(lock.upgradable_read());
            assert!(is_over.load(SeqCst), "two read");
            drop(reading);
        });
        until("it has the upgradable hold", || lock.try_upgradable_read().is_none());
        thread::sleep(Duration::from_millis(20));
        is_over.store(true, SeqCst);
        drop(reading);
        downgrades.join().unwrap();
    });
    assert!(!lock.is_locked());
}

// ---- panics

#[test]
fn a_panic_releases_and_poisons_nothing() {
    for in_write in [false, true] {
        for then_write in [false, true] {
            let lock = Arc::new(RwLock::new(1));
            let theirs = lock.clone();
            let panicked = in_thread(move || {
                let (_writing, _reading) =
                    if in_write { (Some(theirs.write()), None) } else { (None, Some(theirs.read())) };
                panic!("inside the hold");
            });
            assert!(panicked.is_err());
            assert_eq!(if then_write { *lock.write() } else { *lock.read() }, 1);
        }
    }
}

#[test]
fn a_destructor_writes_while_a_panic_unwinds() {
    struct Increments(Arc<RwLock<u32>>);
    impl Drop for Increments {
        fn drop(&mut self) {
            *self.0.write() += 1;
        }
    }
    let lock = Arc::new(RwLock::new(1));
    let theirs = lock.clone();
    let panicked = in_thread(move || {
        let _increments = Increments(theirs);
        panic!("before its destructor");
    });
    assert!(panicked.is_err());
    assert_eq!(*lock.read(), 2);
}

#[test]
fn a_panic_is_reported_if_the_lock_was_opened_so() {
    let name = format!("process-rwlock-test/lock-api-{}", std::process::id());
    let options = OpenOptions::new().poison_on_panic(true);
    let lock = RwLock::from_raw(options.open(&name).unwrap().into(), ());
    let other = process_rwlock::RwLock::open(&name).unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _writing = lock.write();
        panic!("inside the hold");
    }));
    assert!(panicked.is_err());
    assert_eq!(other.read().unwrap().owner_died().map(|died| died.pid), Some(std::process::id()));
    drop(lock.write());
    assert_eq!(other.read().unwrap().owner_died(), None);
}

/// `parking_lot` would hang.
#[test]
fn a_thread_that_would_wait_for_itself_panics() {
    let lock = RwLock::new(());
    let _reading = lock.read();
    let panicked = catch_unwind(AssertUnwindSafe(|| drop(lock.write()))).unwrap_err();
    assert!(panicked.downcast::<String>().unwrap().starts_with("deadlock: this thread already holds"));
}

#[test]
fn a_thread_that_cannot_attach_panics_or_gets_nothing() {
    let name = format!("process-rwlock-test/lock-api-full-{}", std::process::id());
    let open = OpenOptions::new().capacity(1).open(&name).unwrap();
    let lock = Arc::new(RwLock::from_raw(open.into(), ()));
    let _reading = lock.read();
    let theirs = lock.clone();
    assert!(in_thread(move || theirs.try_read().is_none()).unwrap());
    let theirs = lock.clone();
    let panicked = in_thread(move || drop(theirs.read())).unwrap_err();
    assert!(panicked.downcast::<String>().unwrap().contains("all 1 attachments"));
    assert_eq!(process_rwlock::remove(process_rwlock::LockRef::Name(&name)).unwrap_err().kind(), ErrorKind::Busy);
}

// ---- the end of a thread

#[test]
fn a_lock_in_a_thread_local_variable_is_used_in_its_destructor() {
    struct Writes(RwLock<()>);
    impl Drop for Writes {
        fn drop(&mut self) {
            drop(self.0.write());
        }
    }
    thread_local! {
        static BEFORE: Writes = const { Writes(RwLock::new(())) };
    }
    in_thread(|| {
        BEFORE.with(|_| ());
        let another = RwLock::new(());
        drop(another.read());
    })
    .unwrap();
}

// ---- with other users of the same lock

#[test]
fn it_is_the_lock_of_the_same_name() {
    let name = format!("process-rwlock-test/lock-api-shared-{}", std::process::id());
    let lock = Arc::new(RwLock::from_raw(process_rwlock::RwLock::open(&name).unwrap().into(), 0));
    let other = process_rwlock::RwLock::open(&name).unwrap();
    let writing = lock.write();
    assert!(other.try_read().is_none());
    drop(writing);
    let writing = other.write().unwrap();
    assert!(lock.is_locked_exclusive() && lock.try_read().is_none());
    let (waits, granted) = (lock.clone(), Arc::new(AtomicBool::new(false)));
    let told = granted.clone();
    let thread = thread::spawn(move || {
        *waits.write() += 1;
        told.store(true, SeqCst);
    });
    until("it waits", || waiters(&lock) == 1);
    assert!(!granted.load(SeqCst));
    drop(writing);
    thread.join().unwrap();
    assert_eq!(*lock.read(), 1);
}

#[test]
fn two_locks_made_anew_are_two_locks() {
    let (one, two) = (RwLock::new(()), RwLock::new(()));
    let _writing = (one.write(), two.write());
    let both = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            assert!(one.try_read().is_none());
            both.wait();
        });
        both.wait();
    });
}

#[test]
fn a_lock_without_a_name_is_gone_when_it_is_dropped() {
    let lock = RwLock::new(());
    drop(lock.write());
    // SAFETY: it is only inspected.
    let name = unsafe { lock.raw() }.lock().inspect().name.unwrap();
    let listed = || process_rwlock::list().unwrap().iter().any(|seen| seen.name.as_ref() == Some(&name));
    assert!(listed());
    drop(lock);
    assert!(!listed());
}
