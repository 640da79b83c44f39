//! A limit on readers, kept over processes that are killed and stopped at any instruction.

use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use process_rwlock::OpenOptions;

use crate::helpers::{Child, Page, TestLock, ms, permits, timed, until};

/// In fact it takes milliseconds, of which the kernel needs some to end the process.
const SOON: Duration = Duration::from_secs(2);

fn limited(limit: u32) -> OpenOptions {
    OpenOptions::new().max_readers(limit)
}

#[test]
fn a_killed_reader_makes_room_for_the_next() {
    for lock in TestLock::both_kinds() {
        let own = lock.open_with(&limited(2)).unwrap();
        let (a, b, next) = (lock.child(), lock.child(), lock.child());
        a.hold("read");
        b.hold("read");
        next.tell("read");
        until("it waits", || own.inspect().waiters.len() == 1);
        assert!(own.try_read().is_none());
        b.kill();
        let (answer, took) = timed(|| next.answer());
        assert_eq!(answer, "granted");
        assert!(took < SOON, "it took {took:?}");
        assert!(own.try_read().is_none());
        a.release();
        assert!(own.try_read().is_some());
    }
}

/// Many holders, of which the killed one is not the first that is found.
#[test]
fn a_try_finds_any_dead_reader() {
    let lock = TestLock::named();
    let own = lock.open_with(&limited(8)).unwrap();
    let children: Vec<_> = (0..8).map(|_| lock.child()).collect();
    children.iter().for_each(|child| child.hold("read"));
    assert!(own.try_read().is_none());
    let mut reading = Vec::new();
    for child in children {
        child.kill();
        reading.push(until_some("there is room", || own.try_read()));
        assert!(own.try_read().is_none());
    }
}

fn until_some<T>(what: &str, get: impl Fn() -> Option<T>) -> T {
    let end = Instant::now() + SOON;
    loop {
        if let Some(value) = get() {
            return value;
        }
        assert!(Instant::now() < end, "{what}: not within {SOON:?}");
        thread::sleep(ms(1));
    }
}

#[test]
fn a_waiter_that_is_stopped_is_passed() {
    let lock = TestLock::named();
    let own = lock.open_with(&limited(1)).unwrap();
    let (first, second) = (lock.child(), lock.child());
    let reading = own.read().unwrap();
    first.tell("read");
    until("it waits", || own.inspect().waiters.len() == 1);
    second.tell("read");
    until("both wait", || own.inspect().waiters.len() == 2);
    first.stop();
    drop(reading);
    assert_eq!(second.answer(), "granted");
    first.resume();
    second.release();
    assert_eq!(first.answer(), "granted");
}

/// See `helpers/permits.rs`.
#[test]
fn there_are_never_more_than_the_limit_whoever_is_killed() {
    const LIMIT: u32 = 2;
    const PROCESSES: usize = 4;
    for (lock, seed) in TestLock::both_kinds().into_iter().zip(11..) {
        let path = lock.file("page");
        let page = Page::open(&path);
        let own = lock.open_with(&limited(LIMIT).capacity(16)).unwrap();
        let mut random = Rng::with_seed(seed);
        let start = |place: usize, random: &mut Rng| {
            let child = Child::new(lock.reference());
            child.tell(&format!("permits {} {place} {PROCESSES} {LIMIT} {}", random.u64(..), path.display()));
            child
        };
        let mut children: Vec<_> = (0..PROCESSES).map(|place| start(place, &mut random)).collect();
        let end = Instant::now() + Duration::from_secs(3);
        let (mut seen, mut grew) = (0, Instant::now());
        while Instant::now() < end {
            thread::sleep(ms(random.u64(5..40)));
            let victim = random.usize(..PROCESSES);
            if random.u64(..3) == 0 {
                children[victim].stop();
                thread::sleep(ms(random.u64(..20)));
                children[victim].resume();
            } else {
                permits::while_killing(&page, || {
                    children.remove(victim).kill();
                    page.set(permits::inside(victim), 0);
                });
                children.insert(victim, start(victim, &mut random));
            }
            for child in &children {
                assert_eq!(child.answer_within(ms(0)), None, "a worker failed");
            }
            let total = permits::total(&page, PROCESSES);
            if total != seen {
                (seen, grew) = (total, Instant::now());
            }
            assert!(grew.elapsed() < Duration::from_secs(4), "nobody reads: {:#?}", own.inspect());
        }
        permits::while_killing(&page, || children.into_iter().for_each(Child::kill));
        drop(own.write_timeout(SOON).expect("all are dead"));
        let held: Vec<_> = (0..LIMIT).map(|_| own.try_read().expect("there is room")).collect();
        assert!(own.try_read().is_none());
        drop(held);
        assert!(seen > 100, "only {seen} holds");
    }
}
