//! Mutual exclusion under load.

use std::thread;

use fastrand::Rng;

use crate::helpers::{Child, Page, TestLock};

const PROCESSES: usize = 6;

/// Six processes with two threads each acquire the lock at random in every way; see
/// `helpers/workload.rs`.
#[test]
fn holds_exclude_each_other() {
    for (lock, seed) in TestLock::both_kinds().into_iter().zip(1..) {
        let page = lock.file("page");
        let mut random = Rng::with_seed(seed);
        let children: Vec<_> = (0..PROCESSES).map(|_| Child::new(lock.reference())).collect();
        for child in &children {
            child.tell(&format!("work {} 2000 {}", random.u64(..), page.display()));
        }
        let writes: Vec<u64> = children
            .iter()
            .map(|child| child.answer().parse().unwrap_or_else(|answer| panic!("a worker failed: {answer:?}")))
            .collect();
        assert_eq!(Page::open(&page).get(0), writes.iter().sum(), "some writes were lost: {writes:?}");
        assert!(writes.iter().all(|&writes| writes > 0), "{writes:?}");
    }
}

/// Every round opens and closes the lock: the last user removes it while others open it.
#[test]
fn one_lock_exists_at_a_time_however_it_is_opened_and_closed() {
    let lock = TestLock::named();
    let page = lock.file("page");
    let children: Vec<_> = (0..4).map(|_| Child::new(lock.reference())).collect();
    for child in &children {
        child.tell(&format!("count 200 {}", page.display()));
    }
    children.iter().for_each(|child| assert_eq!(child.answer(), "ok"));
    assert_eq!(Page::open(&page).get(0), 4 * 200);
}

#[test]
fn threads_of_one_process_count_right() {
    let lock = TestLock::named();
    let page = Page::open(&lock.file("page"));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let own = lock.open();
                for _ in 0..2000 {
                    let _writing = own.write().unwrap();
                    page.set(0, page.get(0) + 1);
                }
            });
        }
    });
    assert_eq!(page.get(0), 8000);
}
