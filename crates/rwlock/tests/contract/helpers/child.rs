use std::env;
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{self, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use process_rwlock::{
    Attachment, Error, Local, LockRef, OpenOptions, Options, OwnerDied, ReadGuard, RwLock, UpgradableGuard,
    WaitOptions, WriteGuard, now,
};

use super::{Page, TEST_TIMEOUT, ms, permits, system, workload};

/// The reference of the lock for a child: `name` or `path`, then a colon and the value.
const PLACE: &str = "PROCESS_RWLOCK_TEST_PLACE";
/// The prefix of an answer. Lines of the child's test harness do not have it.
const ANSWER: &str = "> ";

/// A process that executes one command after another. It is killed when the value is dropped.
pub struct Child {
    process: process::Child,
    commands: process::ChildStdin,
    answers: Receiver<String>,
}

impl Child {
    /// A process that has not opened the lock yet.
    #[track_caller]
    pub fn new(lock: LockRef<'_>) -> Self {
        Self::with_environment(lock, &[])
    }

    #[track_caller]
    pub fn with_environment(lock: LockRef<'_>, variables: &[(&str, &str)]) -> Self {
        Self::start(Command::new(env::current_exe().unwrap()), lock, variables)
    }

    /// A process that is started by the command `under`, and ends with it.
    #[cfg(target_os = "linux")]
    #[track_caller]
    pub fn under(under: &[&str], lock: LockRef<'_>) -> Self {
        let mut command = Command::new(under[0]);
        command.args(&under[1..]).arg(env::current_exe().unwrap());
        Self::start(command, lock, &[])
    }

    #[track_caller]
    fn start(mut command: Command, lock: LockRef<'_>, variables: &[(&str, &str)]) -> Self {
        let location = match lock {
            LockRef::Name(name) => format!("name:{name}"),
            LockRef::Path(path) => format!("path:{}", path.display()),
        };
        command
            .args(["--exact", "helpers::child::serve", "--ignored", "--nocapture", "--test-threads", "1"])
            .env(PLACE, location)
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = system::spawn(&mut command).unwrap();
        let commands = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (said, answers) = channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if let Some(answer) = line.strip_prefix(ANSWER)
                    && said.send(answer.into()).is_err()
                {
                    break;
                }
            }
        });
        Self { process, commands, answers }
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Sends a command whose answer comes later or never.
    pub fn tell(&self, command: &str) {
        writeln!(&self.commands, "{command}").unwrap();
    }

    /// The answer to the oldest command that was sent.
    #[track_caller]
    pub fn answer(&self) -> String {
        self.answer_within(TEST_TIMEOUT)
            .unwrap_or_else(|| panic!("child {} gave no answer in {TEST_TIMEOUT:?}", self.pid()))
    }

    /// Like [`Child::answer`]; `None` if there is no answer within `time`.
    #[track_caller]
    pub fn answer_within(&self, time: Duration) -> Option<String> {
        match self.answers.recv_timeout(time) {
            Ok(answer) => Some(answer),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => panic!("child {} has ended", self.pid()),
        }
    }

    #[track_caller]
    pub fn ask(&self, command: &str) -> String {
        self.tell(command);
        self.answer()
    }

    /// Lets the child acquire the lock (`read`, `write`, `upgradable`, `upgrade`).
    #[track_caller]
    pub fn hold(&self, mode: &str) {
        assert_eq!(self.ask(mode), "granted");
    }

    /// The fencing token of the child's write hold.
    #[track_caller]
    pub fn token(&self) -> u64 {
        self.ask("token").parse().unwrap()
    }

    #[track_caller]
    pub fn release(&self) {
        assert_eq!(self.ask("release"), "ok");
    }

    /// Kills the child at any instruction, and waits for its end.
    pub fn kill(mut self) {
        self.end();
    }

    /// Lets the child end by itself (`exit`, `abort`).
    #[track_caller]
    pub fn end_by(mut self, command: &str) {
        self.tell(command);
        self.process.wait().unwrap();
    }

    /// Stops the child at any instruction.
    pub fn stop(&self) {
        system::stop(&self.process);
    }

    pub fn resume(&self) {
        system::resume(&self.process);
    }

    fn end(&mut self) {
        // This ends stopped processes too. Both calls have no effect after the first time.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.end();
    }
}

// ---- inside the child

enum Hold {
    Read(ReadGuard<'static>),
    Upgradable(UpgradableGuard<'static>),
    Write(WriteGuard<'static>),
}

impl Hold {
    fn value(&self) -> Option<Vec<u8>> {
        match self {
            Self::Read(guard) => guard.value(),
            Self::Upgradable(guard) => guard.value(),
            Self::Write(guard) => guard.value(),
        }
    }

    fn owner_died(&self) -> Option<OwnerDied> {
        match self {
            Self::Read(guard) => guard.owner_died(),
            Self::Upgradable(guard) => guard.owner_died(),
            Self::Write(guard) => guard.owner_died(),
        }
    }
}

static LOCAL: Local<Counted> = Local::new();
static LOCAL_DROPS: AtomicU32 = AtomicU32::new(0);

struct Counted(u32);

impl Drop for Counted {
    fn drop(&mut self) {
        LOCAL_DROPS.fetch_add(1, Relaxed);
    }
}

#[derive(Default)]
pub(super) struct Servant {
    lock: Option<&'static RwLock>,
    holds: Vec<Hold>,
    /// The message of the last error.
    message: String,
}

#[test]
#[ignore = "it is what child processes run"]
fn serve() {
    let Ok(location) = env::var(PLACE) else { return };
    let (said, commands) = channel();
    thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            let _ = said.send(line);
        }
        process::exit(0); // the parent has ended
    });
    let mut servant = Servant::default();
    for command in commands {
        println!("\n{ANSWER}{}", servant.answer(&command, &location));
    }
}

impl Servant {
    pub(super) fn answer(&mut self, command: &str, location: &str) -> String {
        match catch_unwind(AssertUnwindSafe(|| self.carry_out(command, location))) {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                self.message = error.to_string();
                format!("{:?}", error.kind())
            }
            Err(_) => "panic".into(),
        }
    }

    fn carry_out(&mut self, command: &str, location: &str) -> Result<String, Error> {
        let words: Vec<&str> = command.split(' ').collect();
        let argument = words.get(1).copied().unwrap_or_default();
        let timeout = argument.parse().ok().map(ms);
        match words[0] {
            "open" => self.lock = Some(Box::leak(Box::new(open(location, &options(&words[1..]))?))),
            "read" => {
                let lock = self.lock();
                self.holds.push(Hold::Read(timeout.map_or_else(|| lock.read(), |time| lock.read_timeout(time))?));
                return Ok("granted".into());
            }
            "write" => {
                let lock = self.lock();
                self.holds.push(Hold::Write(timeout.map_or_else(|| lock.write(), |time| lock.write_timeout(time))?));
                return Ok("granted".into());
            }
            "upgradable" => {
                let lock = self.lock();
                let hold = timeout.map_or_else(|| lock.upgradable(), |time| lock.upgradable_timeout(time))?;
                self.holds.push(Hold::Upgradable(hold));
                return Ok("granted".into());
            }
            "upgrade" => {
                let Some(Hold::Upgradable(guard)) = self.holds.pop() else { panic!("no upgradable hold") };
                let (hold, result) = match guard.upgrade(timeout) {
                    Ok(guard) => (Hold::Write(guard), Ok("granted".into())),
                    Err((guard, error)) => (Hold::Upgradable(guard), Err(error)),
                };
                self.holds.push(hold);
                return result;
            }
            "downgrade" => {
                let hold = match self.holds.pop() {
                    Some(Hold::Upgradable(guard)) => guard.downgrade().map_err(|(_, error)| error)?,
                    Some(Hold::Write(guard)) => guard.downgrade()?,
                    _ => panic!("no exclusive hold"),
                };
                self.holds.push(Hold::Read(hold));
            }
            "try_read" => return Ok(granted(self.lock().try_read().is_some())),
            "try_write" => return Ok(granted(self.lock().try_write().is_some())),
            "release" => drop(self.holds.pop().expect("a hold")),
            "token" => {
                return Ok(self.writer().token().to_string());
            }
            "set_value" => self.writer().set_value(Some(argument.as_bytes()))?,
            "remove_value" => self.writer().set_value(None)?,
            // Values of many lengths, each of equal bytes, until it is killed.
            "set_values" => {
                println!("\n{ANSWER}begun");
                for number in 0_usize.. {
                    self.writer().set_value(Some(&vec![number as u8; 1 + number % 1024]))?;
                }
            }
            "value" => {
                let value = self.holds.last().map_or_else(|| self.lock().value(), Hold::value);
                return Ok(value.map_or("none".into(), |value| String::from_utf8_lossy(&value).into_owned()));
            }
            "longest" => {
                return Ok(self.lock().inspect().holders.iter().map(|holder| holder.ms).max().unwrap_or(0).to_string());
            }
            "owner_died" => return Ok(died(self.holds.last().expect("a hold").owner_died())),
            "churn" => return Ok(churn(location, argument.parse().unwrap())),
            "count" => count(location, words[1].parse().unwrap(), Path::new(words[2])),
            "work" => {
                let (seed, time) = (words[1].parse().unwrap(), ms(words[2].parse().unwrap()));
                let writes = workload::run(|| open(location, &OpenOptions::new()), seed, time, Path::new(words[3]))?;
                return Ok(writes.to_string());
            }
            "permits" => {
                let [seed, place, processes, limit]: [u64; 4] = [1, 2, 3, 4].map(|word| words[word].parse().unwrap());
                let lock = open(location, &OpenOptions::new())?;
                permits::Worker::new(Path::new(words[5]), seed, place as usize, processes as usize, limit)
                    .run(&lock)?;
            }
            "set_local" => drop(LOCAL.set(Counted(argument.parse().unwrap()))),
            "local" => return Ok(LOCAL.get().map_or("unset".into(), |value| value.0.to_string())),
            "take_local" => drop(LOCAL.take()),
            "local_drops" => return Ok(LOCAL_DROPS.load(Relaxed).to_string()),
            "in_thread" => {
                let lock = self.lock();
                let use_it = || {
                    let tried = lock.try_read().is_some();
                    (tried, lock.inspect().holders.len(), lock.read().map(drop))
                };
                let (tried, holders, read) = thread::scope(|scope| scope.spawn(use_it).join().unwrap());
                return read.map(|()| format!("{tried} {holders} granted"));
            }
            "threads_after_chdir" => return Ok(granted(threads_after_chdir(location)?)),
            "list" => return Ok(process_rwlock::list()?.len().to_string()),
            "descriptors" => return Ok(descriptors(location, argument.parse().unwrap())),
            #[cfg(target_os = "linux")]
            "no_open_file_locks" => system::no_open_file_locks(),
            #[cfg(target_os = "linux")]
            "no_more_descriptors" => system::no_more_descriptors(),
            "message" => return Ok(self.message.clone()),
            "holders" => return Ok(self.lock().inspect().holders.len().to_string()),
            "close" => {
                self.holds.clear();
                let lock = self.lock.take().expect("an open lock");
                // SAFETY: it was leaked by `open`, and nobody refers to it any more.
                drop(unsafe { Box::from_raw(std::ptr::from_ref(lock).cast_mut()) });
            }
            #[cfg(unix)]
            "fork" => return Ok(super::forked::fork(self, location, argument)),
            #[cfg(unix)]
            "fork_later" => super::forked::fork_later(Path::new(argument).into()),
            #[cfg(unix)]
            "fork_often" => return Ok(super::forked::fork_often(location, argument.parse().unwrap())),
            #[cfg(unix)]
            "processor_time" => return Ok(system::processor_time().as_millis().to_string()),
            "steal" => steal(location)?,
            "exit" => process::exit(0),
            "abort" => process::abort(),
            _ => panic!("what is {command:?}?"),
        }
        Ok("ok".into())
    }

    fn writer(&self) -> &WriteGuard<'static> {
        let Some(Hold::Write(guard)) = self.holds.last() else { panic!("no write hold") };
        guard
    }

    fn lock(&self) -> &'static RwLock {
        self.lock.expect("an open lock")
    }
}

/// Asks for a steal, and keeps asking.
fn steal(location: &str) -> Result<(), Error> {
    let lock = match location.split_once(':') {
        Some(("name", name)) => LockRef::Name(name),
        Some(("path", path)) => LockRef::Path(Path::new(path)),
        _ => panic!("where is {location:?}?"),
    };
    let attachment = Box::leak(Box::new(Attachment::open(lock, &Options::default())?));
    attachment.request_steal(WaitOptions { deadline: u64::MAX, fairness: 0, in_turn: false });
    attachment.poll(now())
}

pub(super) fn open(location: &str, options: &OpenOptions) -> Result<RwLock, Error> {
    match location.split_once(':') {
        Some(("name", name)) => options.open(name),
        Some(("path", path)) => options.open_path(path),
        _ => panic!("where is {location:?}?"),
    }
}

fn options(words: &[&str]) -> OpenOptions {
    words.iter().fold(OpenOptions::new(), |options, word| match word.split_once('=') {
        Some(("capacity", capacity)) => options.capacity(capacity.parse().unwrap()),
        Some(("max_readers", limit)) => options.max_readers(limit.parse().unwrap()),
        Some(("fairness", fairness)) => options.fairness(ms(fairness.parse().unwrap())),
        Some(("label", label)) => options.label(label),
        Some(("durable", durable)) => options.durable(durable.parse().unwrap()),
        _ => panic!("what is {word:?}?"),
    })
}

fn granted(granted: bool) -> String {
    if granted { "granted" } else { "refused" }.into()
}

fn died(died: Option<OwnerDied>) -> String {
    died.map_or("nobody".into(), |died| format!("{} '{}' {}", died.pid, died.label, died.token))
}

/// Opens, uses and closes the lock `times` times, and returns what that left in this process.
fn churn(location: &str, times: u32) -> String {
    let use_it = || {
        let lock = open(location, &OpenOptions::new()).unwrap();
        drop(lock.write().unwrap());
        drop(lock.read().unwrap());
    };
    use_it();
    let before = system::resources();
    for _ in 0..times {
        use_it();
    }
    let mut left = String::new();
    for ((name, before), (_, after)) in before.into_iter().zip(system::resources()) {
        if after > before {
            write!(left, "{} {name}, ", after - before).unwrap();
        }
    }
    if left.is_empty() { "nothing".into() } else { left }
}

/// How many more descriptors this process has after it has opened the lock `times` more times.
fn descriptors(location: &str, times: usize) -> String {
    let count = || system::resources().into_iter().find(|(name, _)| *name == "descriptors").unwrap().1;
    let _first = open(location, &OpenOptions::new()).unwrap();
    let before = count();
    let _locks: Vec<_> = (0..times).map(|_| open(location, &OpenOptions::new()).unwrap()).collect();
    (count() - before).to_string()
}

/// Whether a thread can use a lock that was opened by a relative path in another working directory.
fn threads_after_chdir(location: &str) -> Result<bool, Error> {
    let path = Path::new(location.strip_prefix("path:").expect("a path"));
    env::set_current_dir(path.parent().unwrap()).unwrap();
    let lock = RwLock::open_path(path.file_name().unwrap())?;
    env::set_current_dir("/").unwrap();
    let _reading = lock.read()?;
    thread::scope(|scope| scope.spawn(|| lock.read().map(|_| true)).join().unwrap())
}

/// Opens the lock, increments an unprotected number, and closes the lock, `times` times.
fn count(location: &str, times: u32, page: &Path) {
    let page = Page::open(page);
    for _ in 0..times {
        let lock = open(location, &OpenOptions::new()).unwrap();
        let _writing = lock.write().unwrap();
        let value = page.get(0);
        thread::yield_now();
        page.set(0, value + 1);
    }
}
