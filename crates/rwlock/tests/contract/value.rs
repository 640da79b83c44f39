//! The value that lives with the lock.

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};

use process_rwlock::{ErrorKind, MAX_VALUE};

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
        let mut file = OpenOptions::new().write(true).open(lock.path()).unwrap();
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
