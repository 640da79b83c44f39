//! One thread waits for the exits of all processes that this process watches, and ends when there
//! are none.

use std::collections::BTreeMap;
use std::io;
use std::ptr;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use std::sync::atomic::{AtomicPtr, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::system::{ExitWatch, Watched};

/// The maximum number of watched processes. Descriptors belong to the application; beyond this
/// number, periodic checks must suffice.
const MAX_PROCESSES: usize = 64;
/// How often the thread checks whether it is still needed.
const IDLE_TIME: Duration = Duration::from_secs(1);

/// The watched processes, and what the thread waits on. `None`: the thread does not run.
type Shared = Mutex<Option<Register>>;

/// Created on first use and never freed. A forked child creates its own, because a thread that it
/// does not have may hold this lock.
static SHARED: AtomicPtr<Shared> = AtomicPtr::new(ptr::null_mut());

/// Never reused, not even by a forked child, which has copies of its parent's listeners that must
/// not end its own.
static LAST_NUMBER: AtomicU64 = AtomicU64::new(0);

struct Register {
    deaths: Arc<ExitWatch>,
    /// By unique numbers, because a PID may be reused before the exit of its earlier process is
    /// known here.
    processes: BTreeMap<u64, Process>,
}

struct Process {
    pid: u32,
    watched: Watched,
    listeners: BTreeMap<u64, Listener>,
}

/// Called when the process has ended.
type Listener = Box<dyn FnOnce() + Send>;

/// A registered listener. Unregistered when dropped.
pub(crate) struct Listening {
    process: u64,
    number: u64,
}

fn register() -> MutexGuard<'static, Option<Register>> {
    let mut shared = SHARED.load(Acquire);
    if shared.is_null() {
        let made = Box::into_raw(Box::new(Shared::default()));
        shared = match SHARED.compare_exchange(ptr::null_mut(), made, AcqRel, Acquire) {
            Ok(_) => made,
            Err(other) => {
                // SAFETY: created above, and not shared yet.
                drop(unsafe { Box::from_raw(made) });
                other
            }
        };
    }
    // SAFETY: never freed.
    unsafe { &*shared }.lock().unwrap_or_else(PoisonError::into_inner)
}

/// For a forked child. The processes of the parent stay registered: the epoll instance is shared,
/// so removing a descriptor would remove it for the parent too.
#[cfg(unix)]
pub(super) fn forget_at_fork() {
    SHARED.store(ptr::null_mut(), Relaxed);
}

fn next_number() -> u64 {
    LAST_NUMBER.fetch_add(1, Relaxed)
}

impl Listening {
    /// Calls `on_exit` on another thread, once, unless the listener is dropped before. `None`: the
    /// process does not exist, or the system cannot watch it.
    pub fn new(pid: u32, on_exit: impl FnOnce() + Send + 'static) -> Option<Self> {
        let mut register = register();
        if register.is_none() {
            *register = Some(Register::start().ok()?);
        }
        let register = register.as_mut()?;
        let process = register.number_of(pid).ok()?;
        let number = next_number();
        register.processes.get_mut(&process)?.listeners.insert(number, Box::new(on_exit));
        Some(Self { process, number })
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // Declared first, so that removed entries are dropped after the register is unlocked: an
        // entry may be the last owner of a lock's memory.
        let (_listener, _process);
        let mut register = register();
        let Some(register) = register.as_mut() else { return };
        let Some(process) = register.processes.get_mut(&self.process) else { return };
        _listener = process.listeners.remove(&self.number);
        if process.listeners.is_empty() {
            _process = register.processes.remove(&self.process);
        }
    }
}

impl Register {
    fn start() -> io::Result<Self> {
        let deaths = Arc::new(ExitWatch::new()?);
        let awaited = deaths.clone();
        thread::Builder::new().name("rwlock-deaths".into()).stack_size(128 * 1024).spawn(move || listen(&awaited))?;
        Ok(Self { deaths, processes: BTreeMap::new() })
    }

    /// The number of the process that has this PID now.
    fn number_of(&mut self, pid: u32) -> io::Result<u64> {
        let known =
            self.processes.iter().find(|(_, process)| process.pid == pid && !ExitWatch::has_ended(&process.watched));
        if let Some((&number, _)) = known {
            return Ok(number);
        }
        if self.processes.len() >= MAX_PROCESSES {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let number = next_number();
        let watched = self.deaths.watch(pid, number)?;
        self.processes.insert(number, Process { pid, watched, listeners: BTreeMap::new() });
        Ok(number)
    }
}

/// The body of the thread.
fn listen(deaths: &ExitWatch) {
    loop {
        if let Some(number) = deaths.next(IDLE_TIME) {
            let dead = register().as_mut().and_then(|register| register.processes.remove(&number));
            for listener in dead.into_iter().flat_map(|process| process.listeners.into_values()) {
                listener();
            }
        } else {
            let mut register = register();
            if register.as_ref().is_none_or(|register| register.processes.is_empty()) {
                *register = None;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    use super::*;
    use crate::attachment::Attachment;
    use crate::monitor::exit_notice::ExitNotice;
    use crate::options::{LockRef, Options};
    use crate::sys::exit_watch::namespace;

    const BOUND: Duration = Duration::from_secs(20);

    fn wait_for(what: &str, condition: impl Fn() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < BOUND, "{what}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    struct Participant {
        attachments: Vec<Attachment>,
        path: std::path::PathBuf,
        child: Child,
    }

    impl Participant {
        /// Two attachments, and a child process that appears to own the slot of the second one.
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
            let open = || Attachment::open(LockRef::Path(&path), &Options::default()).unwrap();
            let attachments = vec![open(), open()];
            // A command that waits for a line, which never comes.
            let (program, arguments): (_, &[_]) =
                if cfg!(windows) { ("cmd", &["/d", "/c", "set /p line="]) } else { ("cat", &[]) };
            let mut command = Command::new(program);
            let child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
            let party = Self { attachments, path, child };
            party.slot_of_child().pid.store(party.child.id(), std::sync::atomic::Ordering::Relaxed);
            party
        }

        fn slot_of_child(&self) -> &crate::shm::layout::WaitLine {
            &self.attachments[1].slot().waiting
        }

        fn exit_notice(&self) -> Option<ExitNotice> {
            ExitNotice::of(&self.attachments[0].segment, self.attachments[1].index)
        }

        /// The kernel drops the byte lock, and then reports the exit.
        fn dies(&mut self) {
            let dead = &self.attachments[1];
            dead.segment.lock.unlock(crate::shm::lock_file::slot_byte(dead.index)).unwrap();
            self.child.kill().unwrap();
        }
    }

    impl Drop for Participant {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
            self.attachments.clear();
            let _ = std::fs::remove_file(&self.path);
        }
    }

    /// The only test of this file's global state: the other tests run in parallel threads.
    #[test]
    fn a_death_is_followed_without_a_look_and_nothing_is_left() {
        let listens_for = |pid| {
            register().as_ref().is_some_and(|register| register.processes.values().any(|process| process.pid == pid))
        };
        let mut party = Participant::new("deaths");
        let pid = party.child.id();
        assert!(party.attachments[1].try_write());
        let free = |party: &Participant| party.attachments[0].segment.load_gate().is_free();

        let [first, second] = std::array::from_fn(|_| party.exit_notice().expect("a notice"));
        assert!(first.is_sure && listens_for(pid));
        drop(first);
        assert!(listens_for(pid), "somebody else still listens");
        drop(second);
        assert!(!listens_for(pid));

        // It is unknown whether the PID belongs to this process.
        party.slot_of_child().namespace.store(namespace() + 1, std::sync::atomic::Ordering::Relaxed);
        let unsure = party.exit_notice().expect("a notice");
        assert!(!unsure.is_sure);

        // The process is reported as ended, but its byte lock shows that it lives.
        party.attachments[0].segment.recovery().on_peer_exit(party.attachments[1].index);
        assert!(!free(&party));

        // While the exit has not been handled yet, another process may get the PID. It must not be
        // mistaken for the earlier one.
        #[cfg(target_os = "linux")]
        {
            let mut other = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
            let mut register = register();
            let register = register.as_mut().expect("the thread listens");
            let living = register.number_of(other.id()).unwrap();
            let again = register.number_of(other.id()).unwrap();
            other.kill().unwrap();
            wait_for("it has ended", || ExitWatch::has_ended(&register.processes[&living].watched));
            let next = register.number_of(other.id()).unwrap();
            other.wait().unwrap();
            register.processes.retain(|number, _| *number != living && *number != next);
            assert!(again == living && next != living);
        }

        party.dies();
        wait_for("the dead one's gate is free", || free(&party));
        assert!(!listens_for(pid));
        drop(unsure);
        party.child.wait().unwrap();
        // On Windows a process exists as long as a handle of it is open, and is reported as ended.
        assert!(cfg!(windows) || party.exit_notice().is_none(), "there is no such process");
        party.slot_of_child().pid.store(std::process::id(), std::sync::atomic::Ordering::Relaxed);
        assert!(party.exit_notice().is_none(), "it is this one");
        party.slot_of_child().pid.store(0, std::sync::atomic::Ordering::Relaxed);
        assert!(party.exit_notice().is_none(), "it is nobody");
        wait_for("the thread ends", || register().is_none());
    }
}
