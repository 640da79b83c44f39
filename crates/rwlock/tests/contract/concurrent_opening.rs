//! Opening and closing while other processes are stopped in the middle of it. (The crash test stops
//! a process at every crash point.)

#![cfg(target_os = "linux")]

use std::fs::{self, File, OpenOptions as FileOptions};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use process_rwlock::{
    Attachment, ErrorKind, HoldEnd, LockRef, Mode, OpenOptions, Options, RwLock, WaitOptions, remove,
};

use crate::helpers::{Child, TEST_TIMEOUT, TestLock, list, ms, prune};

/// The byte that is locked to initialize or remove a file; see `lock_file.rs`.
const SETUP_BYTE: i64 = 1 << 40;

/// Holds the setup byte of the file at `path`, like a process that was stopped meanwhile.
fn setup_byte_of(path: &Path) -> File {
    let file = FileOptions::new().read(true).write(true).open(path).unwrap();
    // SAFETY: plain old data; all zero is a valid value of it.
    let mut request: libc::flock = unsafe { std::mem::zeroed() };
    request.l_type = libc::F_WRLCK as _;
    request.l_start = SETUP_BYTE;
    request.l_len = 1;
    // SAFETY: the descriptor is open, and `request` valid for reads.
    assert_eq!(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const request) }, 0);
    file
}

const PATIENT: WaitOptions = WaitOptions { deadline: u64::MAX, fairness: 1_000_000, in_turn: false };

/// Far less than a wait for the setup byte, which lasts 5 s. A disk may be slow.
const AT_ONCE: Duration = Duration::from_secs(2);

fn at_once<T>(act: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let done = act();
    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    done
}

#[test]
fn opening_and_closing_do_not_wait_for_the_setup_byte() {
    let (named, at_path) = (TestLock::named(), TestLock::at_path());
    for (lock, file) in [(&named, None), (&at_path, Some(at_path.path()))] {
        let first = lock.open();
        let record = file.map_or_else(|| crate::damage::record_and_memory(lock).0, Into::into);
        let _stopped = setup_byte_of(&record);
        let second = at_once(|| lock.open());
        drop(at_once(|| second.write().unwrap()));
        at_once(|| drop(second));
        at_once(|| drop(first));
        drop(at_once(|| lock.open()));
    }
}

#[test]
fn no_process_waits_for_the_token_floor() {
    let lock = TestLock::named();
    drop(lock.open()); // creates it
    // SAFETY: geteuid has no preconditions.
    let last_token = format!("/dev/shm/process-rwlock-{}/token-floor", unsafe { libc::geteuid() });
    let _stopped = setup_byte_of(Path::new(&last_token));
    let own = at_once(|| lock.open());
    at_once(|| drop(own));
}

#[test]
fn opening_waits_for_a_file_being_initialized_until_the_setup_timeout() {
    let lock = TestLock::at_path();
    fs::write(lock.path(), "").unwrap();
    let stopped = setup_byte_of(lock.path());
    let options = OpenOptions::new().setup_timeout(ms(50));
    let start = Instant::now();
    let error = lock.open_with(&options).map(drop).unwrap_err();
    assert!((ms(50)..TEST_TIMEOUT / 2).contains(&start.elapsed()), "{:?}", start.elapsed());
    assert_eq!(error.kind(), ErrorKind::Busy);
    let text = error.to_string();
    assert!(["lock ", "50 ms", "stopped", "let it continue"].iter().all(|part| text.contains(part)), "{text}");
    let error = remove(LockRef::Path(lock.path())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
    drop(stopped);
    // A child that another thread starts at this moment has the descriptor until it runs its program.
    assert!(lock.open_with(&OpenOptions::new().setup_timeout(TEST_TIMEOUT)).unwrap().try_write().is_some());
}

/// As many as a large machine starts at once, each through many lives of the lock.
#[test]
fn sixty_processes_that_open_and_close_one_lock_at_once_all_succeed() {
    for lock in TestLock::both_kinds() {
        let options = Options { setup_timeout: ms(50), ..Options::default() };
        let (count, writes) = (AtomicU64::new(0), AtomicU64::new(0));
        thread::scope(|scope| {
            for _ in 0..60 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        let own = Attachment::open(lock.reference(), &options).unwrap();
                        own.wait(Mode::Write, PATIENT, || false).unwrap();
                        // Only the lock makes this increment atomic.
                        let seen = count.load(Relaxed);
                        thread::yield_now();
                        count.store(seen + 1, Relaxed);
                        own.release_exclusive(HoldEnd::Consistent).unwrap();
                        writes.fetch_add(1, Relaxed);
                    }
                });
            }
        });
        assert_eq!((count.into_inner(), writes.into_inner()), (1200, 1200), "there were two locks");
    }
}

#[test]
fn a_list_is_complete_or_an_error() {
    let lock = TestLock::named();
    let child = lock.child();
    let _own = lock.open();
    assert_ne!(child.ask("list"), "0");
    assert_eq!(child.ask("no_more_descriptors"), "ok");
    assert_eq!(child.ask("list"), "Access");
}

#[test]
fn an_open_lock_takes_one_descriptor() {
    for lock in TestLock::both_kinds() {
        let child = Child::new(lock.reference());
        assert_eq!(child.ask("descriptors 20"), "20");
    }
}

/// Leaves what a dead process leaves of a lock that is not opened again.
fn left_over(lock: &TestLock, options: &str, hold: &str) {
    let child = Child::new(lock.reference());
    assert_eq!(child.ask(&format!("open {options}")), "ok");
    child.hold(hold);
    child.kill();
}

fn is_registered(lock: &TestLock) -> bool {
    list().iter().any(|seen| seen.name.as_deref() == Some(lock.name()))
}

// (On demand, this would also affect the locks of other tests: see named-locks.test.js.)
#[test]
fn pruning_removes_what_dead_processes_left_except_a_writers_death() {
    let [read, written, used] = [TestLock::named(), TestLock::named(), TestLock::named()];
    left_over(&read, "label=x", "read");
    left_over(&written, "label=x", "write");
    left_over(&used, "label=x", "read");
    let own = used.open();
    prune(false);
    assert_eq!([is_registered(&read), is_registered(&written), is_registered(&used)], [false, true, true]);
    drop(own);
}

#[test]
fn a_lock_that_is_not_durable_is_removed_by_its_last_close_although_a_writer_died() {
    let lock = TestLock::named();
    let own = lock.open_with(&OpenOptions::new().durable(false)).unwrap();
    left_over(&lock, "durable=true", "write");
    assert!(own.read().unwrap().owner_died().is_some(), "while it is open it is reported");
    drop(own);
    assert!(!is_registered(&lock));
    assert_eq!(lock.open().read().unwrap().owner_died(), None);
}

#[test]
fn an_anonymous_lock_of_dead_processes_is_swept_although_a_writer_died() {
    let options = Options { anonymous: true, ..Options::default() };
    // Any process that opens its first lock at this moment removes it.
    let stays = (0..20).any(|_| {
        let lock = TestLock::named();
        let own = Attachment::open(lock.reference(), &options).unwrap();
        let child = lock.child();
        child.hold("write");
        child.kill();
        drop(own);
        let stays = is_registered(&lock);
        prune(false);
        assert!(!is_registered(&lock));
        stays
    });
    assert!(stays, "somebody who was given its name may open it still");
}

#[test]
fn concurrent_attachments_up_to_the_capacity_always_find_a_slot() {
    let lock = TestLock::named();
    let _keeps = lock.open_with(&OpenOptions::new().capacity(5)).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..500).for_each(|_| drop(RwLock::open(lock.name()).unwrap())));
        }
    });
}
