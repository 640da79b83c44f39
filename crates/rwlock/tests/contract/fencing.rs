//! Fencing tokens grow, whatever happens to the lock.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

use process_rwlock::{HoldEnd, Mode};

use crate::helpers::TestLock;

#[test]
fn every_write_hold_gets_a_greater_token() {
    let lock = TestLock::named();
    let own = lock.open();
    let child = lock.child();
    let mut last = 0;
    let mut grows = |token: u64| {
        assert!(token > last, "{token} after {last}");
        last = token;
    };
    for _ in 0..3 {
        grows(own.write().unwrap().token());
        child.hold("write");
        grows(child.token());
        child.release();
        grows(own.upgradable().unwrap().upgrade(None).map_err(|(_, error)| error).unwrap().token());
        grows(own.read().unwrap().try_upgrade().map_err(drop).unwrap().token());
    }
}

#[test]
fn a_token_stays_the_same_for_the_whole_hold() {
    let lock = TestLock::named();
    let own = lock.open();
    let writing = own.write().unwrap();
    let token = writing.token();
    drop(lock.open());
    assert_eq!(writing.token(), token);
    drop(writing);
    assert_eq!(own.inspect().token, token);
}

#[test]
fn readers_see_the_token_of_the_last_write_hold() {
    let lock = TestLock::named();
    let (own, other) = (lock.attach(), lock.attach());
    assert!(own.try_write());
    let token = own.token();
    own.release_exclusive(HoldEnd::Consistent).unwrap();
    assert!(other.try_read());
    assert_eq!(other.token(), token);
    assert!(own.try_upgradable());
    assert_eq!((own.exclusive(), own.token()), (Some(Mode::Upgradable), token));
}

#[test]
fn tokens_grow_across_deaths() {
    for lock in TestLock::both_kinds() {
        let own = lock.open();
        let mut last = 0;
        for _ in 0..3 {
            let child = lock.child();
            child.hold("write");
            let token = child.token();
            child.kill();
            let own_token = own.write().unwrap().token();
            assert!(last < token && token < own_token, "{last}, {token}, {own_token}");
            last = own_token;
        }
    }
}

#[test]
fn tokens_grow_when_the_lock_is_created_again() {
    for lock in TestLock::both_kinds() {
        let mut last = 0;
        for _ in 0..5 {
            let token = lock.open().write().unwrap().token();
            assert!(token > last, "{token} after {last}");
            last = token;
            // The named lock was removed with its last user; remove the other one now.
            lock.remove().unwrap();
        }
    }
}

/// While one process creates the lock, others create it too, use it and remove it.
#[test]
fn tokens_grow_while_many_processes_create_the_lock_again() {
    for lock in TestLock::both_kinds() {
        let least = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let own = lock.open();
                        let before = least.load(SeqCst);
                        let token = own.write().unwrap().token();
                        assert!(token > before, "{token} after {before}");
                        least.fetch_max(token, SeqCst);
                        drop(own);
                        let _ = lock.remove();
                    }
                });
            }
        });
    }
}
