//! `fork` without `exec`: the child has a copy of everything, and must not get any of the parent's
//! holds.

use std::time::Duration;

use crate::helpers::{Child, Forked, TestLock, ms, timed, until};

/// In fact it takes milliseconds.
const SOON: Duration = Duration::from_secs(2);

const MODES: [&str; 3] = ["read", "upgradable", "write"];

/// A process that holds `lock`, and its forked child.
#[track_caller]
fn holder_and_forked(lock: &TestLock, mode: &str) -> (Child, Forked) {
    let holder = lock.child();
    holder.hold(mode);
    let forked = Forked::of(&holder);
    (holder, forked)
}

#[test]
fn a_forked_child_holds_nothing_and_releases_nothing() {
    for lock in TestLock::both_kinds() {
        for mode in MODES {
            let own = lock.open();
            let (holder, mut forked) = holder_and_forked(&lock, mode);
            for _ in 0..2 {
                for attempt in ["try_read", "try_write"] {
                    assert_eq!(forked.ask(attempt), "refused", "{attempt} under {mode}");
                }
                for wait in MODES.iter().flat_map(|mode| [mode.to_string(), format!("{mode} 1")]) {
                    assert_eq!(forked.ask(&wait), "Forked", "{wait} under {mode}");
                    assert_eq!(own.inspect().waiters, []);
                }
            }
            assert!(forked.ask("message").contains("was opened before this process was forked"));
            assert_eq!(forked.ask("holders"), "0");
            assert_eq!(forked.ask("release"), "ok");
            assert!(own.try_write().is_none(), "the child released the {mode} hold of its parent");
            assert_eq!(own.inspect().holders.len(), 1);
            // A lock that it opens later is its own.
            assert_eq!(forked.ask("close"), "ok");
            assert!(own.try_write().is_none(), "the child closed the {mode} hold of its parent");
            forked.kill();
            holder.release();
            assert!(own.try_write().is_some());
            assert_eq!(own.inspect().owner_died, None);
        }
    }
}

#[test]
fn an_upgrade_or_downgrade_in_a_forked_child_changes_nothing() {
    for lock in TestLock::both_kinds() {
        for (mode, change) in [("upgradable", "upgrade"), ("upgradable", "downgrade"), ("write", "downgrade")] {
            let own = lock.open();
            let (holder, mut forked) = holder_and_forked(&lock, mode);
            assert_eq!(forked.ask(change), "Forked");
            assert_eq!(own.inspect().holders[0].mode.name(), mode);
            assert_eq!(own.try_read().is_some(), mode == "upgradable");
            drop(forked);
            holder.release();
            assert!(own.try_write().is_some());
        }
    }
}

#[test]
fn the_parents_death_frees_what_it_held_although_its_forked_child_lives() {
    for lock in TestLock::both_kinds() {
        for mode in MODES {
            let own = lock.open();
            let (holder, mut forked) = holder_and_forked(&lock, mode);
            let waiter = lock.child();
            waiter.tell("write");
            until("it waits", || own.inspect().waiters.len() == 1);
            let dead = holder.pid();
            holder.kill();
            let (answer, took) = timed(|| waiter.answer());
            assert_eq!(answer, "granted");
            assert!(took < SOON, "it took {took:?}");
            assert_eq!(forked.ask("try_write"), "refused", "it lives");
            assert_eq!(waiter.ask("owner_died").starts_with(&format!("{dead} ")), mode == "write");
        }
    }
}

#[test]
fn a_forked_child_that_opens_the_lock_again_takes_part() {
    for lock in TestLock::both_kinds() {
        let own = lock.open();
        let (holder, mut forked) = holder_and_forked(&lock, "write");
        assert_eq!(forked.ask("open"), "ok");
        assert_eq!(forked.ask("try_read"), "refused");
        assert_eq!(forked.ask("write 1"), "Timeout");
        holder.release();
        assert_eq!(forked.ask("write"), "granted");
        let (pid, holders) = (forked.pid(), own.inspect().holders);
        assert_eq!(holders.iter().map(|holder| holder.pid).collect::<Vec<_>>(), [pid]);
        assert_eq!(holder.ask("try_read"), "refused");
        holder.tell("read");
        until("it waits", || own.inspect().waiters.len() == 1);
        forked.kill();
        assert_eq!(holder.answer(), "granted");
        assert!(holder.ask("owner_died").starts_with(&format!("{pid} ")));
    }
}

#[test]
fn a_process_can_be_forked_while_its_threads_use_the_lock() {
    for lock in TestLock::both_kinds() {
        assert_eq!(lock.child().ask("fork_often 60"), "0 failed");
    }
}

#[test]
fn a_thread_of_a_forked_child_gets_no_attachment_of_the_parents_handle() {
    for lock in TestLock::both_kinds() {
        let own = lock.open();
        let (holder, mut forked) = holder_and_forked(&lock, "read");
        assert_eq!(holder.ask("in_thread"), "true 1 granted");
        for _ in 0..2 {
            assert_eq!(forked.ask("in_thread"), "Forked");
            assert_eq!(own.inspect().holders.len(), 1);
        }
        assert_eq!(forked.ask("release"), "ok");
        assert_eq!(forked.ask("close"), "ok");
        assert_eq!(forked.ask("open"), "ok");
        assert_eq!(forked.ask("in_thread"), "true 1 granted");
        holder.release();
        assert!(own.try_write().is_some());
    }
}

#[test]
fn a_forked_child_sees_a_local_unset_and_does_not_drop_what_it_inherited() {
    let lock = TestLock::named();
    let holder = lock.child();
    assert_eq!(holder.ask("set_local 7"), "ok");
    let mut forked = Forked::of(&holder);
    assert_eq!(forked.ask("local"), "unset");
    assert_eq!(forked.ask("take_local"), "ok");
    assert_eq!(forked.ask("set_local 8"), "ok");
    assert_eq!(forked.ask("local"), "8");
    assert_eq!(forked.ask("local_drops"), "0");
    assert_eq!(forked.ask("take_local"), "ok");
    assert_eq!(forked.ask("local_drops"), "1");
    assert_eq!(holder.ask("local"), "7");
    assert_eq!(holder.ask("set_local 9"), "ok");
    assert_eq!(holder.ask("local_drops"), "1");
    // Another one, which sets it before it looks.
    let mut second = Forked::of(&holder);
    assert_eq!(second.ask("set_local 1"), "ok");
    assert_eq!((second.ask("local"), second.ask("local_drops")), ("1".into(), "1".into()));
}

/// The forked child has copies of the descriptors by which a death is reported.
#[cfg(target_os = "linux")]
#[test]
fn a_death_is_reported_once_although_a_forked_child_lives() {
    let lock = TestLock::named();
    let (waiter, holder) = (lock.child(), lock.child());
    holder.hold("write");
    // By then it has waited long enough to listen for the holder's death.
    let forked = lock.file("forked");
    assert_eq!(waiter.ask(&format!("fork_later {}", forked.display())), "ok");
    waiter.tell("write");
    until("it has forked", || forked.exists());
    holder.kill();
    assert_eq!(waiter.answer(), "granted");
    let used = || waiter.ask("processor_time").parse::<u64>().unwrap();
    let before = used();
    std::thread::sleep(ms(300));
    let used = used() - before;
    assert!(used < 100, "it used the processor for {used} ms of 300 without anything to do");
}
