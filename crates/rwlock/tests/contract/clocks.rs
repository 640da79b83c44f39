//! Processes whose monotonic clocks differ, as those of containers with a time namespace of their own do: nobody compares another's
//! clock with his own.

use std::process::{Command, Stdio};

use process_rwlock::{Mode, WaitOptions, now};

use crate::kit::{Child, TestLock, until};

/// A child whose clock is so many seconds ahead; `None` where no such namespace can be made (it takes CAP_SYS_ADMIN).
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
fn a_queue_that_a_process_ahead_has_closed_stays_closed() {
    let lock = TestLock::named();
    let (holder, newcomer, leaver) = (lock.attach(), lock.attach(), lock.attach());
    let Some(ahead) = child_ahead(&lock, DAYS) else { return };
    assert!(holder.try_upgradable());
    ahead.tell("write");
    until("the queue is closed", || !skip_count(&newcomer));
    // Leaving the queue, he looks whether anybody needs it closed.
    let request = leaver.request(Mode::Upgradable, WaitOptions { deadline: u64::MAX, fairness: u64::MAX });
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
fn how_long_a_hold_or_a_wait_lasts_is_the_same_to_every_clock() {
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
    // And one whose clock is behind.
    let Some(behind) = child_ahead(&lock, -30) else { return };
    behind.hold("upgradable");
    let holds = own.inspect().holders[0].ms;
    assert!((1..20_000).contains(&holds), "{holds} ms");
}
