use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::worker::{FULL_PACE, IDLE_TIME};
use super::*;
use crate::attachment::HoldEnd;
use crate::attachment::requests::Outcome;
use crate::options::{LockRef, Options, WaitOptions};
use crate::protocol::slot::Mode;

const BOUND: Duration = Duration::from_secs(20);

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn open(&self, number: usize) -> Attachment {
        Attachment::open(LockRef::Path(&self.0.join(number.to_string())), &Options::default()).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Kernels with and without a way to wait for many words at once; the latter need a thread for
/// each.
fn with_both_kinds(name: &str, test: impl Fn(&Folder, &Arc<Watcher>, usize)) {
    for limit in [1, 3] {
        test(&Folder::new(&format!("{name}-{limit}")), &Watcher::with_limit(limit), limit);
    }
}

fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < BOUND, "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn rings_for_the_attachment_whose_turn_has_come_and_for_no_other() {
    with_both_kinds("rings", |folder, watcher, limit| {
        let (sender, rung) = mpsc::channel();
        let holders: Vec<_> = (0..7).map(|number| folder.open(number)).collect();
        assert!(holders.iter().all(Attachment::try_write));
        let options = WaitOptions { deadline: u64::MAX, fairness: u64::MAX, in_turn: false };
        let mut waiters: Vec<_> = (0..7)
            .map(|number| {
                let waiter = folder.open(number);
                let sender = sender.clone();
                let mut watch = watcher.watch(&waiter, move || sender.send(number).unwrap());
                waiter.request(Mode::Write, options);
                waiter.poll(park::now()).unwrap();
                watch.begin(park::now(), waiter.next_poll(park::now())).unwrap();
                (waiter, watch)
            })
            .collect();
        assert_eq!(watcher.threads(), 7_usize.div_ceil(limit));
        for number in [3, 0, 6, 1] {
            holders[number].release_exclusive(HoldEnd::Consistent).unwrap();
            assert_eq!(rung.recv_timeout(BOUND), Ok(number));
            let (waiter, watch) = &mut waiters[number];
            waiter.poll(park::now()).unwrap();
            assert!(matches!(waiter.take_settled()[..], [(_, Outcome::Granted)]));
            watch.end();
        }
        assert_eq!(rung.try_recv(), Err(mpsc::TryRecvError::Empty));
        drop(waiters);
        wait_for("a thread without work ends", || watcher.threads() == 0);
    });
}

#[test]
fn rings_when_due_even_if_the_time_was_brought_forward() {
    with_both_kinds("due", |folder, watcher, _| {
        let holder = folder.open(0);
        assert!(holder.try_write());
        let waiter = folder.open(0);
        let (sender, rung) = mpsc::channel();
        let mut watch = watcher.watch(&waiter, move || sender.send(()).unwrap());
        waiter.request(Mode::Read, WaitOptions { deadline: u64::MAX, fairness: u64::MAX, in_turn: false });
        for _ in 0..50 {
            waiter.poll(park::now()).unwrap();
            watch.begin(park::now(), u64::MAX).unwrap();
            waiter.poll(park::now()).unwrap();
            let due = park::now() + 2_000_000;
            watch.begin(park::now(), due).unwrap();
            rung.recv_timeout(BOUND).unwrap();
            assert!(park::now() >= due);
        }
    });
}

/// This also holds if the attachment has a doorbell and a ring is lost: the thread checks as soon
/// as it would without.
#[test]
fn an_idle_thread_is_woken_when_a_wait_begins() {
    with_both_kinds("idle", |folder, watcher, _| {
        let holder = folder.open(0);
        let waiter = folder.open(0);
        let (sender, rung) = mpsc::channel();
        let mut watch = watcher.watch(&waiter, move || sender.send(()).unwrap());
        let doorbell = crate::sys::doorbell::Doorbell::open();
        let mut times = [vec![], vec![]];
        for round in 0..14 {
            let times = &mut times[round / 7];
            assert!(holder.try_write());
            waiter.request(Mode::Read, WaitOptions { deadline: u64::MAX, fairness: u64::MAX, in_turn: false });
            waiter.poll(park::now()).unwrap();
            watch.begin(park::now(), u64::MAX).unwrap();
            let released = park::now();
            holder.release_exclusive(HoldEnd::Consistent).unwrap();
            rung.recv_timeout(BOUND).unwrap();
            times.push(park::now() - released);
            waiter.poll(park::now()).unwrap();
            watch.end();
            waiter.release_read();
            let thread = watch.thread.clone().unwrap();
            wait_for("its thread leaves it out", || lock(&thread.watched).entries.is_empty());
            if let (6, Ok(doorbell)) = (round, &doorbell) {
                waiter.set_doorbell(doorbell, 0); // where no loop listens
            }
        }
        for mut times in times {
            times.sort_unstable();
            assert!(times[times.len() / 2] < IDLE_TIME / 5, "{times:?}");
        }
    });
}

/// This also holds with a thread for each: hundreds of them would otherwise use a tenth of a core.
#[test]
fn the_more_waits_a_process_has_the_less_often_it_checks() {
    const LAST_CHECK: u64 = 10_000_000; // or a multiple of that
    with_both_kinds("pace", |folder, watcher, _| {
        let holders: Vec<_> = (0..3 * FULL_PACE).map(|number| folder.open(number)).collect();
        let waiters: Vec<_> = (0..3 * FULL_PACE)
            .map(|number| {
                assert!(holders[number].try_write());
                let waiter = folder.open(number);
                let mut watch = watcher.watch(&waiter, || ());
                waiter.request(Mode::Write, WaitOptions { deadline: u64::MAX, fairness: u64::MAX, in_turn: false });
                waiter.poll(park::now()).unwrap();
                watch.begin(park::now(), u64::MAX).unwrap();
                (waiter, watch)
            })
            .collect();
        let mut times_of_checks = vec![0];
        wait_for("5 checks that are 4 times as far apart", || {
            let next = lock(&waiters[0].1.entry.peer_check).next;
            if times_of_checks.last() != Some(&next) {
                times_of_checks.push(next);
            }
            times_of_checks.len() > 5
                && times_of_checks[times_of_checks.len() - 5..].iter().all(|check| check % (4 * LAST_CHECK) == 0)
        });
    });
}
