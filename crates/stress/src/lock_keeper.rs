//! The lock keeper makes the lock and keeps it open, so that its memory stays the same from the first process to the last.
//! When all processes have ended, it checks that nothing of them is left. Meanwhile it records when the machine is too busy
//! for bounds on time to mean anything.

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use process_rwlock::{ErrorKind, LockRef, OpenOptions, OwnerDied, RwLock};
use process_rwlock_stress::{Died, Kind, Log, Mode, Outcome, Record, Recorder, Way, now};

/// Its process number: after all others.
const PROCESS: usize = 16;
/// How long it sleeps to measure how late it is woken, and the delay (ns) that it records.
const NAP: Duration = Duration::from_millis(5);
const LATE: u64 = 100_000_000;

pub(crate) fn died(died: Option<OwnerDied>) -> Option<Died> {
    died.map(|died| Died { pid: died.pid, token: died.token })
}

pub fn run(folder: &Path, location: &str, capacity: u32, limit: u32) -> ExitCode {
    let mut recorder = Recorder::new(folder, PROCESS, 1, 0).expect("the oracle page and a log");
    let options = OpenOptions::new().capacity(capacity);
    let options = if limit == 0 { options } else { options.max_readers(limit) };
    let lock = crate::open(location, &options).expect("a new lock");
    let mut log = Log::create(&folder.join("late.log")).expect("a log");
    thread::spawn(move || record_lateness(&mut log));
    println!("ready");
    let mut line = String::new();
    if io::stdin().read_line(&mut line).unwrap_or(0) == 0 {
        return ExitCode::SUCCESS; // the driver is gone
    }
    let mut faults = check(&lock, &mut recorder);
    faults.extend(fill(location, capacity));
    drop(lock);
    if let Some(name) = location.strip_prefix("name:")
        && process_rwlock::list().iter().flatten().any(|seen| seen.name.as_deref() == Some(name))
    {
        faults.push("the lock still exists after the last process closed it".into());
        let _ = process_rwlock::remove(LockRef::Name(name));
    }
    for fault in &faults {
        recorder.violation(fault);
    }
    println!("checked");
    ExitCode::SUCCESS
}

fn record_lateness(log: &mut Log) {
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

/// Every other process is dead or has closed the lock, so each try must succeed at once. The check of the histories knows what
/// `ownerDied` must say here.
fn check(lock: &RwLock, recorder: &mut Recorder) -> Vec<String> {
    let mut faults = Vec::new();
    let seen = lock.inspect();
    if !seen.holders.is_empty() || !seen.waiters.is_empty() {
        faults.push(format!("holders or waiters are left after every process has ended: {seen:?}"));
    }
    let op = recorder.look();
    recorder.saw(op, lock.value().as_deref());
    let refused =
        |mode| format!("a try in mode {mode:?} is refused after every process has ended: {:?}", lock.inspect());
    for last in [false, true] {
        let op = recorder.acquire(Mode::Read, Way::Try);
        if let Some(guard) = lock.try_read() {
            recorder.granted(op, Mode::Read, 0, died(guard.owner_died()));
            let op = recorder.release(op, Mode::Read, Way::Consistent);
            drop(guard);
            recorder.done(op);
        } else {
            recorder.denied(op, Outcome::Refused);
            faults.push(refused(Mode::Read));
        }
        if last {
            break;
        }
        let op = recorder.acquire(Mode::Upgradable, Way::Try);
        if let Some(guard) = lock.try_upgradable() {
            recorder.granted(op, Mode::Upgradable, 0, died(guard.owner_died()));
            let op = recorder.release(op, Mode::Upgradable, Way::Consistent);
            drop(guard);
            recorder.done(op);
        } else {
            recorder.denied(op, Outcome::Refused);
            faults.push(refused(Mode::Upgradable));
        }
        let op = recorder.acquire(Mode::Write, Way::Try);
        if let Some(guard) = lock.try_write() {
            recorder.granted(op, Mode::Write, guard.token(), died(guard.owner_died()));
            (0..process_rwlock_stress::CANARY_STEPS).for_each(|step| recorder.write_canary(step, guard.token()));
            let op = recorder.release(op, Mode::Write, Way::Consistent);
            drop(guard);
            recorder.done(op);
        } else {
            recorder.denied(op, Outcome::Refused);
            faults.push(refused(Mode::Write));
        }
    }
    faults
}

/// The lock can be opened as often as its capacity says, and not once more.
fn fill(location: &str, capacity: u32) -> Vec<String> {
    let mut faults = Vec::new();
    let mut open = Vec::new();
    for number in 1..capacity {
        match crate::open(location, &OpenOptions::new()) {
            Ok(lock) => open.push(lock),
            Err(error) => {
                faults.push(format!(
                    "only {number} of {capacity} attachments are possible after every process has ended: {error}"
                ));
                return faults;
            }
        }
    }
    match crate::open(location, &OpenOptions::new()) {
        Err(error) if error.kind() == ErrorKind::Full => {}
        Err(error) => faults.push(format!("a full lock fails with another error: {error}")),
        Ok(_) => faults.push(format!("more attachments than its capacity of {capacity} are possible")),
    }
    faults
}
