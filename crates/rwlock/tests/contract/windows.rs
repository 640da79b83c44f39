//! What only Windows does to files, names and events that other processes use.

use std::fs::{self, File, OpenOptions};
use std::os::windows::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;

use process_rwlock::{ErrorKind, LockRef, Mode, RwLock, WaitOptions, Watcher, now};

use crate::damage::record_and_memory;
use crate::helpers::{TestLock, ms, until};

/// For how long another process blocks the file.
const MOMENT: std::time::Duration = ms(200);

/// Opens the file without sharing for a moment, as virus scanners may.
fn keep_for_a_moment(path: &Path) {
    let kept = OpenOptions::new().read(true).share_mode(0).open(path).unwrap();
    thread::spawn(move || {
        thread::sleep(MOMENT);
        drop(kept);
    });
}

#[test]
fn a_file_blocked_for_a_moment_is_opened_and_removed_afterwards() {
    let lock = TestLock::at_path();
    drop(lock.open());
    keep_for_a_moment(lock.path());
    drop(lock.open());
    keep_for_a_moment(lock.path());
    assert!(lock.remove().unwrap() && !lock.path().exists());
}

#[test]
fn a_record_blocked_for_a_moment_is_opened_afterwards() {
    let lock = TestLock::named();
    for which in [0, 1] {
        let child = lock.child();
        child.hold("write");
        let (record, memory) = record_and_memory(&lock);
        child.kill();
        keep_for_a_moment([&record, &memory][which]);
        assert!(lock.open().try_write().unwrap().owner_died().is_some());
    }
}

#[test]
fn a_removed_record_that_is_still_open_does_not_prevent_its_lock() {
    let lock = TestLock::named();
    let child = lock.child();
    child.hold("read");
    let (record, _) = record_and_memory(&lock);
    child.kill();
    let open: Vec<File> = (0..2).map(|_| File::open(&record).unwrap()).collect();
    fs::remove_file(&record).unwrap();
    thread::spawn(move || {
        thread::sleep(MOMENT);
        drop(open);
    });
    assert!(lock.open().try_write().is_some());
}

#[test]
fn a_named_lock_is_removed_with_its_last_user_although_a_watcher_has_mapped_it() {
    let lock = TestLock::named();
    let own = lock.attach();
    let (record, memory) = record_and_memory(&lock);
    let watch = Watcher::new().watch(&own, || {});
    drop(own);
    drop(watch);
    assert!(!memory.exists(), "{}", memory.display());
    assert!(!record.exists(), "{}", record.display());
    assert!(lock.open().try_write().is_some());
}

#[test]
fn the_file_of_a_lock_can_be_removed_as_soon_as_its_last_user_has_closed_it() {
    let watcher = Watcher::new();
    for _ in 0..30 {
        let lock = TestLock::at_path();
        let (holder, own) = (lock.attach(), lock.attach());
        assert!(holder.try_write());
        let mut watch = watcher.watch(&own, || {});
        own.request(Mode::Read, WaitOptions { deadline: u64::MAX, fairness: u64::MAX, in_turn: false });
        own.poll(now()).unwrap();
        watch.begin(now(), u64::MAX).unwrap();
        thread::sleep(ms(2)); // so that a thread sleeps on it
        drop((watch, own, holder));
        assert!(lock.remove().unwrap());
        until("its name is gone", || !lock.path().exists());
    }
}

#[test]
fn a_path_can_be_long_and_end_as_windows_allows() {
    let lock = TestLock::at_path();
    let folder = lock.file(&"d".repeat(200)).join("e".repeat(200));
    fs::create_dir_all(&folder).unwrap();
    let long = folder.join("lock");
    let own = RwLock::open_path(&long).unwrap();
    let _writing = own.write().unwrap();
    assert!(RwLock::open_path(&long).unwrap().try_read().is_none());
    drop(_writing);
    drop(own);
    assert!(process_rwlock::remove(LockRef::Path(&long)).unwrap() && !long.exists());
    // A trailing dot is not part of the name.
    let own = lock.open();
    let _writing = own.write().unwrap();
    let dotted = format!("{}.", lock.path().display());
    assert!(RwLock::open_path(dotted).unwrap().try_read().is_none());
}

#[test]
fn devices_are_refused() {
    for device in ["NUL", "CON", r"\\.\NUL", r"\\.\pipe\process-rwlock-test"] {
        let kind = RwLock::open_path(device).map(drop).unwrap_err().kind();
        assert!(matches!(kind, ErrorKind::Corrupt | ErrorKind::Access), "{device}: {kind:?}");
    }
}
