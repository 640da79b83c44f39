//! Makes the lock and keeps it open, so that its memory is the same from the first process to the last. When all of them are
//! gone: whether anything of them is left. Meanwhile it notes when the machine is too busy for bounds on time to mean anything.

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use process_rwlock::{ErrorKind, LockRef, OpenOptions, OwnerDied, RwLock};
use process_rwlock_storm::{Died, Kind, Log, Mode, Outcome, Record, Way, Witness, now};

/// Its place among the processes: behind all others.
const PROCESS: usize = 16;
/// How long it sleeps, to see how late it is woken; and how late is noted (ns).
const NAP: Duration = Duration::from_millis(5);
const LATE: u64 = 100_000_000;

pub(crate) fn died(died: Option<OwnerDied>) -> Option<Died> {
    died.map(|died| Died { pid: died.pid, token: died.token })
}

pub fn run(folder: &Path, place: &str, capacity: u32) -> ExitCode {
    let mut witness = Witness::new(folder, PROCESS, 1, 0).expect("a page and a log");
    let lock = crate::open(place, &OpenOptions::new().capacity(capacity)).expect("a new lock");
    let mut log = Log::create(&folder.join("late.log")).expect("a log");
    thread::spawn(move || note_lateness(&mut log));
    println!("ready");
    let mut line = String::new();
    if io::stdin().read_line(&mut line).unwrap_or(0) == 0 {
        return ExitCode::SUCCESS; // the driver is gone
    }
    let mut faults = look(&lock, &mut witness);
    faults.extend(fill(place, capacity));
    drop(lock);
    if let Some(name) = place.strip_prefix("name:")
        && process_rwlock::list().iter().flatten().any(|seen| seen.name.as_deref() == Some(name))
    {
        faults.push("the lock is still there after the last one has closed it".into());
        let _ = process_rwlock::remove(LockRef::Name(name));
    }
    for fault in &faults {
        witness.violation(fault);
    }
    println!("checked");
    ExitCode::SUCCESS
}

fn note_lateness(log: &mut Log) {
    loop {
        let start = now();
        thread::sleep(NAP);
        let woken = now();
        let late = (woken - start).saturating_sub(NAP.as_nanos() as u64);
        if late > LATE {
            let mut record = Record::new(Kind::Late, woken);
            record.token = late;
            log.add(record);
        }
    }
}

/// Everybody else is dead or has closed the lock: nobody is in the way, at once. What `ownerDied` must say here the check of
/// the histories knows.
fn look(lock: &RwLock, witness: &mut Witness) -> Vec<String> {
    let mut faults = Vec::new();
    let seen = lock.inspect();
    if !seen.holders.is_empty() || !seen.waiters.is_empty() {
        faults.push(format!("holders or waiters are left when all are gone: {seen:?}"));
    }
    let refused = |mode| format!("a try in mode {mode:?} is refused when all are gone: {:?}", lock.inspect());
    for last in [false, true] {
        let op = witness.acquire(Mode::Read, Way::Try);
        if let Some(guard) = lock.try_read() {
            witness.granted(op, Mode::Read, 0, died(guard.owner_died()));
            let op = witness.release(op, Mode::Read, Way::Whole);
            drop(guard);
            witness.done(op);
        } else {
            witness.denied(op, Outcome::Refused);
            faults.push(refused(Mode::Read));
        }
        if last {
            break;
        }
        let op = witness.acquire(Mode::Upgradable, Way::Try);
        if let Some(guard) = lock.try_upgradable() {
            witness.granted(op, Mode::Upgradable, 0, died(guard.owner_died()));
            let op = witness.release(op, Mode::Upgradable, Way::Whole);
            drop(guard);
            witness.done(op);
        } else {
            witness.denied(op, Outcome::Refused);
            faults.push(refused(Mode::Upgradable));
        }
        let op = witness.acquire(Mode::Write, Way::Try);
        if let Some(guard) = lock.try_write() {
            witness.granted(op, Mode::Write, guard.token(), died(guard.owner_died()));
            (0..process_rwlock_storm::CANARY_STEPS).for_each(|step| witness.write_canary(step, guard.token()));
            let op = witness.release(op, Mode::Write, Way::Whole);
            drop(guard);
            witness.done(op);
        } else {
            witness.denied(op, Outcome::Refused);
            faults.push(refused(Mode::Write));
        }
    }
    faults
}

/// Every place that the lock was made for can be had, and not one more.
fn fill(place: &str, capacity: u32) -> Vec<String> {
    let mut faults = Vec::new();
    let mut open = Vec::new();
    for number in 1..capacity {
        match crate::open(place, &OpenOptions::new()) {
            Ok(lock) => open.push(lock),
            Err(error) => {
                faults.push(format!("only {number} of {capacity} places can be had when all are gone: {error}"));
                return faults;
            }
        }
    }
    match crate::open(place, &OpenOptions::new()) {
        Err(error) if error.kind() == ErrorKind::Full => {}
        Err(error) => faults.push(format!("a full lock says: {error}")),
        Ok(_) => faults.push(format!("more than its {capacity} places can be had")),
    }
    faults
}
