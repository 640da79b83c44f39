//! Processes that die at the worst moment, and what other processes notice.
//!
//! No test inspects the lock between a death and its expected effect, because inspecting repairs
//! the lock too.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use process_rwlock::{HoldEnd, OwnerDied};

use crate::helpers::{Child, TestLock, timed, until};

/// In fact it takes milliseconds, of which the kernel needs some to end the process.
const SOON: Duration = Duration::from_secs(2);

/// Checks that `waiter` is granted its request soon.
#[track_caller]
fn comes_soon(waiter: &Child) {
    let (answer, took) = timed(|| waiter.answer());
    assert_eq!(answer, "granted");
    assert!(took < SOON, "it took {took:?}");
}

fn died(child_pid: u32, label: &str, token: u64) -> String {
    format!("{child_pid} '{label}' {token}")
}

fn pid_and_token(died: Option<OwnerDied>) -> Option<(u32, u64)> {
    died.map(|died| (died.pid, died.token))
}

#[test]
fn a_killed_reader_does_not_block_and_is_not_reported() {
    for lock in TestLock::both_kinds() {
        let own = lock.open();
        let (reader, writer) = (lock.child(), lock.child());
        reader.hold("read");
        writer.tell("write");
        until("it waits", || own.inspect().waiters.len() == 1);
        reader.kill();
        comes_soon(&writer);
        assert_eq!(writer.ask("owner_died"), "nobody");
    }
}

/// Without a free descriptor there is no exit notice, so the periodic check must find the death.
#[cfg(target_os = "linux")]
#[test]
fn an_exit_notice_precedes_the_periodic_check_which_finds_unnotified_deaths() {
    use std::thread::sleep;

    use crate::helpers::ms;

    for (mode, other) in [("write", "read"), ("read", "write")] {
        let lock = TestLock::named();
        let own = lock.open();
        let waiters = [lock.child(), lock.child()];
        assert_eq!(waiters[1].ask("no_more_descriptors"), "ok");
        let (mut times, mut round) = ([vec![], vec![]], 0);
        // A busy machine delays both, so that it takes more rounds to see the difference.
        for rounds in [30, 60, 120, 240] {
            while round < rounds {
                let (waiter, times) = (&waiters[round % 2], &mut times[round % 2]);
                let holder = lock.child();
                holder.hold(mode);
                waiter.tell(other);
                until("it waits", || own.inspect().waiters.len() == 1 || own.inspect().holders.len() == 2);
                sleep(ms(20 + round as u64 % 7)); // longer than a wait for which no exit notice is requested
                holder.kill();
                times.push(timed(|| comes_soon(waiter)).1);
                waiter.release();
                round += 1;
            }
            if are_less(&times[0], &times[1]) {
                break;
            }
        }
        let [told, found] = times;
        assert!(are_less(&told, &found), "{told:?} against {found:?}, after the end of a {mode} hold");
    }
}

/// Whether the first ones are less than the others, more often than by chance (once in a thousand
/// times): the rank-sum test of Mann and Whitney.
#[cfg(target_os = "linux")]
fn are_less(first: &[Duration], others: &[Duration]) -> bool {
    let less: usize = first.iter().map(|one| others.iter().filter(|other| one < *other).count()).sum();
    let (pairs, all) = ((first.len() * others.len()) as f64, (first.len() + others.len()) as f64);
    let deviation = ((all + 1.0) / (12.0 * pairs)).sqrt();
    less as f64 / pairs > 0.5 + 3.0 * deviation
}

#[test]
fn a_killed_writer_does_not_block_and_is_reported_until_a_write_hold_ends() {
    for lock in TestLock::both_kinds() {
        let own = lock.open();
        let writer = Child::new(lock.reference());
        assert_eq!(writer.ask("open label=rebuild"), "ok");
        writer.hold("write");
        let expected = died(writer.pid(), "rebuild", writer.token());
        let (reader, upgradable, next) = (lock.child(), lock.child(), lock.child());
        reader.tell("read");
        until("it waits", || own.inspect().waiters.len() == 1);
        writer.kill();
        comes_soon(&reader);
        assert_eq!(reader.ask("owner_died"), expected);
        upgradable.hold("upgradable");
        assert_eq!(upgradable.ask("owner_died"), expected);
        reader.release();
        upgradable.release();
        next.hold("write");
        assert_eq!(next.ask("owner_died"), expected);
        assert!(next.token() > own.inspect().owner_died.unwrap().token);
        next.release();
        reader.hold("read");
        assert_eq!(reader.ask("owner_died"), "nobody");
        assert_eq!(own.inspect().owner_died, None);
    }
}

#[test]
fn a_killed_upgradable_holder_does_not_block_and_is_not_reported() {
    let lock = TestLock::named();
    let own = lock.open();
    let (holder, writer) = (lock.child(), lock.child());
    holder.hold("upgradable");
    writer.tell("write");
    until("it waits", || own.inspect().waiters.len() == 1);
    holder.kill();
    comes_soon(&writer);
    assert_eq!(writer.ask("owner_died"), "nobody");
}

#[test]
fn a_killed_waiter_does_not_block_later_waiters() {
    for mode in ["read", "write", "upgradable"] {
        let lock = TestLock::named();
        let own = lock.open();
        let (waiter, next) = (lock.child(), lock.child());
        let holding = own.write().unwrap();
        waiter.tell(mode);
        until("the first waits", || own.inspect().waiters.len() == 1);
        next.tell("write");
        until("the second waits", || own.inspect().waiters.len() == 2);
        waiter.kill();
        drop(holding);
        comes_soon(&next);
        assert_eq!(next.ask("owner_died"), "nobody", "a waiter changed nothing");
    }
}

#[test]
fn a_writer_killed_while_it_waits_for_readers_does_not_block() {
    for waiting in ["read", "write"] {
        let lock = TestLock::named();
        let own = lock.open();
        let (writer, next) = (lock.child(), lock.child());
        let reading = own.read().unwrap();
        writer.tell("write");
        until("the writer keeps readers out", || lock.open().try_read().is_none());
        next.tell(waiting);
        until("the next waits", || own.inspect().waiters.len() == 2);
        writer.kill();
        if waiting == "write" {
            drop(reading);
        }
        comes_soon(&next);
        assert_eq!(next.ask("owner_died"), "nobody", "it had not begun to write");
    }
}

#[test]
fn an_upgrader_killed_while_it_waits_for_readers_does_not_block() {
    let lock = TestLock::named();
    let own = lock.open();
    let (upgrader, next) = (lock.child(), lock.child());
    let _reading = own.read().unwrap();
    upgrader.hold("upgradable");
    upgrader.tell("upgrade");
    until("readers stay out", || lock.open().try_read().is_none());
    next.tell("upgradable");
    until("the next waits", || own.inspect().waiters.len() == 2);
    upgrader.kill();
    comes_soon(&next);
    assert_eq!(next.ask("owner_died"), "nobody", "it had not begun to write");
}

#[test]
fn a_holder_killed_after_its_upgrade_is_reported() {
    let lock = TestLock::named();
    let own = lock.open();
    let child = lock.child();
    child.hold("upgradable");
    child.hold("upgrade");
    let (pid, token) = (child.pid(), child.token());
    child.kill();
    let reading = own.read().unwrap();
    assert_eq!(pid_and_token(reading.owner_died()), Some((pid, token)));
}

#[test]
fn a_holder_killed_after_its_downgrade_is_not_reported() {
    for downgrade in ["write", "upgradable"] {
        let lock = TestLock::named();
        let own = lock.open();
        let child = lock.child();
        child.hold(downgrade);
        assert_eq!(child.ask("downgrade"), "ok");
        child.kill();
        assert_eq!(own.write().unwrap().owner_died(), None);
    }
}

#[test]
fn any_process_exit_inside_a_write_hold_is_reported_as_a_death() {
    for end in ["exit", "abort"] {
        let lock = TestLock::named();
        let own = lock.open();
        let child = lock.child();
        child.hold("write");
        let (pid, token) = (child.pid(), child.token());
        child.end_by(end);
        assert_eq!(pid_and_token(own.read().unwrap().owner_died()), Some((pid, token)), "{end}");
    }
}

#[test]
fn a_second_death_replaces_the_first() {
    for lock in TestLock::both_kinds() {
        let own = lock.open();
        let (first, second) = (lock.child(), lock.child());
        first.hold("write");
        let told = died(first.pid(), "", first.token());
        first.kill();
        second.hold("write");
        assert_eq!(second.ask("owner_died"), told);
        let expected = (second.pid(), second.token());
        second.kill();
        let reading = own.read().unwrap();
        assert_eq!(pid_and_token(reading.owner_died()), Some(expected));
    }
}

#[test]
fn a_writer_that_panics_does_not_clear_the_poison() {
    let lock = TestLock::named();
    let own = lock.open();
    let child = lock.child();
    child.hold("write");
    child.kill();
    catch_unwind(AssertUnwindSafe(|| {
        let _writing = own.write().unwrap();
        panic!("before the repair was done");
    }))
    .unwrap_err();
    assert!(own.write().unwrap().owner_died().is_some());
    assert_eq!(own.write().unwrap().owner_died(), None);
}

#[test]
fn an_upgradable_hold_that_never_wrote_does_not_clear_the_poison() {
    let lock = TestLock::named();
    let own = lock.open();
    let child = lock.child();
    child.hold("write");
    child.kill();
    drop(own.upgradable().unwrap());
    let upgradable = own.upgradable().unwrap();
    assert!(upgradable.owner_died().is_some());
    drop(upgradable.upgrade(None).map_err(|(_, error)| error).unwrap());
    assert_eq!(own.read().unwrap().owner_died(), None);
}

#[test]
fn a_downgrade_clears_the_poison_like_a_release() {
    for to_upgradable in [false, true] {
        let lock = TestLock::named();
        let own = lock.open();
        let child = lock.child();
        child.hold("write");
        child.kill();
        let writing = own.write().unwrap();
        assert!(writing.owner_died().is_some());
        if to_upgradable {
            assert_eq!(writing.downgrade_to_upgradable().unwrap().owner_died(), None);
        } else {
            assert_eq!(writing.downgrade().unwrap().owner_died(), None);
        }
    }
}

#[test]
fn an_abandoned_write_hold_is_reported_like_a_death() {
    let lock = TestLock::named();
    let own = lock.open();
    let attachment = lock.attach();
    assert!(attachment.try_write());
    let token = attachment.token();
    attachment.close(HoldEnd::Abandoned);
    let reading = own.read().unwrap();
    assert_eq!(pid_and_token(reading.owner_died()), Some((std::process::id(), token)));
}

#[test]
fn a_death_is_reported_even_if_no_other_process_was_attached() {
    for lock in TestLock::both_kinds() {
        let child = lock.child();
        child.hold("write");
        let expected = (child.pid(), child.token());
        child.kill();
        let reader = lock.child();
        reader.hold("read");
        reader.release();
        reader.end_by("exit");
        assert_eq!(pid_and_token(lock.open().read().unwrap().owner_died()), Some(expected));
        drop(lock.open().write().unwrap());
        assert_eq!(lock.open().read().unwrap().owner_died(), None);
    }
}

#[test]
fn the_lock_survives_the_death_of_all_its_users() {
    for lock in TestLock::both_kinds() {
        let children = [lock.child(), lock.child(), lock.child()];
        children[0].hold("read");
        children[1].tell("write");
        children[2].tell("read");
        children.into_iter().rev().for_each(Child::kill); // the holder last, so that no waiter is granted
        let own = lock.open();
        let writing = own.write_timeout(SOON).unwrap();
        assert_eq!(writing.owner_died(), None);
    }
}
