use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use process_rwlock::{Attachment, ErrorKind, LockRef, OpenOptions, Options, Result, RwLock, remove};

use super::{Child, TEST_TIMEOUT, ms};

/// A lock of one test. Declare it before everything that uses it: it is removed when dropped, which
/// must be possible then.
pub struct TestLock {
    location: LockLocation,
    directory: PathBuf,
    _bound: Sender<()>,
}

/// The maximum duration of a test.
const BOUND: Duration = Duration::from_secs(90);

enum LockLocation {
    Name(String),
    Path(PathBuf),
}

impl TestLock {
    pub fn named() -> Self {
        let directory = directory();
        let name = format!("process-rwlock-test/{}", directory.file_name().unwrap().display());
        Self { location: LockLocation::Name(name), directory, _bound: bound() }
    }

    pub fn called(name: &str) -> Self {
        let mut lock = Self::named();
        lock.location = LockLocation::Name(name.into());
        lock
    }

    pub fn at_path() -> Self {
        let directory = directory();
        Self { location: LockLocation::Path(directory.join("lock")), directory, _bound: bound() }
    }

    /// One lock of each kind, for tests that apply to both.
    pub fn both_kinds() -> [Self; 2] {
        [Self::named(), Self::at_path()]
    }

    pub fn reference(&self) -> LockRef<'_> {
        match &self.location {
            LockLocation::Name(name) => LockRef::Name(name),
            LockLocation::Path(path) => LockRef::Path(path),
        }
    }

    pub fn name(&self) -> &str {
        let LockLocation::Name(name) = &self.location else { panic!("it has a path") };
        name
    }

    pub fn path(&self) -> &Path {
        let LockLocation::Path(path) = &self.location else { panic!("it has a name") };
        path
    }

    /// A file of the test, which is removed with the lock.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    #[track_caller]
    pub fn open(&self) -> RwLock {
        self.open_with(&OpenOptions::new()).unwrap()
    }

    pub fn open_with(&self, options: &OpenOptions) -> Result<RwLock> {
        match &self.location {
            LockLocation::Name(name) => options.open(name),
            LockLocation::Path(path) => options.open_path(path),
        }
    }

    #[track_caller]
    pub fn attach(&self) -> Attachment {
        Attachment::open(self.reference(), &Options::default()).unwrap()
    }

    /// A process that has opened the lock.
    #[track_caller]
    pub fn child(&self) -> Child {
        let child = Child::new(self.reference());
        assert_eq!(child.ask("open"), "ok");
        child
    }

    pub fn remove(&self) -> Result<bool> {
        remove(self.reference())
    }
}

impl Drop for TestLock {
    fn drop(&mut self) {
        // A killed process stays attached until the kernel has closed its files.
        let deadline = Instant::now() + TEST_TIMEOUT;
        let removed = loop {
            match self.remove() {
                Err(error) if error.kind() == ErrorKind::Busy && Instant::now() < deadline => thread::sleep(ms(1)),
                removed => break removed,
            }
        };
        let _ = fs::remove_dir_all(&self.directory);
        if let Err(error) = removed
            && error.kind() != ErrorKind::Corrupt
            && !thread::panicking()
        {
            panic!("the test left its lock behind: {error}");
        }
    }
}

/// Ends the whole process unless the returned value is dropped in time, because a hanging wait
/// cannot be ended otherwise.
fn bound() -> Sender<()> {
    let (bound, end) = channel();
    let test = thread::current().name().unwrap_or_default().to_owned();
    thread::spawn(move || {
        if end.recv_timeout(BOUND) == Err(RecvTimeoutError::Timeout) {
            eprintln!("{test} hangs: it has not ended within {BOUND:?}");
            process::abort();
        }
    });
    bound
}

/// A new directory below the build directory.
fn directory() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("{}-{}", process::id(), COUNT.fetch_add(1, Relaxed));
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    directory
}
