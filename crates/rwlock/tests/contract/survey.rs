//! Surveys show what a list leaves out: locks that nobody has open, damaged ones, and who has a lock
//! open without holding it.

use std::fs;

use process_rwlock::{ErrorKind, Snapshot, Surveyed, examine, probe, survey};

use crate::helpers::{TestLock, list, records_and_memories, until};

#[track_caller]
fn surveyed(lock: &TestLock) -> Surveyed {
    let found = survey().unwrap().locks.into_iter().find(|seen| seen.name.as_deref() == Some(lock.name()));
    found.expect("it is surveyed")
}

fn pids(seen: &Surveyed) -> Vec<u32> {
    let mut pids: Vec<_> = seen.attached.iter().map(|attached| attached.pid).collect();
    pids.sort_unstable();
    pids
}

#[test]
fn a_survey_names_the_processes_that_have_a_lock_open() {
    for lock in TestLock::both_kinds() {
        let (one, other) = (lock.child(), lock.child());
        one.hold("read");
        other.hold("read");
        other.release();
        let mut expected = [one.pid(), other.pid()];
        expected.sort_unstable();
        let seen = examine(lock.reference()).unwrap().unwrap();
        assert!(seen.is_open);
        assert_eq!(pids(&seen), expected);
        assert!(seen.attached.iter().all(|attached| attached.foreign_namespace.is_none()));
        assert_eq!(seen.state.unwrap().holders.iter().map(|holder| holder.pid).collect::<Vec<_>>(), [one.pid()]);
        assert_eq!(fs::metadata(&seen.file).unwrap().len() == seen.bytes, seen.path.is_some());
        if seen.path.is_none() {
            assert_eq!(pids(&surveyed(&lock)), expected);
            let memory = records_and_memories().1.join(seen.memory.unwrap());
            assert_eq!(fs::metadata(memory).unwrap().len(), seen.bytes);
        }
    }
}

#[test]
fn a_lock_whose_last_user_was_killed_is_surveyed_as_not_open() {
    let lock = TestLock::named();
    let child = lock.child();
    child.hold("write");
    let pid = child.pid();
    assert!(surveyed(&lock).is_open);
    child.kill();
    until("the kernel dropped its byte lock", || !surveyed(&lock).is_open);
    let seen = surveyed(&lock);
    assert_eq!(pids(&seen), []);
    assert_eq!(seen.state.unwrap().owner_died.unwrap().pid, pid);
    assert!(!examine(lock.reference()).unwrap().unwrap().is_open);
}

#[test]
fn a_survey_shows_a_damaged_lock_that_a_list_leaves_out() {
    let lock = TestLock::named();
    let child = lock.child();
    child.hold("write");
    let file = surveyed(&lock).file;
    let record = fs::read(&file).unwrap();
    fs::write(&file, "something else").unwrap();
    let found = survey().unwrap().locks.into_iter().find(|seen| seen.file == file);
    let is_listed = list().iter().any(|seen| seen.name.as_deref() == Some(lock.name()));
    fs::write(&file, record).unwrap();
    assert!(!is_listed);
    let found = found.expect("it is surveyed");
    assert!(found.is_open);
    assert_eq!(found.state.unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn a_waiter_that_does_not_come_in_its_turn_is_shown_as_skipped() {
    let lock = TestLock::named();
    let (holder, sleeper, other) = (lock.child(), lock.child(), lock.child());
    let skipped = || {
        let state = examine(lock.reference()).unwrap().unwrap().state.unwrap();
        state.waiters.iter().map(|waiter| (waiter.pid, waiter.is_skipped)).collect::<Vec<_>>()
    };
    holder.hold("write");
    sleeper.tell("write");
    until("it waits", || skipped() == [(sleeper.pid(), false)]);
    sleeper.stop();
    other.tell("write");
    until("both wait", || skipped().len() == 2);
    holder.release();
    assert_eq!(other.answer(), "granted");
    assert_eq!(skipped(), [(sleeper.pid(), true)]);
    sleeper.resume();
    other.release();
    assert_eq!(sleeper.answer(), "granted");
}

#[test]
fn a_lock_that_was_not_completed_is_surveyed_once_its_creator_is_dead() {
    let lock = TestLock::named();
    let _own = lock.open(); // the directory exists
    let folder = records_and_memories().0.join(format!(".new-test{:08x}", std::process::id()));
    let record = folder.join("record");
    // Any process that opens its first lock meanwhile removes it.
    until("it is found", || {
        let _ = fs::create_dir(&folder);
        let _ = fs::write(&record, "");
        survey().unwrap().unfinished.contains(&record)
    });
    let _ = fs::remove_dir_all(&folder);
}

#[test]
fn a_probe_leaves_nothing() {
    probe().unwrap();
    // Another process may probe at this moment.
    let is_probe = |seen: &Snapshot| seen.name.as_deref().is_some_and(|name| name.starts_with("probe-"));
    until("there is none", || !list().iter().any(is_probe));
}
