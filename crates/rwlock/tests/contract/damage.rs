//! Files that are not locks, and memory that was modified externally: the result is an error, never
//! a hang and never a crash.

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
#[cfg(any(target_os = "linux", windows))]
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

use fastrand::Rng;
use process_rwlock::{Attachment, ErrorKind, HoldEnd, Mode, RwLock, WaitOptions, Watch, Watcher, now};

#[cfg(any(target_os = "linux", windows))]
use crate::helpers::records_and_memories;
use crate::helpers::{TEST_TIMEOUT, TestLock, ms, until};

/// The offsets of the header's fields and of the gate; see `layout.rs`.
const LAYOUT_HASH: usize = 8;
/// The hash of the layout with these offsets.
const HASH: u64 = 0xf7c4_2e59_bc5a_9d21;
const LAYOUT_VERSION: usize = 16;
const CAPACITY: usize = 20;
const BYTES: usize = 24;
const REMOVAL: usize = 312;
const GATE: usize = 384;
const READER_BITMAP: usize = 640;
const SLOTS: usize = 3328;
const SLOT: usize = 384;
/// Offsets within a slot.
const TOKEN: usize = 8;
const QUEUED: usize = 128;
const WAKE: usize = 136;
const SKIP_COUNT: usize = 156;
/// Gates that name slot 0.
const UPGRADABLE: u64 = 1;
const DRAINING: u64 = 2;
const UPGRADING: u64 = 3;
const WRITING: u64 = 4;
/// A gate with a mode that does not exist.
const NO_MODE: u64 = 0b111;

/// The bytes of a lock that is not open.
fn whole(lock: &TestLock) -> Vec<u8> {
    drop(lock.open());
    fs::read(lock.path()).unwrap()
}

#[test]
fn these_offsets_are_those_of_the_layout() {
    let hash = whole(&TestLock::at_path())[LAYOUT_HASH..][..8].try_into().unwrap();
    assert_eq!(u64::from_le_bytes(hash), HASH, "the layout has changed: update the offsets in {}", file!());
}

#[test]
fn files_that_are_not_locks_are_refused_and_not_changed() {
    let lock = TestLock::at_path();
    let whole = whole(&lock);
    let zeros = vec![0; 1 << 15];
    let with = |at: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[at] ^= byte;
        bytes
    };
    let cases: [(&str, &[u8], ErrorKind); 11] = [
        ("a text", b"a letter to Ada", ErrorKind::Corrupt),
        ("one byte", b"P", ErrorKind::Corrupt),
        ("zeros", &zeros, ErrorKind::Corrupt),
        ("cut off in the header", &whole[..100], ErrorKind::Corrupt),
        ("cut off in the slots", &whole[..whole.len() - 1], ErrorKind::Corrupt),
        ("cut off at a page", &whole[..4096], ErrorKind::Corrupt),
        ("another magic", &with(0, 1), ErrorKind::Corrupt),
        ("another layout version", &with(LAYOUT_VERSION, 2), ErrorKind::Incompatible),
        ("another layout", &with(LAYOUT_HASH, 1), ErrorKind::Incompatible),
        ("another capacity", &with(CAPACITY, 1), ErrorKind::Corrupt),
        ("another size", &with(BYTES, 1), ErrorKind::Corrupt),
    ];
    for (what, bytes, kind) in cases {
        fs::write(lock.path(), bytes).unwrap();
        let error = RwLock::open_path(lock.path()).map(drop).unwrap_err();
        assert_eq!(error.kind(), kind, "{what}: {error}");
        assert!(error.to_string().contains(&lock.path().display().to_string()), "{error}");
        assert!(lock.remove().is_err(), "{what}");
        assert_eq!(fs::read(lock.path()).unwrap(), bytes, "{what}");
    }
    // A longer file is not a lock either.
    fs::write(lock.path(), [&whole[..], b"more"].concat()).unwrap();
    assert_eq!(RwLock::open_path(lock.path()).map(drop).unwrap_err().kind(), ErrorKind::Corrupt);
    fs::write(lock.path(), whole).unwrap();
    assert!(lock.open().try_write().is_some());
}

#[test]
fn a_file_whose_creator_died_is_created_again() {
    let lock = TestLock::at_path();
    for unfinished in [&b"PRWLOCK0"[..], &[b"PRWLOCK0", &[0; 5000][..]].concat()] {
        fs::write(lock.path(), unfinished).unwrap();
        assert!(lock.open().try_write().is_some());
        fs::write(lock.path(), unfinished).unwrap();
        assert!(lock.remove().unwrap() && !lock.path().exists());
    }
}

#[test]
fn random_damage_ends_in_an_error_or_a_working_lock() {
    let lock = TestLock::at_path();
    let whole = whole(&lock);
    let mut random = Rng::with_seed(17);
    for round in 0..120 {
        let mut bytes = whole.clone();
        // A few bytes where it matters: header, gate, reader bitmap and the first slots.
        for _ in 0..=random.u64(..12) {
            let range = [0..CAPACITY + 4, GATE..GATE + 16, READER_BITMAP..READER_BITMAP + 8, SLOTS..SLOTS + 1024];
            let range = range[random.usize(..4)].clone();
            bytes[range.start + random.usize(..range.len())] = random.u8(..);
        }
        fs::write(lock.path(), &bytes).unwrap();
        let start = Instant::now();
        if let Ok(own) = RwLock::open_path(lock.path()) {
            let _ = own.inspect().holders_text();
            let _ = own.try_read().map(|guard| guard.owner_died());
            let _ = own.try_write().map(|guard| (guard.token(), guard.owner_died()));
            let _ = own.read_timeout(ms(20)).map(drop);
            let _ = own.upgradable_timeout(ms(20)).map(drop);
            let writes = own.write_timeout(ms(2000)).map(drop);
            // Whatever the damage, dead attachments do not block living ones.
            let error = writes.err().map(|error| error.kind());
            assert!(matches!(error, None | Some(ErrorKind::Corrupt)), "round {round}: {error:?}");
        }
        assert!(start.elapsed() < TEST_TIMEOUT / 3, "round {round} took {:?}", start.elapsed());
    }
    fs::write(lock.path(), &whole).unwrap();
}

/// Overwrites the gate while the lock is in use.
fn damage_gate(lock: &TestLock, gate: u64) {
    damage(lock, GATE, &gate.to_le_bytes());
}

fn damage(lock: &TestLock, offset: usize, bytes: &[u8]) {
    let mut file = OpenOptions::new().write(true).open(lock.path()).unwrap();
    file.seek(SeekFrom::Start(offset as u64)).unwrap();
    file.write_all(bytes).unwrap();
}

/// The value that commits the removal of the lock.
const REMOVED: u64 = 0b10;

#[test]
fn a_lock_in_use_is_not_removed_although_its_memory_says_that_it_is() {
    let lock = TestLock::at_path();
    let user = lock.child();
    user.hold("write");
    damage(&lock, REMOVAL, &REMOVED.to_le_bytes());
    assert_eq!(lock.remove().unwrap_err().kind(), ErrorKind::Busy);
    assert!(lock.path().exists(), "the file of a lock in use was removed");
    user.kill();
    assert!(lock.remove().unwrap());
}

#[cfg(any(target_os = "linux", windows))]
#[test]
fn a_named_lock_in_use_is_not_removed_although_its_memory_says_that_it_is() {
    let lock = TestLock::named();
    let user = lock.child();
    user.hold("write");
    let (_, memory) = record_and_memory(&lock);
    let mut file = OpenOptions::new().write(true).open(memory).unwrap();
    file.seek(SeekFrom::Start(REMOVAL as u64)).unwrap();
    file.write_all(&REMOVED.to_le_bytes()).unwrap();
    assert_eq!(lock.remove().unwrap_err().kind(), ErrorKind::Busy);
    user.kill();
    assert!(!lock.remove().unwrap(), "what was removed already is only deleted");
}

#[test]
fn every_acquisition_fails_if_the_gate_is_invalid() {
    for gate in [NO_MODE, u64::MAX] {
        let lock = TestLock::at_path();
        let own = lock.open();
        damage_gate(&lock, gate);
        assert!(own.try_read().is_none());
        assert!(own.try_write().is_none());
        for result in [own.read().map(drop), own.write().map(drop), own.upgradable().map(drop)] {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        }
        let _ = own.inspect();
    }
}

#[test]
fn waiters_and_the_holder_get_an_error_for_damage() {
    let lock = TestLock::at_path();
    let own = lock.open();
    let writing = own.write().unwrap();
    thread::scope(|scope| {
        let waits = scope.spawn(|| lock.open().read().map(drop));
        until("it waits", || own.inspect().waiters.len() == 1);
        damage_gate(&lock, u64::MAX);
        assert_eq!(waits.join().unwrap().unwrap_err().kind(), ErrorKind::Corrupt);
    });
    assert_eq!(writing.downgrade().map(drop).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn an_attachment_keeps_its_requests_when_the_memory_is_damaged() {
    let lock = TestLock::at_path();
    let own = lock.attach();
    damage_gate(&lock, NO_MODE);
    let request = own.request(Mode::Read, WaitOptions { deadline: u64::MAX, fairness: 0, in_turn: false });
    assert_eq!(own.poll(now()).unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(own.withdraw_all(), [request]);
    assert_eq!(own.take_settled(), []);
}

/// The record of a named lock, and the shared memory that it names.
#[cfg(any(target_os = "linux", windows))]
pub fn record_and_memory(lock: &TestLock) -> (PathBuf, PathBuf) {
    let (records, memories) = records_and_memories();
    // Each record has its own folder, except on Windows.
    let record = |path: PathBuf| if cfg!(windows) { path } else { path.join("record") };
    let records = fs::read_dir(records).unwrap().map(|entry| record(entry.unwrap().path()));
    let own = |path: &PathBuf| fs::read_to_string(path).is_ok_and(|text| text.ends_with(&format!("\n{}", lock.name())));
    let record = { records }.find(own).unwrap();
    let memory = fs::read_to_string(&record).unwrap().lines().nth(1).unwrap().to_owned();
    (record, memories.join(memory))
}

#[cfg(any(target_os = "linux", windows))]
#[test]
fn an_invalid_record_does_not_prevent_a_named_lock() {
    for text in ["", "not a record", "process-rwlock 1\n../../etc/passwd\nx", "process-rwlock 1\n\n", "\u{0}"] {
        let lock = TestLock::named();
        let child = lock.child();
        child.hold("read");
        let (record, memory) = record_and_memory(&lock);
        child.kill();
        fs::write(&record, text).unwrap();
        assert!(lock.open().try_write().is_some(), "{text:?}");
        fs::remove_file(memory).unwrap();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_named_lock_whose_memory_is_missing_is_created_again() {
    let lock = TestLock::named();
    let child = lock.child();
    child.hold("read");
    let (_, memory) = record_and_memory(&lock);
    fs::remove_file(memory).unwrap();
    // The users of the lock cannot be joined any more, and no second lock may be created.
    assert_eq!(lock.open_with(&Default::default()).map(drop).unwrap_err().kind(), ErrorKind::Corrupt);
    child.kill();
    assert!(lock.open().try_write().is_some());
}

/// Overwrites a word of a slot while the lock is in use.
fn damage_slot(lock: &TestLock, slot: usize, offset: usize, bytes: &[u8]) {
    damage(lock, SLOTS + slot * SLOT + offset, bytes);
}

#[test]
fn an_attachment_fails_if_the_gate_names_it_although_it_holds_nothing() {
    for gate in [UPGRADABLE, DRAINING, UPGRADING, WRITING] {
        let lock = TestLock::at_path();
        let own = lock.open(); // in slot 0
        damage_gate(&lock, gate);
        assert!(own.try_write().is_none());
        let error = own.write_timeout(ms(200)).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        let other = lock.open();
        drop(own);
        assert!(other.write_timeout(TEST_TIMEOUT).is_ok(), "his end is the end of it");
    }
}

#[test]
fn a_holder_fails_if_the_gate_gives_it_another_mode() {
    for gate in [UPGRADING, WRITING] {
        let lock = TestLock::at_path();
        let own = lock.attach(); // in slot 0
        assert!(own.try_upgradable());
        damage_gate(&lock, gate);
        own.request(Mode::Read, WaitOptions { deadline: u64::MAX, fairness: 0, in_turn: false });
        assert_eq!(own.poll(now()).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}

/// How long a phantom hold must last until it is reported.
const FOUND: std::time::Duration = ms(8000);

#[test]
fn a_waiter_fails_if_the_gate_names_an_idle_attachment() {
    for gate in [WRITING, UPGRADABLE] {
        let lock = TestLock::at_path();
        let idle = lock.child(); // in slot 0
        let own = lock.attach();
        damage_gate(&lock, gate);
        let options = |time: u64| WaitOptions { deadline: now() + time * 1_000_000, fairness: 0, in_turn: false };
        let start = Instant::now();
        assert_eq!(own.wait(Mode::Write, options(100), || false).unwrap_err().kind(), ErrorKind::Timeout);
        assert!(start.elapsed() < FOUND, "its timeout holds meanwhile");
        let error = own.wait(Mode::Write, options(60_000), || false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains(&idle.pid().to_string()), "{error}");
        assert!(start.elapsed() < FOUND, "{:?}", start.elapsed());
        let (waiter, _watch, rung) = watched(&lock, Mode::Upgradable);
        rung.recv_timeout(TEST_TIMEOUT).expect("it is told");
        assert_eq!(waiter.poll(now()).unwrap_err().kind(), ErrorKind::Corrupt);
        drop(idle);
        assert!(own.wait(Mode::Write, options(60_000), || false).is_ok(), "its end is the end of it");
    }
}

#[test]
fn a_long_hold_is_not_mistaken_for_damage() {
    for (mode, wanted) in [("write", Mode::Read), ("upgradable", Mode::Write)] {
        let lock = TestLock::at_path();
        let holder = lock.child();
        let own = lock.attach();
        let times_out = || {
            let options = WaitOptions { deadline: now() + 1_500_000_000, fairness: 0, in_turn: false };
            assert_eq!(own.wait(wanted, options, || false).unwrap_err().kind(), ErrorKind::Timeout, "{mode}");
        };
        holder.hold(mode);
        times_out();
        if mode == "write" {
            // Like a process that is stopped in the few instructions in which a hold begins or
            // ends.
            holder.stop();
            damage_slot(&lock, 0, TOKEN, &[0; 8]);
            times_out();
            holder.resume();
        }
    }
}

/// The process that skipped it stopped or died before it could record that.
#[test]
fn a_watched_upgrader_that_was_skipped_notices_it() {
    let lock = TestLock::at_path();
    let upgrader = lock.attach(); // in slot 0
    let reader = lock.attach();
    assert!(upgrader.try_upgradable() && reader.try_read());
    let (sender, rung) = channel();
    let mut watch = Watcher::new().watch(&upgrader, move || _ = sender.send(()));
    upgrader.request_upgrade(WaitOptions { deadline: u64::MAX, fairness: u64::MAX, in_turn: false }).unwrap();
    upgrader.poll(now()).unwrap();
    damage_gate(&lock, UPGRADABLE);
    reader.release_read();
    let start = Instant::now();
    while upgrader.exclusive() != Some(Mode::Write) {
        assert!(start.elapsed() < TEST_TIMEOUT);
        watch.begin(now(), u64::MAX).unwrap();
        rung.recv_timeout(TEST_TIMEOUT).expect("it is not forgotten");
        upgrader.poll(now()).unwrap();
    }
}

#[test]
fn a_watched_waiter_is_rung_for_a_gate_that_names_it_as_the_writer() {
    let lock = TestLock::at_path();
    let (waiter, _watch, rung) = {
        let holder = lock.attach(); // in slot 0
        assert!(holder.try_write());
        let watched = watched(&lock, Mode::Write); // in slot 1
        damage_gate(&lock, WRITING | 1 << 6);
        watched
    };
    rung.recv_timeout(TEST_TIMEOUT).expect("it is told");
    assert_eq!(waiter.poll(now()).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn a_wait_sleeps_whatever_its_wake_word_contains() {
    for word in [2_u32, 4, 0x8000_0000, 0xffff_fffe] {
        let lock = TestLock::at_path();
        let holder = lock.attach();
        assert!(holder.try_write());
        let waiter = lock.attach(); // in slot 1
        damage_slot(&lock, 1, WAKE, &word.to_le_bytes());
        let mut looks = 0;
        let count = || {
            looks += 1;
            false
        };
        let options = WaitOptions { deadline: now() + 300_000_000, fairness: u64::MAX, in_turn: false };
        assert_eq!(waiter.wait(Mode::Read, options, count).unwrap_err().kind(), ErrorKind::Timeout);
        assert!(looks < 300, "looked {looks} times in 300 ms");
    }
}

/// An attachment that waits for `mode` like Node does, and the channel on which it is notified.
fn watched(lock: &TestLock, mode: Mode) -> (Attachment, Watch, Receiver<()>) {
    let waiter = lock.attach();
    let (sender, rung) = channel();
    let mut watch = Watcher::new().watch(&waiter, move || _ = sender.send(()));
    waiter.request(mode, WaitOptions { deadline: u64::MAX, fairness: u64::MAX, in_turn: false });
    waiter.poll(now()).unwrap();
    watch.begin(now(), waiter.next_poll(now())).unwrap();
    (waiter, watch, rung)
}

#[test]
fn a_watcher_sleeps_whatever_a_wake_word_contains() {
    let lock = TestLock::at_path();
    let holder = lock.attach();
    assert!(holder.try_write());
    let _watched = watched(&lock, Mode::Write); // in slot 1
    let garbage = 0xffff_fffe_u32;
    damage_slot(&lock, 1, WAKE, &garbage.to_le_bytes());
    // The leftover bits would end every sleep immediately.
    until("it has taken the garbage away", || {
        let file = fs::read(lock.path()).unwrap();
        let word = &file[SLOTS + SLOT + WAKE..][..4];
        u32::from_le_bytes(word.try_into().unwrap()) & garbage == 0
    });
}

#[test]
fn a_watched_waiter_is_rung_for_an_invalid_gate_that_names_it() {
    let lock = TestLock::at_path();
    let other = lock.attach(); // in slot 0
    assert!(other.try_read());
    let (waiter, _watch, rung) = watched(&lock, Mode::Write);
    damage_gate(&lock, NO_MODE | 1 << 6);
    rung.recv_timeout(TEST_TIMEOUT).expect("it is told");
    assert_eq!(waiter.poll(now()).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn a_waiter_whose_queue_entry_was_overwritten_publishes_it_again() {
    // Nothing, another ticket, another request.
    for word in [0, 1 << 20 | 3, u64::MAX] {
        let lock = TestLock::at_path();
        let holder = lock.attach();
        assert!(holder.try_write());
        let (waiter, mut watch, rung) = watched(&lock, Mode::Write); // in slot 1
        damage_slot(&lock, 1, QUEUED, &u64::to_le_bytes(word));
        holder.release_exclusive(HoldEnd::Consistent).unwrap();
        let start = Instant::now();
        while waiter.exclusive().is_none() {
            rung.recv_timeout(TEST_TIMEOUT).expect("it is not forgotten");
            assert!(start.elapsed() < TEST_TIMEOUT);
            waiter.poll(now()).unwrap();
            watch.begin(now(), u64::MAX).unwrap();
        }
    }
}

#[test]
fn the_skip_grace_is_bounded_whatever_the_memory_contains() {
    let lock = TestLock::at_path();
    let [reader, drains, waits] = [lock.attach(), lock.attach(), lock.attach()];
    assert!(reader.try_read());
    drains.request(Mode::Write, WaitOptions { deadline: u64::MAX, fairness: 0, in_turn: false }); // in slot 1
    drains.poll(now()).unwrap();
    reader.release_read();
    damage_slot(&lock, 1, SKIP_COUNT, &u32::MAX.to_le_bytes());
    let deadline = now() + TEST_TIMEOUT.as_nanos() as u64;
    waits.wait(Mode::Read, WaitOptions { deadline, fairness: 0, in_turn: false }, || false).unwrap();
}
