//! Locks in files: permissions and links, the state after a power failure, and unsuitable file
//! systems.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use process_rwlock::{ErrorKind, LockRef, OpenOptions, RwLock, remove};

#[cfg(target_os = "linux")]
use crate::damage::record_and_memory;
#[cfg(target_os = "linux")]
use crate::helpers::with_unusable_memory;
use crate::helpers::{Child, TestLock};

/// A user ID that is probably unused.
const SOMEBODY: u32 = 61_219;

/// The size of a lock of `capacity`.
fn bytes_of(capacity: usize) -> usize {
    3328 + (capacity + 1) * 384 + 64
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[track_caller]
fn refused(path: &Path, kind: ErrorKind) -> String {
    let error = RwLock::open_path(path).map(drop).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    error.to_string()
}

/// Prints the reason if it is false: only root can create files of other users.
fn is_root() -> bool {
    // SAFETY: geteuid has no preconditions and cannot fail.
    let is_root = unsafe { libc::geteuid() } == 0;
    if !is_root {
        println!("skipped: only root can give files to other users");
    }
    is_root
}

// ---- tokens after a power failure

fn now() -> u64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64
}

/// The word at the offset `at` of the file.
fn word(path: &Path, at: usize) -> u64 {
    u64::from_le_bytes(fs::read(path).unwrap()[at..][..8].try_into().unwrap())
}

fn set_word(path: &Path, at: usize, value: u64) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at..][..8].copy_from_slice(&value.to_le_bytes());
    fs::write(path, bytes).unwrap();
}

/// The last token in the file.
const LAST_TOKEN: usize = 392;
const MINUTE: u64 = 60_000_000_000;

/// A lock that was created a minute ago, independent of the tokens of this user's other locks.
fn lock_of_a_minute_ago() -> TestLock {
    let lock = TestLock::at_path();
    drop(lock.open());
    set_word(lock.path(), LAST_TOKEN, now() - MINUTE);
    lock
}

#[test]
fn a_file_restored_to_an_earlier_state_issues_no_token_twice() {
    let lock = lock_of_a_minute_ago();
    let own = lock.open();
    let mut last = own.write().unwrap().token();
    let on_disk = fs::read(lock.path()).unwrap();
    for _ in 0..800 {
        last = own.write().unwrap().token();
    }
    drop(own);
    // A power failure: none of this was written back.
    fs::write(lock.path(), on_disk).unwrap();
    let token = lock.open().write().unwrap().token();
    assert!(token > last, "{token} after {last}");
}

#[test]
fn tokens_do_not_go_back_with_the_clock() {
    let lock = lock_of_a_minute_ago();
    let ahead = now() + 60 * MINUTE;
    set_word(lock.path(), LAST_TOKEN, ahead);
    let token = lock.open().write().unwrap().token();
    set_word(lock.path(), LAST_TOKEN, 0); // otherwise all later locks of this user would start above it
    assert_eq!(token, ahead + 1);
}

#[test]
fn tokens_are_raised_only_by_an_attachment_that_is_alone() {
    let lock = lock_of_a_minute_ago();
    let before = now();
    let own = lock.open();
    let token = own.write().unwrap().token();
    assert!(token > before, "raised");
    let reading = own.read().unwrap();
    let other = lock.open();
    assert_eq!(own.inspect().token, token);
    drop(reading);
    assert_eq!(other.write().unwrap().token(), token + 1);
}

#[test]
fn the_token_of_a_dead_writer_is_kept_when_tokens_are_raised() {
    let lock = lock_of_a_minute_ago();
    let child = lock.child();
    child.hold("write");
    let (pid, token) = (child.pid(), child.token());
    child.kill();
    // The next attachment is alone. Twice: the first one does not change that.
    drop(lock.open());
    let own = lock.open();
    let writing = own.write().unwrap();
    let died = writing.owner_died().expect("it died inside");
    assert_eq!((died.pid, died.token), (pid, token));
    assert!(writing.token() > token + 1, "raised");
    drop(writing);
    assert_eq!(own.write().unwrap().owner_died(), None);
}

#[test]
fn the_tokens_of_an_attachment_stay_close_to_its_token_base() {
    let lock = lock_of_a_minute_ago();
    let a_year_ago = now() - 365 * 24 * 60 * MINUTE;
    set_word(lock.path(), LAST_TOKEN, a_year_ago);
    set_word(lock.path(), 32, a_year_ago); // the creation time
    let own = lock.attach();
    assert!(own.try_write());
    assert_eq!(own.token() - own.token_base(), 1);
    assert!(word(lock.path(), LAST_TOKEN) > a_year_ago + 1_000_000_000);
}

// ---- unfinished

#[test]
fn zeros_of_a_locks_length_are_an_unfinished_lock() {
    for capacity in [1, 2, 128, 4095] {
        let lock = TestLock::at_path();
        let zeros = vec![0; bytes_of(capacity)];
        fs::write(lock.path(), &zeros).unwrap();
        assert!(lock.remove().unwrap() && !lock.path().exists(), "{capacity}");
        fs::write(lock.path(), &zeros).unwrap();
        assert!(lock.open().try_write().is_some(), "{capacity}");
        assert_eq!(lock.open().inspect().capacity, 128, "as any new one");
    }
}

#[test]
fn zeros_of_another_length_are_user_data() {
    let lengths = [
        1,
        8,
        512,
        4096,
        12_288,
        1 << 15,
        1 << 20,
        bytes_of(0),
        bytes_of(128) - 1,
        bytes_of(128) + 128,
        bytes_of(4096),
    ];
    for length in lengths {
        let lock = TestLock::at_path();
        fs::write(lock.path(), vec![0; length]).unwrap();
        refused(lock.path(), ErrorKind::Corrupt);
        assert_eq!(lock.remove().unwrap_err().kind(), ErrorKind::Corrupt, "{length}");
        assert_eq!(fs::read(lock.path()).unwrap(), vec![0; length]);
    }
    // A lock with anything but zeros at its end is not created again.
    let lock = TestLock::at_path();
    let mut bytes = vec![0; bytes_of(128)];
    *bytes.last_mut().unwrap() = 1;
    fs::write(lock.path(), &bytes).unwrap();
    refused(lock.path(), ErrorKind::Corrupt);
    assert_eq!(fs::read(lock.path()).unwrap(), bytes);
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_zeroed_while_in_use_is_not_created_again() {
    let lock = TestLock::at_path();
    let child = lock.child();
    child.hold("write");
    fs::write(lock.path(), vec![0; bytes_of(128)]).unwrap();
    refused(lock.path(), ErrorKind::Corrupt);
}

// ---- read permission

#[test]
fn a_file_that_some_users_can_only_read_is_refused_with_a_remedy() {
    let lock = TestLock::at_path();
    drop(lock.open());
    for (bad, mending, good) in [
        (0o644, "go-r", 0o600),
        (0o640, "g-r", 0o600),
        (0o604, "o-r", 0o600),
        (0o664, "o-r", 0o660),
        (0o646, "g-r", 0o606),
    ] {
        set_mode(lock.path(), bad);
        let message = refused(lock.path(), ErrorKind::Access);
        let command = format!("chmod {mending} {}", lock.path().display());
        assert!(message.ends_with(&command), "{message}");
        assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success());
        assert_eq!(mode(lock.path()), good);
        assert!(lock.open().try_write().is_some());
    }
    // Removing the lock also solves the problem.
    set_mode(lock.path(), 0o644);
    assert!(lock.remove().unwrap());
}

#[test]
fn a_file_with_a_reader_in_its_access_list_is_refused_until_the_mask_excludes_it() {
    let lock = TestLock::at_path();
    drop(lock.open());
    let list = Command::new("setfacl").args(["-m", "u:61219:r--,m::rw-"]).arg(lock.path()).status();
    if !list.is_ok_and(|status| status.success()) {
        return println!("skipped: no access lists here");
    }
    assert_eq!(mode(lock.path()), 0o660);
    let message = refused(lock.path(), ErrorKind::Access);
    let command = message.split_once("run ").unwrap().1;
    assert!(Command::new("sh").args(["-c", command]).status().unwrap().success());
    assert!(lock.open().try_write().is_some());
}

#[test]
fn an_empty_file_of_this_user_gets_the_mode_of_a_new_lock() {
    for (empty, made) in [(0o644, 0o600), (0o664, 0o660), (0o666, 0o666), (0o600, 0o600)] {
        let lock = TestLock::at_path();
        fs::write(lock.path(), "").unwrap();
        set_mode(lock.path(), empty);
        drop(lock.open());
        assert_eq!(mode(lock.path()), made);
    }
}

// ---- links

#[test]
fn removing_a_symbolic_link_removes_the_lock_to_which_it_leads() {
    let lock = TestLock::at_path();
    drop(lock.open());
    let (link, chain) = (lock.file("link"), lock.file("chain"));
    symlink(lock.path(), &link).unwrap();
    symlink("link", &chain).unwrap();
    let child = lock.child();
    assert_eq!(remove(LockRef::Path(&chain)).unwrap_err().kind(), ErrorKind::Busy);
    child.end_by("exit");
    assert!(remove(LockRef::Path(&chain)).unwrap());
    assert!(!lock.path().exists());
    assert!(fs::read_link(&link).is_ok() && fs::read_link(&chain).is_ok());
    assert!(!remove(LockRef::Path(&chain)).unwrap());
}

#[test]
fn a_lock_is_created_through_an_own_link_and_opened_through_any_link() {
    let lock = TestLock::at_path();
    let link = lock.file("link");
    symlink("lock", &link).unwrap();
    drop(RwLock::open_path(&link).unwrap());
    assert!(fs::symlink_metadata(lock.path()).unwrap().is_file());
    if is_root() {
        lchown(&link, Some(SOMEBODY), None).unwrap();
        assert!(RwLock::open_path(&link).unwrap().try_write().is_some());
    }
}

#[test]
fn no_lock_is_created_through_a_link_of_another_user() {
    if !is_root() {
        return;
    }
    let lock = TestLock::at_path();
    let link = lock.file("link");
    symlink("lock", &link).unwrap();
    lchown(&link, Some(SOMEBODY), None).unwrap();
    let chain = lock.file("chain");
    symlink("link", &chain).unwrap();
    for content in [None, Some(vec![]), Some(b"PRWLOCK0".to_vec()), Some(vec![0; bytes_of(128)])] {
        if let Some(content) = &content {
            fs::write(lock.path(), content).unwrap();
        }
        for path in [&link, &chain] {
            let message = refused(path, ErrorKind::Access);
            assert!(message.contains("symbolic link of user 61219"), "{message}");
        }
        assert_eq!(fs::read(lock.path()).ok(), content);
    }
}

#[test]
fn a_file_of_another_user_is_not_initialized_through_a_link() {
    if !is_root() {
        return;
    }
    let lock = TestLock::at_path();
    fs::write(lock.path(), "").unwrap();
    set_mode(lock.path(), 0o600);
    chown(lock.path(), Some(SOMEBODY), None).unwrap();
    let link = lock.file("link");
    symlink("lock", &link).unwrap();
    let message = refused(&link, ErrorKind::Access);
    assert!(message.contains("file of user 61219"), "{message}");
    assert_eq!(fs::read(lock.path()).unwrap(), b"");
}

// ---- named locks

#[cfg(target_os = "linux")]
fn record_of(child: &Child, lock: &TestLock) -> (PathBuf, PathBuf) {
    child.hold("read");
    record_and_memory(lock)
}

#[cfg(target_os = "linux")]
#[test]
fn the_memory_of_a_named_lock_is_not_a_path_lock() {
    let lock = TestLock::named();
    let child = lock.child();
    let (record, memory) = record_of(&child, &lock);
    let copy = TestLock::at_path();
    for path in [&record, &memory, &copy.path().into()] {
        if path == copy.path() {
            fs::copy(&memory, path).unwrap();
        }
        let before = fs::read(path).unwrap();
        let message = refused(path, ErrorKind::Corrupt);
        assert!(path == &record || message.contains("by its name"), "{message}");
        assert!(remove(LockRef::Path(path)).is_err());
        assert_eq!(fs::read(path).unwrap(), before);
    }
    child.release();
    assert!(lock.open().try_write().is_some(), "and its users are left alone");
}

#[cfg(target_os = "linux")]
#[test]
fn memory_of_another_user_is_not_used() {
    if !is_root() {
        return;
    }
    let _unusable = with_unusable_memory();
    let lock = TestLock::named();
    let child = lock.child();
    let (_, memory) = record_of(&child, &lock);
    chown(&memory, Some(SOMEBODY), None).unwrap();
    // An attachment that has it open must not be left alone with it.
    let error = lock.open_with(&OpenOptions::new()).map(drop).unwrap_err();
    assert!(error.to_string().contains("belongs to user 61219"), "{error}");
    child.kill();
    let before = fs::read(&memory).unwrap();
    let own = lock.open();
    let _writing = own.write().unwrap();
    assert_eq!(fs::read(&memory).unwrap(), before, "a lock was made anew, in other memory");
    fs::remove_file(memory).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn memory_that_is_open_to_others_is_refused_with_a_remedy() {
    let _unusable = with_unusable_memory();
    let lock = TestLock::named();
    let child = lock.child();
    let (_, memory) = record_of(&child, &lock);
    set_mode(&memory, 0o666);
    let error = lock.open_with(&OpenOptions::new()).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Access);
    assert!(error.to_string().ends_with(&format!("chmod 600 {}", memory.display())), "{error}");
    set_mode(&memory, 0o600);
    assert!(lock.open().try_read().is_some());
}
