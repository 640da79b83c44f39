//! What two threads of a process do to a lock and a page, at random.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use process_rwlock::{OwnerDied, Result, RwLock, WriteGuard};

use super::Page;
use super::time::{in_time, pause};

/// Two numbers that every writer increments: they differ only during a write.
const FIRST: usize = 0;
const SECOND: usize = 1;
/// The fencing token of the last writer.
const TOKEN: usize = 2;

/// Two threads acquire the lock in every way for `time`. Returns the number of writes.
pub fn run(open: impl Fn() -> Result<RwLock> + Sync, seed: u64, time: Duration, page: &Path) -> Result<u64> {
    let end = Instant::now() + time;
    let work = |seed| {
        let mut worker = Worker { page: Page::open(page), random: Rng::with_seed(seed), writes: 0 };
        while Instant::now() < end {
            let lock = open()?;
            for _ in 0..500 {
                if Instant::now() >= end {
                    break;
                }
                worker.step(&lock)?;
            }
        }
        Ok(worker.writes)
    };
    thread::scope(|scope| {
        let other = scope.spawn(|| work(seed.wrapping_mul(31)));
        let own: Result<u64> = work(seed);
        Ok(own? + other.join().expect("no panic")?)
    })
}

struct Worker {
    page: Page,
    random: Rng,
    writes: u64,
}

impl Worker {
    fn step(&mut self, lock: &RwLock) -> Result<()> {
        let short = Duration::from_micros(self.random.u64(..3000));
        match self.random.u64(..16) {
            0..4 => {
                let guard = lock.read()?;
                self.read(guard.owner_died());
            }
            4..6 => {
                let guard = lock.write()?;
                self.write(&guard);
            }
            6 => {
                if let Some(guard) = lock.try_read() {
                    self.read(guard.owner_died());
                }
            }
            7 => {
                if let Some(guard) = lock.try_write() {
                    self.write(&guard);
                }
            }
            8 => {
                if let Some(guard) = in_time(lock.read_timeout(short))? {
                    self.read(guard.owner_died());
                }
            }
            9 => {
                if let Some(guard) = in_time(lock.write_timeout(short))? {
                    self.write(&guard);
                }
            }
            10 => {
                let guard = lock.upgradable()?;
                self.read(guard.owner_died());
                match guard.upgrade(Some(short)) {
                    Ok(guard) => self.write(&guard),
                    Err((guard, error)) => {
                        in_time::<()>(Err(error))?;
                        self.read(guard.owner_died());
                    }
                }
            }
            11 => {
                if let Some(guard) = in_time(lock.upgradable_timeout(short))? {
                    self.read(guard.owner_died());
                    let _reading = guard.downgrade().map_err(|(_, error)| error)?;
                    pause(&mut self.random);
                }
            }
            12 => {
                let guard = lock.write()?;
                self.write(&guard);
                let written = self.page.get(FIRST);
                let guard = guard.downgrade()?;
                self.read(guard.owner_died());
                assert_eq!(self.page.get(FIRST), written, "somebody wrote during a downgrade");
            }
            13 => {
                let guard = lock.write()?;
                self.write(&guard);
                let written = self.page.get(FIRST);
                let guard = guard.downgrade_to_upgradable()?;
                self.read(guard.owner_died());
                assert_eq!(self.page.get(FIRST), written, "somebody wrote during a downgrade");
                if let Ok(guard) = guard.try_upgrade() {
                    self.write(&guard);
                }
            }
            14 => {
                let _outer = lock.read()?;
                pause(&mut self.random);
                let inner = lock.read()?;
                self.read(inner.owner_died());
            }
            _ => {
                let guard = lock.read()?;
                self.read(guard.owner_died());
                match guard.try_upgrade() {
                    Ok(guard) => self.write(&guard),
                    Err(guard) => self.read(guard.owner_died()),
                }
            }
        }
        pause(&mut self.random);
        Ok(())
    }

    fn read(&mut self, died: Option<OwnerDied>) {
        let (first, second) = (self.page.get(FIRST), self.page.get(SECOND));
        if died.is_none() {
            assert_eq!(first, second, "a reader saw half a write");
        }
        pause(&mut self.random);
        assert_eq!(self.page.get(FIRST), first, "somebody wrote beside a reader");
        assert_eq!(self.page.get(SECOND), second, "somebody wrote beside a reader");
    }

    fn write(&mut self, guard: &WriteGuard<'_>) {
        let value = self.page.get(FIRST);
        if guard.owner_died().is_none() {
            assert_eq!(value, self.page.get(SECOND), "a writer saw half a write");
        }
        let (token, last) = (guard.token(), self.page.get(TOKEN));
        assert!(token > last, "token {token} after {last}");
        self.page.set(TOKEN, token);
        self.page.set(FIRST, value + 1);
        pause(&mut self.random);
        assert_eq!(self.page.get(FIRST), value + 1, "two wrote at once");
        self.page.set(SECOND, value + 1);
        self.writes += 1;
    }
}
