//! Processes that are killed and stopped at any instruction, while others continue.

use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use process_rwlock::OpenOptions;

use crate::helpers::{Child, Page, TestLock, ms};

const PROCESSES: u32 = 4;
/// Two threads each, so that a lost slot is noticed immediately.
const CAPACITY: u32 = 2 * PROCESSES;
const TIME: Duration = Duration::from_secs(5);
/// While no process is stopped: a death costs milliseconds.
const STALL: Duration = Duration::from_secs(4);

#[test]
fn the_others_continue_if_any_process_dies_or_stops_at_any_instruction() {
    for (lock, seed) in TestLock::both_kinds().into_iter().zip(7..) {
        let path = lock.file("page");
        let page = Page::open(&path);
        let mut random = Rng::with_seed(seed);
        // An attachment that only keeps the lock open, so that the capacity stays.
        let open = OpenOptions::new().capacity(CAPACITY + 1);
        let own = lock.open_with(&open).unwrap();
        let end = Instant::now() + TIME;
        let start = |random: &mut Rng| {
            let child = Child::new(lock.reference());
            child.tell(&format!("work {} 60000 {}", random.u64(..), path.display()));
            child
        };
        let mut children: Vec<_> = (0..PROCESSES).map(|_| start(&mut random)).collect();
        let (mut writes, mut wrote) = (0, Instant::now());
        while Instant::now() < end {
            thread::sleep(ms(random.u64(..40)));
            let victim = random.usize(..PROCESSES as usize);
            if random.u64(..3) == 0 {
                children[victim].stop();
                thread::sleep(ms(random.u64(..20)));
                children[victim].resume();
            } else {
                children.swap_remove(victim).kill();
                children.push(start(&mut random));
            }
            for child in &children {
                assert_eq!(child.answer_within(ms(0)), None, "a worker failed");
            }
            if page.get(0) != writes {
                (writes, wrote) = (page.get(0), Instant::now());
            }
            assert!(wrote.elapsed() < STALL, "nobody has written for {:?}: {:#?}", wrote.elapsed(), own.inspect());
        }
        children.into_iter().for_each(Child::kill);
        drop(own.write_timeout(STALL).expect("all are dead"));
        assert!(writes > 100, "only {writes} writes in {TIME:?}");
    }
}
