//! The cost of an uncontended pair, acquire and release, of this lock and of other process-shared
//! locks.
//!
//! All contenders take turns in short batches, and each is compared with `pthread_rwlock` in the
//! same round, so that other load affects them equally. Prints medians, and the spread from the
//! 10th to the 90th percentile.

use std::fs;
use std::mem;
use std::path::Path;
use std::process;
use std::rc::Rc;
use std::time::{Duration, Instant};

use process_rwlock::{DEFAULT_CAPACITY, OpenOptions};
use serde_json::json;

use super::Result;
use super::statistics::{median, percentile};
use super::systems::{Fcntl, Flock, Lock, PreferReader, ProcessRwLock, Pthread, RawSync};

/// Long compared with the resolution of the clock, short compared with a time slice.
const BATCH: Duration = Duration::from_micros(500);
/// The default numbers of attachments of a lock. A writer checks all of them.
const ATTACHED: [u32; 3] = [1, 16, 128];

/// Does a number of pairs.
type Batch = Box<dyn FnMut(u32)>;

struct Contender {
    name: String,
    batch: Batch,
    /// Pairs that fill a [`BATCH`].
    pairs: u32,
    /// ns a pair, by round.
    times: Vec<f64>,
}

impl Contender {
    fn new(name: impl Into<String>, pair: impl Fn() -> Result<()> + 'static) -> Self {
        let batch: Batch = Box::new(move |pairs| (0..pairs).for_each(|_| pair().expect("uncontended")));
        Self { name: name.into(), batch, pairs: 1, times: Vec::new() }
    }

    fn time(&mut self, pairs: u32) -> Duration {
        let start = Instant::now();
        (self.batch)(pairs);
        start.elapsed()
    }

    fn calibrate(&mut self) {
        // The fastest of five: one pause would make the batch too small for the whole run.
        while (0..5).map(|_| self.time(self.pairs)).min() < Some(BATCH) {
            self.pairs *= 2;
        }
    }

    fn round(&mut self) {
        let took = self.time(self.pairs);
        self.times.push(took.as_secs_f64() * 1e9 / f64::from(self.pairs));
    }
}

pub fn main(options: &[&str]) -> Result<()> {
    let (mut rounds, mut as_json, mut attached) = (401, false, ATTACHED.to_vec());
    let mut options = options.iter();
    while let Some(&option) = options.next() {
        match option {
            "--quick" => rounds = 101,
            "--json" => as_json = true,
            "--slots" => {
                let numbers = options.next().ok_or("--slots takes numbers")?;
                attached = numbers.split(',').map(str::parse).collect::<std::result::Result<_, _>>()?;
            }
            _ => return Err(format!("there is no option {option}").into()),
        }
    }
    allow_descriptors();
    let directory = Path::new("/dev/shm").join(format!("process-rwlock-bench-{}", process::id()));
    fs::create_dir(&directory)?;
    let contenders = contenders(&directory, &attached);
    // All files stay open. They are unlinked now, so that none is left behind however this process
    // ends.
    fs::remove_dir_all(&directory)?;
    let mut groups = contenders?;
    for contender in groups.iter_mut().flat_map(|(_, contenders)| contenders) {
        contender.calibrate();
    }
    for round in 0..rounds {
        for (_, contenders) in &mut groups {
            let length = contenders.len();
            // The order rotates, so that no contender always follows the same one.
            (0..length).for_each(|turn| contenders[(turn + round) % length].round());
        }
    }
    if as_json {
        print_json(&groups);
    } else {
        print_table(&groups, rounds);
    }
    Ok(())
}

/// Raises the limit of descriptors, often 1024: each attachment needs one or two.
pub(super) fn allow_descriptors() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: valid for writes.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: valid for reads. If it fails, opening a lock reports it.
    unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
}

// ---- the contenders; the first of each group is the reference

type Groups = [(&'static str, Vec<Contender>); 2];

fn contenders(directory: &Path, attached: &[u32]) -> Result<Groups> {
    let mut groups: Groups = [("read", Vec::new()), ("write", Vec::new())];
    enter(&mut groups, "pthread_rwlock_t", Pthread::<PreferReader>::open(&directory.join("pthread"))?);
    enter(&mut groups, "raw_sync RwLock", RawSync::open(&directory.join("raw_sync"))?);
    for &number in attached {
        let (lock, others) = ours(&directory.join(format!("ours-{number}")), number)?;
        enter(&mut groups, &format!("process-rwlock, {number} attached"), lock);
        mem::forget(others); // keeps them attached
    }
    enter(&mut groups, "flock", Flock::open(&directory.join("flock"))?);
    enter(&mut groups, "fcntl", Fcntl::open(&directory.join("fcntl"))?);
    Ok(groups)
}

fn enter(groups: &mut Groups, name: &str, lock: impl Lock + 'static) {
    let reads = Rc::new(lock);
    let writes = Rc::clone(&reads);
    let [(_, read), (_, write)] = groups;
    read.push(Contender::new(name, move || reads.read().map(drop)));
    write.push(Contender::new(name, move || writes.write().map(drop)));
}

/// A lock, and its other attachments.
fn ours(path: &Path, attached: u32) -> Result<(ProcessRwLock, Vec<ProcessRwLock>)> {
    let options = OpenOptions::new().capacity(attached.max(DEFAULT_CAPACITY));
    let lock = ProcessRwLock::with(path, &options)?;
    let others = (1..attached).map(|_| ProcessRwLock::with(path, &options)).collect::<Result<_>>()?;
    Ok((lock, others))
}

// ---- the results

struct Summary {
    median: f64,
    low: f64,
    high: f64,
    /// Median of the ratios to the reference in each round.
    ratio: f64,
}

fn summary(contender: &Contender, reference: &Contender) -> Summary {
    let ratios = contender.times.iter().zip(&reference.times).map(|(own, reference)| own / reference).collect();
    let times = &contender.times;
    Summary {
        median: median(times.clone()),
        low: percentile(times.clone(), 10.0),
        high: percentile(times.clone(), 90.0),
        ratio: median(ratios),
    }
}

fn print_table(groups: &Groups, rounds: usize) {
    println!("Uncontended pairs, ns; {rounds} rounds of {BATCH:?} each");
    for (group, contenders) in groups {
        println!("\n{:<30} {:>8} {:>17} {:>10}", format!("{group} pair"), "median", "10-90 %", "x pthread");
        for contender in contenders {
            let Summary { median, low, high, ratio } = summary(contender, &contenders[0]);
            let spread = format!("{low:.1}-{high:.1}");
            println!("{:<30} {median:>8.1} {spread:>17} {ratio:>10.2}", contender.name);
        }
    }
}

fn print_json(groups: &Groups) {
    let results = groups.iter().flat_map(|(group, contenders)| {
        contenders.iter().map(move |contender| {
            let Summary { median, low, high, ratio } = summary(contender, &contenders[0]);
            json!({
                "name": format!("{group}: {}", contender.name),
                "median": median,
                "p10": low,
                "p90": high,
                "ratioToPthread": ratio,
                "rounds": contender.times.len(),
            })
        })
    });
    println!("{}", results.collect::<serde_json::Value>());
}
