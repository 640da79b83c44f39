//! A process with two threads that take the lock in every way there is, at random.

use std::hint::spin_loop;
use std::path::PathBuf;
use std::process;
use std::thread;
use std::time::Duration;

use fastrand::Rng;
use process_rwlock::{Error, ErrorKind, OpenOptions, ReadGuard, RwLock, UpgradableGuard, WriteGuard};
use process_rwlock_stress::{CANARY_STEPS, Mode, Outcome, Recorder, Way, system};

use crate::lock_keeper::died;

pub struct Job {
    pub folder: PathBuf,
    pub location: String,
    pub fairness: Duration,
    pub process: usize,
    pub life: u32,
    pub seed: u64,
}

/// Once in so many operations the process ends inside its hold.
const END: u64 = 3000;
/// How long a barging thread holds the lock at a time, and how often it tries before it records a refusal.
const BARGE: Duration = Duration::from_millis(1);
const BARGES: u32 = 1000;
/// How long a thread keeps its hold, at most, if no other process wants it.
const KEEP: Duration = Duration::from_millis(1500);

pub fn run(job: &Job) {
    system::leave_no_dump();
    // One after the other, because the first locks the byte by which the driver detects the end of the process.
    let recorders = [0, 1]
        .map(|thread| Recorder::new(&job.folder, job.process, job.life, thread).expect("the oracle page and a log"));
    thread::scope(|scope| {
        for (index, recorder) in recorders.into_iter().enumerate() {
            scope.spawn(move || {
                let random = Rng::with_seed(job.seed.wrapping_add(index as u64));
                let mut worker = Worker { recorder, random, process: job.process };
                while !worker.recorder.is_over() {
                    let options = OpenOptions::new().fairness(job.fairness).label(format!("stress {}", job.process));
                    if let Err(error) =
                        crate::open(&job.location, &options).and_then(|lock| worker.use_for_a_while(&lock))
                    {
                        worker.recorder.violation(&format!("an error: {error:?}"));
                        break;
                    }
                }
            });
        }
    });
}

struct Worker {
    recorder: Recorder,
    random: Rng,
    process: usize,
}

type Done = Result<(), Error>;

impl Worker {
    fn use_for_a_while(&mut self, lock: &RwLock) -> Done {
        for _ in 0..=self.random.u64(..300) {
            if self.recorder.is_over() {
                break;
            }
            if self.recorder.page().barges(self.process) {
                self.barge(lock);
            }
            self.step(lock)?;
            self.pause();
            if self.recorder.page().is_calm() {
                thread::sleep(Duration::from_millis(5 + self.random.u64(..30)));
            }
        }
        Ok(())
    }

    fn step(&mut self, lock: &RwLock) -> Done {
        match self.random.u64(..21) {
            0..3 => {
                self.look(|| lock.value());
                self.read(lock, |_, guard| Some(guard))
            }
            3..6 => self.write(lock),
            6..9 => self.upgradable(lock),
            9..11 => self.try_read(lock),
            11..13 => self.try_write(lock),
            13 => self.try_upgradable(lock),
            14 => self.downgrade_to_read(lock),
            15 => self.downgrade_to_upgradable(lock),
            16 => self.nested(lock),
            17..19 => self.read(lock, Self::upgrade_read),
            19 => self.keep(lock),
            _ => {
                let op = self.recorder.look();
                let snapshot = lock.inspect();
                self.recorder.saw(op, snapshot.value.as_deref());
                Ok(())
            }
        }
    }

    /// A timeout, now and then.
    fn timeout(&mut self) -> Option<Duration> {
        (self.random.u64(..3) == 0).then(|| Duration::from_micros(self.random.u64(..4000)))
    }

    /// Sees that an acquisition that was not granted was not for the right reason.
    fn denied<T>(&mut self, op: u32, result: Result<T, Error>) -> Result<Option<T>, Error> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.kind() == ErrorKind::Timeout => {
                self.recorder.denied(op, Outcome::TimedOut);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    // ---- taking it

    fn read(
        &mut self,
        lock: &RwLock,
        then: impl for<'a> FnOnce(&mut Self, (u32, ReadGuard<'a>)) -> Option<(u32, ReadGuard<'a>)>,
    ) -> Done {
        let timeout = self.timeout();
        let op = self.recorder.acquire(Mode::Read, Way::Wait);
        let result = timeout.map_or_else(|| lock.read(), |timeout| lock.read_timeout(timeout));
        let Some(guard) = self.denied(op, result)? else { return Ok(()) };
        self.recorder.granted(op, Mode::Read, 0, died(guard.owner_died()));
        self.look(|| guard.value());
        self.reading();
        if let Some((op, guard)) = then(self, (op, guard)) {
            self.release_read(op, guard);
        }
        Ok(())
    }

    fn write(&mut self, lock: &RwLock) -> Done {
        if let Some((op, guard)) = self.acquire_write(lock)? {
            self.release_write(op, guard);
        }
        Ok(())
    }

    /// A write hold in which everything was written.
    fn acquire_write<'a>(&mut self, lock: &'a RwLock) -> Result<Option<(u32, WriteGuard<'a>)>, Error> {
        let timeout = self.timeout();
        let op = self.recorder.acquire(Mode::Write, Way::Wait);
        let result = timeout.map_or_else(|| lock.write(), |timeout| lock.write_timeout(timeout));
        let Some(guard) = self.denied(op, result)? else { return Ok(None) };
        self.recorder.granted(op, Mode::Write, guard.token(), died(guard.owner_died()));
        self.writing(op, &guard);
        Ok(Some((op, guard)))
    }

    fn upgradable(&mut self, lock: &RwLock) -> Done {
        let timeout = self.timeout();
        let op = self.recorder.acquire(Mode::Upgradable, Way::Wait);
        let result = timeout.map_or_else(|| lock.upgradable(), |timeout| lock.upgradable_timeout(timeout));
        let Some(guard) = self.denied(op, result)? else { return Ok(()) };
        self.recorder.granted(op, Mode::Upgradable, 0, died(guard.owner_died()));
        self.reading();
        self.go_on_from_upgradable(op, guard)
    }

    fn try_read(&mut self, lock: &RwLock) -> Done {
        let op = self.recorder.acquire(Mode::Read, Way::Try);
        let Some(guard) = lock.try_read() else {
            self.recorder.denied(op, Outcome::Refused);
            return Ok(());
        };
        self.recorder.granted(op, Mode::Read, 0, died(guard.owner_died()));
        self.reading();
        self.release_read(op, guard);
        Ok(())
    }

    fn try_write(&mut self, lock: &RwLock) -> Done {
        let op = self.recorder.acquire(Mode::Write, Way::Try);
        let Some(guard) = lock.try_write() else {
            self.recorder.denied(op, Outcome::Refused);
            return Ok(());
        };
        self.recorder.granted(op, Mode::Write, guard.token(), died(guard.owner_died()));
        self.writing(op, &guard);
        self.release_write(op, guard);
        Ok(())
    }

    fn try_upgradable(&mut self, lock: &RwLock) -> Done {
        let op = self.recorder.acquire(Mode::Upgradable, Way::Try);
        let Some(guard) = lock.try_upgradable() else {
            self.recorder.denied(op, Outcome::Refused);
            return Ok(());
        };
        self.recorder.granted(op, Mode::Upgradable, 0, died(guard.owner_died()));
        self.reading();
        self.go_on_from_upgradable(op, guard)
    }

    /// Takes the lock whenever that needs no waiting, with hardly a gap between the barging threads: a waiter is granted only
    /// if the queue is closed.
    fn barge(&mut self, lock: &RwLock) {
        while self.recorder.page().barges(self.process) && !self.recorder.is_over() {
            let op = self.recorder.acquire(Mode::Write, Way::Try);
            let Some(guard) = (0..BARGES).find_map(|_| {
                (0..50).for_each(|_| spin_loop());
                lock.try_write()
            }) else {
                self.recorder.denied(op, Outcome::Refused);
                thread::sleep(Duration::from_micros(50));
                continue;
            };
            self.recorder.granted(op, Mode::Write, guard.token(), died(guard.owner_died()));
            (0..CANARY_STEPS).for_each(|step| self.recorder.write_canary(step, guard.token()));
            let end = process_rwlock_stress::now() + BARGE.as_nanos() as u64;
            while process_rwlock_stress::now() < end {
                spin_loop();
            }
            self.release_write(op, guard);
        }
    }

    /// While it reads already.
    fn nested(&mut self, lock: &RwLock) -> Done {
        let outer_op = self.recorder.acquire(Mode::Read, Way::Wait);
        let outer = lock.read()?;
        self.recorder.granted(outer_op, Mode::Read, 0, died(outer.owner_died()));
        self.pause();
        let inner_op = self.recorder.acquire(Mode::Read, Way::Wait);
        // Without a timeout, two threads could have all read holds of a limited lock, and wait for one more.
        let is_limited = self.recorder.page().limit() != 0;
        let result = if is_limited { lock.read_timeout(Duration::from_millis(2)) } else { lock.read() };
        let inner = match result {
            Err(error) if error.kind() == ErrorKind::Deadlock => {
                self.recorder.denied(inner_op, Outcome::Deadlock);
                None
            }
            result => self.denied(inner_op, result)?,
        };
        let Some(inner) = inner else {
            self.release_read(outer_op, outer);
            return Ok(());
        };
        self.recorder.granted(inner_op, Mode::Read, 0, died(inner.owner_died()));
        self.reading();
        self.release_read(outer_op, outer);
        self.reading();
        self.release_read(inner_op, inner);
        Ok(())
    }

    /// Until another process wants it.
    fn keep(&mut self, lock: &RwLock) -> Done {
        match self.random.u64(..4) {
            0 => self.read(lock, |worker, (hold, guard)| {
                worker.noticed(hold, Mode::Read, || guard.wait_contended(Some(KEEP)));
                Some((hold, guard))
            }),
            1 => {
                let op = self.recorder.acquire(Mode::Upgradable, Way::Wait);
                let guard = lock.upgradable()?;
                self.recorder.granted(op, Mode::Upgradable, 0, died(guard.owner_died()));
                self.noticed(op, Mode::Upgradable, || guard.wait_contended(Some(KEEP)));
                self.go_on_from_upgradable(op, guard)
            }
            _ => {
                let Some((hold, guard)) = self.acquire_write(lock)? else { return Ok(()) };
                self.noticed(hold, Mode::Write, || guard.wait_contended(Some(KEEP)));
                self.release_write(hold, guard);
                Ok(())
            }
        }
    }

    fn noticed(&mut self, hold: u32, mode: Mode, wait: impl FnOnce() -> bool) {
        let op = self.recorder.notice(hold, mode);
        if wait() {
            self.recorder.done(op);
        } else {
            self.recorder.denied(op, Outcome::TimedOut);
        }
    }

    // ---- changing it

    fn upgrade_read<'a>(&mut self, (hold, guard): (u32, ReadGuard<'a>)) -> Option<(u32, ReadGuard<'a>)> {
        let before = self.recorder.canary();
        let op = self.recorder.upgrade(hold, Way::Try);
        match guard.try_upgrade() {
            Ok(guard) => {
                self.recorder.check_canary(before);
                self.recorder.upgraded(op, Mode::Read, guard.token(), died(guard.owner_died()));
                self.writing(hold, &guard);
                self.release_write(hold, guard);
                None
            }
            Err(guard) => {
                self.recorder.denied(op, Outcome::Refused);
                self.recorder.check_canary(before);
                Some((hold, guard))
            }
        }
    }

    fn go_on_from_upgradable(&mut self, hold: u32, guard: UpgradableGuard<'_>) -> Done {
        let before = self.recorder.canary();
        let guard = match self.random.u64(..8) {
            0..3 => {
                let timeout = self.timeout();
                let op = self.recorder.upgrade(hold, Way::Wait);
                match guard.upgrade(timeout) {
                    Ok(guard) => return self.write_after_upgrade(op, hold, guard, before),
                    Err((guard, error)) => {
                        self.denied::<()>(op, Err(error))?;
                        guard
                    }
                }
            }
            3..5 => {
                let op = self.recorder.upgrade(hold, Way::Try);
                match guard.try_upgrade() {
                    Ok(guard) => return self.write_after_upgrade(op, hold, guard, before),
                    Err(guard) => {
                        self.recorder.denied(op, Outcome::Refused);
                        guard
                    }
                }
            }
            5 => {
                let op = self.recorder.downgrade(hold, Mode::Upgradable, Mode::Read);
                match guard.downgrade() {
                    Ok(guard) => {
                        self.recorder.done(op);
                        self.recorder.check_canary(before);
                        self.reading();
                        self.release_read(hold, guard);
                        return Ok(());
                    }
                    // All read holds that the lock allows are in use.
                    Err((guard, error)) if error.kind() == ErrorKind::Busy => {
                        self.recorder.stays_upgradable(op);
                        guard
                    }
                    Err((_, error)) => return Err(error),
                }
            }
            _ => guard,
        };
        self.recorder.check_canary(before);
        self.reading();
        let op = self.recorder.release(hold, Mode::Upgradable, Way::Consistent);
        drop(guard);
        self.recorder.done(op);
        Ok(())
    }

    fn write_after_upgrade(&mut self, op: u32, hold: u32, guard: WriteGuard<'_>, before: [u64; CANARY_STEPS]) -> Done {
        self.recorder.check_canary(before);
        self.recorder.upgraded(op, Mode::Upgradable, guard.token(), died(guard.owner_died()));
        self.writing(hold, &guard);
        self.release_write(hold, guard);
        Ok(())
    }

    fn downgrade_to_read(&mut self, lock: &RwLock) -> Done {
        let Some((hold, guard)) = self.acquire_write(lock)? else { return Ok(()) };
        let before = self.recorder.canary();
        let op = self.recorder.downgrade(hold, Mode::Write, Mode::Read);
        let guard = guard.downgrade()?;
        self.recorder.done(op);
        self.pause();
        self.recorder.check_canary(before);
        self.release_read(hold, guard);
        Ok(())
    }

    fn downgrade_to_upgradable(&mut self, lock: &RwLock) -> Done {
        let Some((hold, guard)) = self.acquire_write(lock)? else { return Ok(()) };
        let before = self.recorder.canary();
        let op = self.recorder.downgrade(hold, Mode::Write, Mode::Upgradable);
        let guard = guard.downgrade_to_upgradable()?;
        self.recorder.done(op);
        self.pause();
        self.recorder.check_canary(before);
        self.go_on_from_upgradable(hold, guard)
    }

    // ---- inside

    fn reading(&mut self) {
        self.maybe_end();
        let canary = self.recorder.canary();
        self.pause();
        self.recorder.check_canary(canary);
    }

    fn writing(&mut self, hold: u32, guard: &WriteGuard<'_>) {
        let rest = self.random.usize(..CANARY_STEPS);
        for step in 0..CANARY_STEPS {
            if step == rest {
                self.maybe_set_value(hold, guard);
                self.maybe_end();
                self.pause();
            }
            self.recorder.write_canary(step, guard.token());
        }
    }

    fn maybe_set_value(&mut self, hold: u32, guard: &WriteGuard<'_>) {
        for _ in 0..self.random.u64(..4).saturating_sub(1) {
            let none = self.random.u64(..16) == 0;
            let (op, value) = self.recorder.set_value(hold, none);
            guard.set_value(value.as_deref()).expect("a write hold sets a value");
            self.recorder.done(op);
        }
        self.look(|| guard.value());
    }

    /// Reads the value, in one of four cases.
    fn look(&mut self, value: impl FnOnce() -> Option<Vec<u8>>) {
        if self.random.u64(..4) == 0 {
            let op = self.recorder.look();
            let value = value();
            self.recorder.saw(op, value.as_deref());
        }
    }

    /// Once in a while the process ends here, inside its hold.
    fn maybe_end(&mut self) {
        match self.random.u64(..2 * END) {
            0 => {
                self.recorder.ends();
                process::exit(0)
            }
            1 => {
                self.recorder.ends();
                process::abort()
            }
            _ => {}
        }
    }

    fn release_read(&mut self, hold: u32, guard: ReadGuard<'_>) {
        let op = self.recorder.release(hold, Mode::Read, Way::Consistent);
        drop(guard);
        self.recorder.done(op);
    }

    fn release_write(&mut self, hold: u32, guard: WriteGuard<'_>) {
        let op = self.recorder.release(hold, Mode::Write, Way::Consistent);
        drop(guard);
        self.recorder.done(op);
    }

    fn pause(&mut self) {
        match self.random.u64(..16) {
            0..2 => thread::sleep(Duration::from_micros(self.random.u64(..2000))),
            2..6 => thread::yield_now(),
            _ => (0..self.random.u64(..300)).for_each(|_| spin_loop()),
        }
    }
}
