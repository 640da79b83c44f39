//! What an uncontended pair, acquire and release, costs: ours beside the process-shared locks that there are.
//!
//! ```text
//! cargo bench -p process-rwlock --bench pairs [-- --quick] [-- --json]
//! ```
//!
//! All contenders take turns in short batches, and each is compared with `pthread_rwlock` of the same round: what disturbs
//! the machine meanwhile disturbs them alike. Medians, and the spread from the 10th to the 90th percentile.

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

/// `raw_sync`'s lock does not exist on Windows and does not link on macOS.
#[cfg(not(target_os = "linux"))]
fn main() {
    println!("The rivals are all at home on Linux only.");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::{self, File};
    use std::io;
    use std::os::fd::AsRawFd;
    use std::path::Path;
    use std::process;
    use std::time::{Duration, Instant};

    use memmap2::MmapRaw;
    use process_rwlock::{OpenOptions, RwLock};
    use raw_sync::locks::{LockImpl, LockInit, RwLock as RawSync};

    /// Long beside the clock's resolution, short beside a time slice.
    const BATCH: Duration = Duration::from_micros(500);
    /// How many attachments a lock has. A writer looks at all of them.
    const ATTACHED: [usize; 3] = [1, 16, 128];

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
        fn new(name: impl Into<String>, mut pair: impl FnMut() + 'static) -> Self {
            let batch: Batch = Box::new(move |pairs| (0..pairs).for_each(|_| pair()));
            Self { name: name.into(), batch, pairs: 1, times: Vec::new() }
        }

        fn time(&mut self, pairs: u32) -> Duration {
            let start = Instant::now();
            (self.batch)(pairs);
            start.elapsed()
        }

        fn calibrate(&mut self) {
            // The fastest of some: a pause in between would make the batch too small for ever.
            while (0..5).map(|_| self.time(self.pairs)).min() < Some(BATCH) {
                self.pairs *= 2;
            }
        }

        fn round(&mut self) {
            let took = self.time(self.pairs);
            self.times.push(took.as_secs_f64() * 1e9 / f64::from(self.pairs));
        }
    }

    pub fn main() {
        let has = |option: &str| std::env::args().any(|argument| argument == option);
        let rounds = if has("--quick") { 101 } else { 401 };
        let directory = Path::new("/dev/shm").join(format!("process-rwlock-bench-{}", process::id()));
        fs::create_dir(&directory).expect("a directory in shared memory");
        let mut groups = [("read", readers(&directory)), ("write", writers(&directory))];
        // Everything stays open: unlinked now, nothing is left behind however this ends.
        fs::remove_dir_all(&directory).expect("own directory");
        for contender in groups.iter_mut().flat_map(|(_, contenders)| contenders) {
            contender.calibrate();
        }
        for round in 0..rounds {
            for (_, contenders) in &mut groups {
                let length = contenders.len();
                // Each starts once in a while, so that nobody always follows the same neighbour.
                (0..length).for_each(|place| contenders[(place + round) % length].round());
            }
        }
        if has("--json") { print_json(&groups) } else { print_table(&groups, rounds) }
    }

    // ---- the contenders; the first of each group is the measure

    fn readers(directory: &Path) -> Vec<Contender> {
        let (pthread, raw_sync) = (Pthread::new(directory), raw_sync(directory));
        let (flock, fcntl) = (file(directory), file(directory));
        let mut contenders = vec![
            Contender::new("pthread_rwlock_t", move || pthread.pair(libc::pthread_rwlock_rdlock)),
            Contender::new("raw_sync RwLock", move || drop(raw_sync.rlock().expect("uncontended"))),
        ];
        contenders.extend(ours(directory, |lock| drop(lock.read().expect("uncontended"))));
        contenders.push(Contender::new("flock", move || flock_pair(&flock, libc::LOCK_SH)));
        contenders.push(Contender::new("fcntl", move || fcntl_pair(&fcntl, libc::F_RDLCK)));
        contenders
    }

    fn writers(directory: &Path) -> Vec<Contender> {
        let (pthread, raw_sync) = (Pthread::new(directory), raw_sync(directory));
        let (flock, fcntl) = (file(directory), file(directory));
        let mut contenders = vec![
            Contender::new("pthread_rwlock_t", move || pthread.pair(libc::pthread_rwlock_wrlock)),
            Contender::new("raw_sync RwLock", move || drop(raw_sync.lock().expect("uncontended"))),
        ];
        contenders.extend(ours(directory, |lock| drop(lock.write().expect("uncontended"))));
        contenders.push(Contender::new("flock", move || flock_pair(&flock, libc::LOCK_EX)));
        contenders.push(Contender::new("fcntl", move || fcntl_pair(&fcntl, libc::F_WRLCK)));
        contenders
    }

    fn ours(directory: &Path, pair: fn(&RwLock)) -> Vec<Contender> {
        let contender = |attached: usize| {
            let path = directory.join("ours");
            let mut locks: Vec<_> =
                (0..attached).map(|_| OpenOptions::new().open_path(&path).expect("a place in it")).collect();
            let _ = fs::remove_file(&path); // the next one is another lock
            let lock = locks.remove(0);
            Contender::new(format!("process-rwlock, {attached} attached"), move || {
                pair(&lock);
                let _ = &locks;
            })
        };
        ATTACHED.into_iter().map(contender).collect()
    }

    struct Pthread(MmapRaw);

    impl Pthread {
        fn new(directory: &Path) -> Self {
            let lock = Self(page(directory));
            // SAFETY: plain old data; all zero is a valid value to be initialised.
            let mut attributes: libc::pthread_rwlockattr_t = unsafe { std::mem::zeroed() };
            // SAFETY: valid for writes.
            check(unsafe { libc::pthread_rwlockattr_init(&raw mut attributes) });
            // SAFETY: initialised above.
            check(unsafe { libc::pthread_rwlockattr_setpshared(&raw mut attributes, libc::PTHREAD_PROCESS_SHARED) });
            // SAFETY: the page is larger than a lock, aligned, and nobody uses it yet.
            check(unsafe { libc::pthread_rwlock_init(lock.raw(), &raw const attributes) });
            lock
        }

        fn raw(&self) -> *mut libc::pthread_rwlock_t {
            self.0.as_mut_ptr().cast()
        }

        fn pair(&self, lock: unsafe extern "C" fn(*mut libc::pthread_rwlock_t) -> i32) {
            // SAFETY: initialised by `new`, mapped while `self` lives.
            check(unsafe { lock(self.raw()) });
            // SAFETY: as above; this thread holds it.
            check(unsafe { libc::pthread_rwlock_unlock(self.raw()) });
        }
    }

    fn raw_sync(directory: &Path) -> Box<dyn LockImpl> {
        // The lock keeps a bare pointer: the page must stay.
        let page = Box::leak(Box::new(page(directory)));
        let data = page.as_mut_ptr().wrapping_add(RawSync::size_of(None));
        // SAFETY: the page is zero, large enough for lock and data, and stays mapped.
        unsafe { RawSync::new(page.as_mut_ptr(), data) }.expect("enough memory").0
    }

    fn flock_pair(file: &File, kind: i32) {
        // SAFETY: takes two numbers; the descriptor is open.
        check(unsafe { libc::flock(file.as_raw_fd(), kind) });
        // SAFETY: as above.
        check(unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_UN) });
    }

    fn fcntl_pair(file: &File, kind: i32) {
        for kind in [kind, libc::F_UNLCK] {
            // SAFETY: plain old data; all zero is a valid value: the whole file.
            let mut request: libc::flock = unsafe { std::mem::zeroed() };
            request.l_type = kind as libc::c_short;
            // SAFETY: the descriptor is open and `request` valid for reads.
            check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLKW, &raw const request) });
        }
    }

    fn check(result: i32) {
        assert_eq!(result, 0, "{}", io::Error::last_os_error());
    }

    /// A page of shared memory.
    fn page(directory: &Path) -> MmapRaw {
        let file = file(directory);
        file.set_len(4096).expect("room");
        MmapRaw::map_raw(&file).expect("a mapping")
    }

    /// A file of its own.
    fn file(directory: &Path) -> File {
        let path = directory.join("rival");
        let file = File::options().read(true).write(true).create_new(true).open(&path).expect("a new file");
        fs::remove_file(path).expect("own file");
        file
    }

    // ---- the results

    struct Summary {
        median: f64,
        low: f64,
        high: f64,
        /// Median of the ratios to the measure, round by round.
        ratio: f64,
    }

    fn summary(contender: &Contender, measure: &Contender) -> Summary {
        let ratios = contender.times.iter().zip(&measure.times).map(|(own, measure)| own / measure).collect();
        let times = &contender.times;
        Summary {
            median: percentile(times.clone(), 50),
            low: percentile(times.clone(), 10),
            high: percentile(times.clone(), 90),
            ratio: percentile(ratios, 50),
        }
    }

    fn percentile(mut values: Vec<f64>, percent: usize) -> f64 {
        values.sort_by(f64::total_cmp);
        values[(values.len() - 1) * percent / 100]
    }

    fn print_table(groups: &[(&str, Vec<Contender>)], rounds: usize) {
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

    fn print_json(groups: &[(&str, Vec<Contender>)]) {
        let lines = groups.iter().flat_map(|(group, contenders)| {
            contenders.iter().map(move |contender| {
                let Summary { median, low, high, ratio } = summary(contender, &contenders[0]);
                let (name, rounds) = (&contender.name, contender.times.len());
                format!(
                    "{{\"name\":\"{group}: {name}\",\"median\":{median:.2},\"p10\":{low:.2},\"p90\":{high:.2},\
                     \"ratioToPthread\":{ratio:.3},\"rounds\":{rounds}}}"
                )
            })
        });
        println!("[{}]", lines.collect::<Vec<_>>().join(",\n"));
    }
}
