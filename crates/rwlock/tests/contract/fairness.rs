//! The order of grants: newcomers and the queue, nested reads, and stopped waiters.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use process_rwlock::{ErrorKind, OpenOptions};

use crate::helpers::{Child, TEST_TIMEOUT, TestLock, is_emulated, ms, timed, until};

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

/// A waiter that does not come within 5 ms is skipped, which can happen to any process of a busy
/// machine. So a test of the order may take several attempts. With another order than that of the
/// queue it would hardly ever succeed.
pub fn attempts(mut is_in_order: impl FnMut() -> bool) {
    assert!(is_emulated() || (0..12).any(|_| is_in_order()), "never in the order of the queue");
}

/// Up to `count` of the children, in the order in which they are granted within `time`.
pub fn granted(waiters: &[Child], count: usize, time: Duration) -> Vec<usize> {
    let end = Instant::now() + time;
    let mut granted = Vec::new();
    while granted.len() < count && Instant::now() < end {
        for (index, waiter) in waiters.iter().enumerate() {
            if let Some(answer) = waiter.answer_within(ms(0)) {
                assert_eq!(answer, "granted");
                granted.push(index);
            }
        }
        thread::sleep(ms(1));
    }
    granted
}

#[test]
fn waiters_are_granted_in_queue_order() {
    let lock = TestLock::named();
    let own = lock.open();
    let waiters: Vec<_> = (0..4).map(|_| lock.child()).collect();
    attempts(|| {
        let holding = own.write().unwrap();
        for (index, waiter) in waiters.iter().enumerate() {
            waiter.tell("write");
            until("it waits", || own.inspect().waiters.len() == index + 1);
        }
        let order: Vec<_> = own.inspect().waiters.iter().map(|waiter| waiter.pid).collect();
        assert_eq!(order, waiters.iter().map(Child::pid).collect::<Vec<_>>());
        drop(holding);
        let mut order = Vec::new();
        for left in (0..waiters.len()).rev() {
            let next = granted(&waiters, 1, TEST_TIMEOUT);
            assert_eq!(own.inspect().waiters.len(), left, "{next:?} of them was granted");
            waiters[next[0]].release();
            order.extend(next);
        }
        order == [0, 1, 2, 3]
    });
}

#[test]
fn adjacent_readers_in_the_queue_are_granted_together() {
    let lock = TestLock::named();
    let own = lock.open();
    let waiters: Vec<_> = (0..5).map(|_| lock.child()).collect();
    attempts(|| {
        let holding = own.write().unwrap();
        for (index, (waiter, mode)) in waiters.iter().zip(["read", "read", "write", "read", "read"]).enumerate() {
            waiter.tell(mode);
            until("it waits", || own.inspect().waiters.len() == index + 1);
        }
        drop(holding);
        let groups = [2, 1, 2].map(|count| {
            let mut group = granted(&waiters, count, ms(1000));
            group.extend(granted(&waiters, 1, ms(20)));
            group.sort_unstable();
            group.iter().for_each(|&index| waiters[index].release());
            group
        });
        for _ in groups.iter().flatten().count()..waiters.len() {
            let next = granted(&waiters, 1, TEST_TIMEOUT);
            waiters[*next.first().expect("each is granted at some time")].release();
        }
        groups == [vec![0, 1], vec![2], vec![3, 4]]
    });
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
