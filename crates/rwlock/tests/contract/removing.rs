//! Unused locks: the list, and their removal.

use std::fs;
use std::path::Path;

use process_rwlock::{ErrorKind, LockRef, Snapshot, inspect};

use crate::helpers::{TestLock, list};
#[cfg(any(target_os = "linux", windows))]
use crate::helpers::{records_and_memories, until};

fn listed(lock: &TestLock) -> Option<Snapshot> {
    list().into_iter().find(|seen| seen.name.as_deref() == Some(lock.name()))
}

#[test]
fn the_list_shows_named_locks_with_their_holders() {
    let lock = TestLock::named();
    assert!(listed(&lock).is_none());
    let child = lock.child();
    child.hold("write");
    let seen = listed(&lock).unwrap();
    assert_eq!(seen.holders.iter().map(|holder| holder.pid).collect::<Vec<_>>(), [child.pid()]);
    assert_eq!(seen.token, child.token());
    assert_eq!(seen.path, None);
}

#[test]
fn a_named_lock_is_removed_with_its_last_user() {
    let lock = TestLock::named();
    let (own, child) = (lock.open(), lock.child());
    child.hold("read");
    drop(own);
    assert!(listed(&lock).is_some());
    child.release();
    child.end_by("exit");
    // A process that ends does not close its locks: the next user finds what is left.
    drop(lock.open());
    assert!(listed(&lock).is_none());
    assert!(!lock.remove().unwrap());
}

#[cfg(any(target_os = "linux", windows))]
#[test]
fn a_lock_and_its_shared_memory_are_removed_together() {
    // Other tests create and remove locks meanwhile, so only this test's lock can be checked.
    let lock = TestLock::named();
    let before = memories();
    let own = lock.open();
    let made: Vec<_> = memories().into_iter().filter(|name| !before.contains(name)).collect();
    assert!(!made.is_empty());
    drop(own);
    until("what was made is gone", || !made.iter().all(|name| memories().contains(name)));
}

#[cfg(any(target_os = "linux", windows))]
fn memories() -> Vec<std::ffi::OsString> {
    let files = fs::read_dir(records_and_memories().1).unwrap().map(Result::unwrap);
    files.filter(|file| file.file_type().is_ok_and(|kind| kind.is_file())).map(|file| file.file_name()).collect()
}

#[test]
fn a_lock_in_use_is_not_removed() {
    for lock in TestLock::both_kinds() {
        let child = lock.child();
        let error = lock.remove().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Busy);
        assert!(error.to_string().contains(&child.pid().to_string()), "{error}");
        child.hold("write");
        assert_eq!(lock.remove().unwrap_err().kind(), ErrorKind::Busy);
    }
}

#[test]
fn what_a_crash_left_can_be_removed_with_its_persisted_state() {
    for lock in TestLock::both_kinds() {
        let child = lock.child();
        child.hold("write");
        let token = child.token();
        child.kill();
        assert!(lock.remove().unwrap());
        assert!(!lock.remove().unwrap());
        let own = lock.open();
        let writing = own.write().unwrap();
        assert_eq!(writing.owner_died(), None);
        assert!(writing.token() > token);
    }
}

#[test]
fn a_file_that_is_not_a_lock_is_not_removed() {
    let lock = TestLock::at_path();
    fs::write(lock.path(), "a letter to Ada").unwrap();
    assert_eq!(lock.remove().unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(fs::read_to_string(lock.path()).unwrap(), "a letter to Ada");
}

#[test]
fn removing_a_missing_lock_returns_false() {
    assert!(!TestLock::named().remove().unwrap());
    assert!(!TestLock::at_path().remove().unwrap());
    assert!(!process_rwlock::remove(process_rwlock::LockRef::Path(Path::new("/no/such/folder/lock"))).unwrap());
}

// Windows does not remove a mapped file.
#[cfg(unix)]
#[test]
fn a_file_removed_by_another_program_keeps_its_users_and_is_created_again() {
    let lock = TestLock::at_path();
    let (own, other) = (lock.open(), lock.open());
    let _writing = own.write().unwrap();
    fs::remove_file(lock.path()).unwrap();
    assert!(other.try_read().is_none());
    let anew = process_rwlock::RwLock::open_path(lock.path()).unwrap();
    assert!(anew.try_write().is_some());
}

#[test]
fn a_lock_is_inspected_without_being_opened() {
    for lock in TestLock::both_kinds() {
        assert!(inspect(lock.reference()).unwrap().is_none());
        let child = lock.child();
        child.hold("write");
        let seen = inspect(lock.reference()).unwrap().unwrap();
        let pid = child.pid();
        assert_eq!(seen.holders.iter().map(|holder| holder.pid).collect::<Vec<_>>(), [pid]);
        assert_eq!((seen.token, seen.name.is_some()), (child.token(), seen.path.is_none()));
        child.kill();
        let left = inspect(lock.reference()).unwrap().unwrap();
        assert!(left.holders.is_empty());
        assert_eq!(left.owner_died.unwrap().pid, pid);
        assert!(lock.remove().unwrap());
        assert!(inspect(lock.reference()).unwrap().is_none());
    }
}

#[test]
fn what_is_no_lock_is_inspected_as_an_error() {
    let lock = TestLock::at_path();
    fs::write(lock.path(), "not a lock\n".repeat(100)).unwrap();
    assert_eq!(inspect(lock.reference()).unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(inspect(LockRef::Name("")).unwrap_err().kind(), ErrorKind::InvalidArgument);
}
