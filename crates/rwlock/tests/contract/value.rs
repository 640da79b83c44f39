//! The value that lives with the lock.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use process_rwlock::{ErrorKind, MAX_VALUE, OpenOptions};

#[cfg(unix)]
use crate::helpers::Forked;
use crate::helpers::TestLock;

/// `layout.rs` defines it.
const STAMP: u64 = 1152;

fn text(value: Option<Vec<u8>>) -> String {
    value.map_or("none".into(), |value| String::from_utf8(value).unwrap())
}

#[test]
fn every_process_finds_what_the_last_writer_set() {
    for lock in TestLock::both_kinds() {
        let (own, child) = (lock.open(), lock.child());
        assert_eq!(own.value(), None);
        child.hold("write");
        assert_eq!(child.ask("value"), "none");
        assert_eq!(child.ask("set_value first"), "ok");
        assert_eq!(text(own.value()), "first"); // during the hold
        assert_eq!(text(own.inspect().value), "first");
        assert_eq!(child.ask("set_value second"), "ok");
        assert_eq!(child.ask("value"), "second");
        child.release();
        assert_eq!(text(own.read().unwrap().value()), "second");
        assert_eq!(text(own.upgradable().unwrap().value()), "second");
        let writer = own.write().unwrap();
        assert_eq!(text(writer.value()), "second");
        writer.set_value(None).unwrap();
        assert_eq!(child.ask("value"), "none");
    }
}

#[test]
fn a_snapshot_says_which_write_hold_set_it() {
    for lock in TestLock::both_kinds() {
        let (own, child) = (lock.open(), lock.child());
        assert_eq!(own.inspect().value_token, None);
        child.hold("write");
        assert_eq!(child.ask("set_value first"), "ok");
        let first = own.inspect();
        assert_eq!(first.value_token, Some(first.token));
        child.release();
        let writer = own.write().unwrap();
        let seen = own.inspect();
        assert_eq!((seen.token, seen.value_token), (writer.token(), Some(first.token)));
        writer.set_value(Some(b"second")).unwrap();
        assert_eq!(own.inspect().value_token, Some(writer.token()));
        writer.set_value(None).unwrap();
        assert_eq!(own.inspect().value_token, None);
    }
}

/// Writers come and go, and each sets its label, or nothing.
#[test]
fn a_snapshot_never_shows_a_writer_with_the_value_of_another() {
    let lock = TestLock::named();
    let own = lock.open();
    let over = AtomicBool::new(false);
    let (mut found, mut wrong) = ([0; 2], None);
    thread::scope(|scope| {
        for label in ["one", "two"] {
            let (lock, over) = (&lock, &over);
            scope.spawn(move || {
                let writer = OpenOptions::new().label(label).open(lock.name()).unwrap();
                for turn in 0.. {
                    let guard = writer.write().unwrap();
                    if turn % 3 != 0 {
                        guard.set_value(Some(label.as_bytes())).unwrap();
                    }
                    if over.load(Relaxed) {
                        break;
                    }
                }
            });
        }
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(10) && (found[0] < 500 || found[1] < 500) {
            let seen = own.inspect();
            let Some(writer) = seen.holders.first() else { continue };
            if seen.value_token != Some(seen.token) {
                continue;
            }
            let value = text(seen.value);
            if value != writer.label {
                wrong = Some(format!("'{}' with the value '{value}'", writer.label));
                break;
            }
            found[usize::from(value == "one")] += 1;
        }
        over.store(true, Relaxed);
    });
    assert_eq!(wrong, None);
    assert!(found.iter().all(|&times| times > 0), "{found:?}");
}

#[test]
fn it_has_0_to_1024_bytes() {
    let lock = TestLock::named();
    let own = lock.open();
    let writer = own.write().unwrap();
    for length in [MAX_VALUE, 0, 1] {
        let value = vec![7; length];
        writer.set_value(Some(&value)).unwrap();
        assert_eq!(own.value(), Some(value));
    }
    let error = writer.set_value(Some(&[0; MAX_VALUE + 1])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("at most 1024 bytes, not 1025"), "{error}");
    assert_eq!(own.value(), Some(vec![7]));
}

#[test]
fn only_a_write_hold_sets_it() {
    let lock = TestLock::named();
    let own = lock.attach();
    let fails = |hold: &str| {
        let error = own.set_value(Some(b"no")).unwrap_err();
        assert_eq!((error.kind(), error.kind().code()), (ErrorKind::Mode, "ERR_LOCK_MODE"), "{hold}");
        assert_eq!(own.value(), None);
    };
    fails("none");
    assert!(own.try_read());
    fails("read");
    own.release_read();
    assert!(own.try_upgradable());
    fails("upgradable");
    assert!(own.try_upgrade());
    own.set_value(Some(b"yes")).unwrap();
    own.downgrade_to_upgradable().unwrap();
    assert!(own.set_value(Some(b"no")).is_err());
    assert_eq!(text(own.value()), "yes");
}

#[test]
fn a_killed_writer_leaves_a_whole_value() {
    for lock in TestLock::both_kinds() {
        let own = lock.open();
        for _ in 0..20 {
            let child = lock.child();
            child.hold("write");
            assert_eq!(child.ask("set_values"), "begun");
            let mut seen = 0;
            while seen < 200 {
                if let Some(value) = own.value() {
                    assert!(!value.is_empty() && value.iter().all(|byte| *byte == value[0]), "{value:?}");
                    seen += 1;
                }
            }
            child.kill();
            let reader = own.read().unwrap();
            assert!(reader.owner_died().is_some());
            let value = reader.value().unwrap();
            assert!(value.iter().all(|byte| *byte == value[0]), "{value:?}");
            assert_eq!(own.value(), Some(value));
            drop(reader);
            let writer = own.write().unwrap();
            writer.set_value(None).unwrap();
            assert_eq!(writer.value(), None);
        }
    }
}

#[test]
fn it_stays_in_a_file_and_ends_with_shared_memory() {
    for (lock, later) in TestLock::both_kinds().into_iter().zip(["none", "kept"]) {
        let own = lock.open();
        own.write().unwrap().set_value(Some(b"kept")).unwrap();
        drop(own);
        assert_eq!(text(lock.open().value()), later);
        assert!(lock.remove().unwrap() || later == "none");
        assert_eq!(lock.open().value(), None);
    }
}

/// The stamp in the file is newer than both buffers, or impossible.
#[test]
fn a_damaged_value_is_the_one_before_or_none() {
    let lock = TestLock::at_path();
    let own = lock.open();
    let writer = own.write().unwrap();
    writer.set_value(Some(b"before")).unwrap();
    writer.set_value(Some(b"after")).unwrap();
    drop(writer);
    drop(own);
    let bytes = fs::read(lock.path()).unwrap();
    let flip = |offset: usize| {
        let mut file = File::options().write(true).open(lock.path()).unwrap();
        file.seek(SeekFrom::Start(offset as u64)).unwrap();
        file.write_all(&[bytes[offset] ^ 1]).unwrap();
    };
    let find = |text: &[u8]| bytes.windows(text.len()).position(|window| window == text).unwrap();
    flip(find(b"after"));
    assert_eq!(text(lock.open().value()), "before");
    flip(find(b"before"));
    assert_eq!(lock.open().value(), None);
    flip(STAMP as usize + 1); // the length
    let own = lock.open();
    assert_eq!(own.value(), None);
    own.write().unwrap().set_value(Some(b"anew")).unwrap();
    assert_eq!(text(own.value()), "anew");
}

#[cfg(unix)]
#[test]
fn a_forked_child_neither_finds_nor_sets_it() {
    for lock in TestLock::both_kinds() {
        let (own, child) = (lock.open(), lock.child());
        child.hold("write");
        assert_eq!(child.ask("set_value parent"), "ok");
        let mut forked = Forked::of(&child);
        assert_eq!(forked.ask("value"), "none");
        assert_eq!(forked.ask("set_value child"), "Forked");
        assert_eq!(text(own.value()), "parent");
        forked.kill();
        assert_eq!(child.ask("set_value again"), "ok");
        assert_eq!(text(own.value()), "again");
    }
}
