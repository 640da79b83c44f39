//! What a process does to a lock with a limit, and how it finds that the limit is exceeded.

use std::path::Path;
use std::sync::atomic::{Ordering::SeqCst, fence};
use std::time::{Duration, Instant};

use fastrand::Rng;
use process_rwlock::{ErrorKind, Result, RwLock};

use super::Page;
use super::time::{in_time, pause};

/// The number of times that a kill began or ended: odd while one is in progress.
const KILLS: usize = 15;

/// Where the worker `place` says how many read holds it has.
pub fn inside(place: usize) -> usize {
    2 * place
}

/// Where it counts its holds.
fn entered(place: usize) -> usize {
    2 * place + 1
}

/// The number of holds that there were.
pub fn total(page: &Page, processes: usize) -> u64 {
    (0..processes).map(|place| page.get(entered(place))).sum()
}

/// Kills a worker. Meanwhile its word may say that it is inside although its hold is freed.
pub fn while_killing(page: &Page, kill: impl FnOnce()) {
    let count = |page: &Page| {
        fence(SeqCst);
        page.set(KILLS, page.get(KILLS) + 1);
        fence(SeqCst);
    };
    count(page);
    kill();
    count(page);
}

pub struct Worker {
    page: Page,
    random: Rng,
    place: usize,
    processes: usize,
    limit: u64,
}

impl Worker {
    pub fn new(page: &Path, seed: u64, place: usize, processes: usize, limit: u64) -> Self {
        Self { page: Page::open(page), random: Rng::with_seed(seed), place, processes, limit }
    }

    /// Until its process is killed.
    pub fn run(&mut self, lock: &RwLock) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(60);
        while Instant::now() < end {
            let short = Duration::from_micros(self.random.u64(..3000));
            match self.random.u64(..12) {
                0 => {
                    if let Some(_writing) = in_time(lock.write_timeout(short))? {
                        self.check(0);
                        pause(&mut self.random);
                        self.check(0);
                    }
                }
                1 => {
                    if let Some(writing) = in_time(lock.write_timeout(short))? {
                        let _reading = writing.downgrade()?;
                        self.read(1);
                    }
                }
                2 => {
                    if let Some(upgradable) = in_time(lock.upgradable_timeout(short))? {
                        match upgradable.downgrade() {
                            Ok(_reading) => self.read(1),
                            Err((_upgradable, error)) if error.kind() == ErrorKind::Busy => pause(&mut self.random),
                            Err((_, error)) => return Err(error),
                        }
                    }
                }
                3 => {
                    let _reading = lock.read()?;
                    self.read(1);
                    if let Some(_nested) = lock.try_read() {
                        self.read(2);
                    }
                }
                4 => {
                    if let Some(_reading) = in_time(lock.read_timeout(short))? {
                        self.read(1);
                    }
                }
                5 => {
                    if let Some(_reading) = lock.try_read() {
                        self.read(1);
                    }
                }
                _ => {
                    let _reading = lock.read()?;
                    self.read(1);
                }
            }
        }
        Ok(())
    }

    fn read(&mut self, holds: u64) {
        // In this order: see `check`.
        self.page.set(entered(self.place), self.page.get(entered(self.place)) + 1);
        fence(SeqCst);
        self.page.set(inside(self.place), holds);
        self.check(self.limit);
        pause(&mut self.random);
        self.check(self.limit);
        self.page.set(inside(self.place), 0);
        fence(SeqCst);
    }

    /// Fails if there are more holds than `limit`. It can tell only if nobody got a hold while it
    /// looked: then all that it saw existed at the same time.
    fn check(&mut self, limit: u64) {
        let changes = || (self.page.get(KILLS), total(&self.page, self.processes));
        fence(SeqCst);
        let before = changes();
        fence(SeqCst);
        let holds: Vec<u64> = (0..self.processes).map(|place| self.page.get(inside(place))).collect();
        fence(SeqCst);
        let known = before.0.is_multiple_of(2) && changes() == before;
        assert!(!known || holds.iter().sum::<u64>() <= limit, "more than {limit} holds: {holds:?}");
    }
}
