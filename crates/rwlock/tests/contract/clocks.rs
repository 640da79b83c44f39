//! Processes whose monotonic clocks differ, like those of containers with their own time namespace:
//! no process compares a time of another with its own clock.

use std::process::{Command, Stdio};

use process_rwlock::{Mode, WaitOptions, now};

use crate::helpers::{Child, TestLock, until};

/// A child whose clock is `seconds` ahead; `None` if such a namespace cannot be created (it needs
/// CAP_SYS_ADMIN).
fn child_ahead(lock: &TestLock, seconds: i64) -> Option<Child> {
    let shift = format!("--monotonic={seconds}");
    let under = ["unshare", "--time", &shift, "--fork", "--kill-child", "--"];
    let tried = Command::new(under[0]).args(&under[1..]).arg("true").stderr(Stdio::null()).status();
    if !tried.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no time namespace can be made here");
        return None;
    }
    let child = Child::under(&under, lock.reference());
    assert_eq!(child.ask("open fairness=0"), "ok");
    Some(child)
}

const DAYS: i64 = 1_000_000;

#[test]
fn a_queue_closed_by_an_earlier_waiter_stays_closed() {
    let lock = TestLock::named();
    let (holder, newcomer, leaver) = (lock.attach(), lock.attach(), lock.attach());
    let Some(ahead) = child_ahead(&lock, DAYS) else { return };
    assert!(holder.try_upgradable());
    ahead.tell("write");
    until("the queue is closed", || !skip_count(&newcomer));
    // An attachment that leaves the queue checks whether a waiter needs it closed.
    let request =
        leaver.request(Mode::Upgradable, WaitOptions { deadline: u64::MAX, fairness: u64::MAX, in_turn: false });
    leaver.poll(now()).unwrap();
    assert!(leaver.cancel(request));
    leaver.poll(now()).unwrap();
    assert!(!skip_count(&newcomer), "it was overtaken");
}

fn skip_count(reader: &process_rwlock::Attachment) -> bool {
    let granted = reader.try_read();
    reader.release_read();
    granted
}

#[test]
fn durations_of_holds_and_waits_are_the_same_in_every_time_namespace() {
    let lock = TestLock::named();
    let own = lock.open();
    let Some(ahead) = child_ahead(&lock, DAYS) else { return };
    let holding = own.upgradable().unwrap();
    let of_own: u64 = ahead.ask("longest").parse().unwrap();
    ahead.tell("upgradable");
    until("it waits", || own.inspect().waiters.len() == 1);
    let waits = own.inspect().waiters[0].ms;
    drop(holding);
    assert_eq!(ahead.answer(), "granted");
    let holds = own.inspect().holders[0].ms;
    for ms in [of_own, waits, holds] {
        assert!((1..60_000).contains(&ms), "{ms} ms");
    }
    ahead.release();
    // A child whose clock is behind.
    let Some(behind) = child_ahead(&lock, -30) else { return };
    behind.hold("upgradable");
    let holds = own.inspect().holders[0].ms;
    assert!((1..20_000).contains(&holds), "{holds} ms");
}
