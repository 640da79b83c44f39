//! The order of grants: newcomers and the queue, nested reads, and stopped waiters.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use process_rwlock::{ErrorKind, OpenOptions};

use crate::helpers::{Child, TestLock, is_emulated, ms, timed, until};

#[test]
fn a_nested_read_is_granted_despite_a_queued_writer_of_another_process() {
    let lock = TestLock::named();
    let own = lock.open();
    let writer = lock.child();
    let outer = own.read().unwrap();
    writer.tell("write");
    until("the writer keeps readers out", || lock.open().try_read().is_none());
    let inner = own.read().unwrap();
    drop(outer);
    assert_eq!(writer.answer_within(ms(50)), None, "the nested hold is one by itself");
    drop(inner);
    assert_eq!(writer.answer(), "granted");
}

#[test]
fn a_nested_read_is_granted_although_the_queue_is_closed() {
    let lock = TestLock::named();
    let own = lock.open();
    let (upgradable, writer) = (lock.child(), lock.child());
    upgradable.hold("upgradable");
    let _outer = own.read().unwrap();
    writer.tell("write");
    until("the queue is closed", || lock.open().try_read().is_none());
    let _inner = own.read().unwrap();
}

#[test]
fn waiters_are_granted_in_queue_order() {
    if is_emulated() {
        return;
    }
    let lock = TestLock::named();
    let own = lock.open();
    let holding = own.write().unwrap();
    let waiters: Vec<_> = (0..4).map(|_| lock.child()).collect();
    for (index, waiter) in waiters.iter().enumerate() {
        waiter.tell("write");
        until("it waits", || own.inspect().waiters.len() == index + 1);
    }
    let order: Vec<_> = own.inspect().waiters.iter().map(|waiter| waiter.pid).collect();
    assert_eq!(order, waiters.iter().map(Child::pid).collect::<Vec<_>>());
    drop(holding);
    for (index, waiter) in waiters.iter().enumerate() {
        assert_eq!(waiter.answer(), "granted");
        assert_eq!(own.inspect().waiters.len(), 3 - index);
        waiter.release();
    }
}

#[test]
fn adjacent_readers_in_the_queue_are_granted_together() {
    if is_emulated() {
        return;
    }
    let lock = TestLock::named();
    let own = lock.open();
    let holding = own.write().unwrap();
    let waiters: Vec<_> = (0..5).map(|_| lock.child()).collect();
    for (index, (waiter, mode)) in waiters.iter().zip(["read", "read", "write", "read", "read"]).enumerate() {
        waiter.tell(mode);
        until("it waits", || own.inspect().waiters.len() == index + 1);
    }
    drop(holding);
    assert_eq!((waiters[0].answer(), waiters[1].answer()), ("granted".into(), "granted".into()));
    assert_eq!(waiters[2].answer_within(ms(20)), None);
    waiters[..2].iter().for_each(Child::release);
    assert_eq!(waiters[2].answer(), "granted");
    waiters[2].release();
    assert_eq!((waiters[3].answer(), waiters[4].answer()), ("granted".into(), "granted".into()));
}

#[test]
fn newcomers_overtake_only_within_the_fairness() {
    // A minute has not passed, however slow the machine is.
    for (fairness, overtakes) in [(60_000, true), (0, false)] {
        let lock = TestLock::named();
        let own = lock.open_with(&OpenOptions::new().fairness(ms(fairness))).unwrap();
        let newcomer = lock.open();
        let waiter = Child::new(lock.reference());
        assert_eq!(waiter.ask(&format!("open fairness={fairness}")), "ok");
        let holding = own.write().unwrap();
        waiter.tell("write");
        until("it waits", || own.inspect().waiters.len() == 1);
        // The thread polls at least twice before it sleeps. When stopped, it cannot take the lock
        // when that becomes free.
        thread::sleep(ms(5));
        waiter.stop();
        drop(holding);
        assert_eq!(newcomer.try_write().is_some(), overtakes, "fairness {fairness} ms");
        waiter.resume();
        assert_eq!(waiter.answer(), "granted");
    }
}

#[test]
fn a_first_waiter_that_is_stopped_does_not_keep_the_queue_open() {
    let lock = TestLock::named();
    let own = lock.open();
    let newcomer = lock.open();
    // It would close the queue after a minute, and is stopped.
    let (first, second) = (Child::new(lock.reference()), Child::new(lock.reference()));
    assert_eq!(first.ask("open fairness=60000"), "ok");
    assert_eq!(second.ask("open fairness=0"), "ok");
    let holding = own.write().unwrap();
    first.tell("write");
    until("it waits", || own.inspect().waiters.len() == 1);
    thread::sleep(ms(5));
    first.stop();
    second.tell("write");
    until("it waits too", || own.inspect().waiters.len() == 2);
    thread::sleep(ms(5));
    drop(holding);
    let overtaken = newcomer.try_write().is_some();
    assert_eq!(second.answer(), "granted");
    second.release();
    first.resume();
    assert_eq!(first.answer(), "granted");
    assert!(!overtaken, "the second has waited for longer than its fairness");
}

#[test]
fn returning_readers_do_not_starve_a_writer() {
    let lock = TestLock::named();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let own = lock.open();
                while !over.load(SeqCst) {
                    let _reading = own.read().unwrap();
                    thread::sleep(ms(2));
                }
            });
        }
        let own = lock.open();
        until("somebody reads", || own.try_write().is_none());
        let ((), took) = timed(|| (0..5).for_each(|_| drop(own.write().unwrap())));
        over.store(true, SeqCst);
        assert!(took < Duration::from_secs(3), "five write holds took {took:?}");
    });
}

#[test]
fn returning_writers_do_not_starve_a_reader() {
    let lock = TestLock::named();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let own = lock.open();
                while !over.load(SeqCst) {
                    let _writing = own.write().unwrap();
                    thread::sleep(ms(2));
                }
            });
        }
        let own = lock.open();
        until("somebody writes", || own.try_read().is_none());
        let ((), took) = timed(|| (0..5).for_each(|_| drop(own.read().unwrap())));
        over.store(true, SeqCst);
        assert!(took < Duration::from_secs(3), "five read holds took {took:?}");
    });
}

#[test]
fn a_stopped_first_waiter_is_skipped_and_takes_its_turn_when_it_continues() {
    for mode in ["read", "write", "upgradable"] {
        let lock = TestLock::named();
        let own = lock.open();
        let (stopped, next) = (lock.child(), lock.child());
        let holding = own.write().unwrap();
        stopped.tell(mode);
        until("the first waits", || own.inspect().waiters.len() == 1);
        stopped.stop();
        next.tell("write");
        until("the second waits", || own.inspect().waiters.len() == 2);
        drop(holding);
        assert_eq!(next.answer(), "granted", "behind a stopped {mode}");
        stopped.resume();
        next.release();
        assert_eq!(stopped.answer(), "granted");
    }
}

#[test]
fn a_stopped_waiter_does_not_refuse_tries_forever() {
    let lock = TestLock::named();
    let own = lock.open();
    let stopped = lock.child();
    let holding = own.write().unwrap();
    stopped.tell("write");
    until("it waits", || own.inspect().waiters.len() == 1);
    thread::sleep(ms(5)); // the queue closes
    stopped.stop();
    drop(holding);
    for _ in 0..3 {
        until("a read is granted", || own.try_read().is_some());
        until("a write is granted", || own.try_write().is_some());
    }
    stopped.resume();
    assert_eq!(stopped.answer(), "granted");
}

#[test]
fn a_stopped_holder_keeps_the_lock() {
    let lock = TestLock::named();
    let own = lock.open();
    let child = lock.child();
    for mode in ["read", "write", "upgradable"] {
        child.hold(mode);
        child.stop();
        let error = own.write_timeout(ms(300)).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        child.resume();
        child.release();
        assert!(own.write_timeout(ms(300)).is_ok(), "after {mode}");
    }
}

#[test]
fn a_writer_stopped_while_it_waits_for_readers_is_skipped_too() {
    for upgrade in [false, true] {
        let lock = TestLock::named();
        let own = lock.open();
        let (stopped, next) = (lock.child(), lock.child());
        let reading = own.read().unwrap();
        if upgrade {
            stopped.hold("upgradable");
        }
        stopped.tell(if upgrade { "upgrade" } else { "write" });
        until("the writer keeps readers out", || lock.open().try_read().is_none());
        stopped.stop();
        next.tell("read");
        until("the next waits", || own.inspect().waiters.len() == 2);
        drop(reading);
        assert_eq!(next.answer(), "granted");
        stopped.resume();
        assert_eq!(stopped.answer_within(ms(50)), None);
        next.release();
        assert_eq!(stopped.answer(), "granted");
    }
}
