//! Linux 5.3: a descriptor of a process can be read once that has ended, and by then its files are closed. One thread waits
//! for all that this process wants to know of, and ends when there is nothing more.
//! Source: pidfd_open(2); `do_exit` of the kernel calls `exit_files` before `exit_notify`.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::segment::Segment;

/// Processes that are listened for at once. Descriptors are the application's: of more than these the looks must do.
const MAX_PROCESSES: usize = 64;
/// How often the thread looks whether it is still needed, in ms.
const IDLE_TIME: libc::c_int = 1000;

/// Those listened for, by their pid, and the descriptor that the thread waits at. `None`: there is no thread.
static REGISTER: Mutex<Option<Register>> = Mutex::new(None);

struct Register {
    epoll: Arc<OwnedFd>,
    processes: BTreeMap<u32, Process>,
    last_number: u64,
}

struct Process {
    /// Closing it takes it out of the epoll.
    _descriptor: OwnedFd,
    listeners: BTreeMap<u64, Listener>,
}

#[derive(Clone)]
struct Listener {
    segment: Arc<Segment>,
    slot: usize,
}

/// A listener. Ends when it is dropped.
pub(super) struct Listening {
    pid: u32,
    number: u64,
}

pub(super) fn own_namespace() -> u32 {
    // They are told apart by their inodes: namespaces(7).
    std::fs::metadata("/proc/self/ns/pid").map_or(0, |pid| pid.ino() as u32)
}

fn register() -> MutexGuard<'static, Option<Register>> {
    REGISTER.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Listening {
    pub fn new(pid: u32, segment: &Arc<Segment>, slot: usize) -> Option<Self> {
        let mut register = register();
        if register.is_none() {
            *register = Some(Register::start().ok()?);
        }
        let register = register.as_mut()?;
        if !register.processes.contains_key(&pid) {
            register.add(pid).ok()?;
        }
        register.last_number += 1;
        let number = register.last_number;
        let listener = Listener { segment: segment.clone(), slot };
        register.processes.get_mut(&pid)?.listeners.insert(number, listener);
        Some(Self { pid, number })
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // Declared first, so that what is taken out is dropped when the register is free again: it may be the last to have
        // the lock's memory mapped.
        let (_listener, _process);
        let mut register = register();
        let Some(register) = register.as_mut() else { return };
        let Some(process) = register.processes.get_mut(&self.pid) else { return };
        _listener = process.listeners.remove(&self.number);
        if process.listeners.is_empty() {
            _process = register.processes.remove(&self.pid);
        }
    }
}

impl Register {
    fn start() -> io::Result<Self> {
        // SAFETY: no memory is involved.
        let epoll = Arc::new(owned(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?);
        let awaited = epoll.clone();
        thread::Builder::new().name("rwlock-deaths".into()).stack_size(128 * 1024).spawn(move || listen(&awaited))?;
        Ok(Self { epoll, processes: BTreeMap::new(), last_number: 0 })
    }

    fn add(&mut self, pid: u32) -> io::Result<()> {
        if self.processes.len() >= MAX_PROCESSES {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        // SAFETY: no memory is involved. The descriptor is closed on exec, always.
        let descriptor = owned(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) } as RawFd)?;
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: pid.into() };
        // SAFETY: both descriptors are open, and `event` is valid for reads.
        let added = unsafe {
            libc::epoll_ctl(self.epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, descriptor.as_raw_fd(), &raw mut event)
        };
        if added == -1 {
            return Err(io::Error::last_os_error());
        }
        self.processes.insert(pid, Process { _descriptor: descriptor, listeners: BTreeMap::new() });
        Ok(())
    }
}

fn owned(descriptor: RawFd) -> io::Result<OwnedFd> {
    if descriptor == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// The thread.
fn listen(epoll: &OwnedFd) {
    loop {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        // SAFETY: `event` is valid for writes of one.
        let found = unsafe { libc::epoll_wait(epoll.as_raw_fd(), &raw mut event, 1, IDLE_TIME) };
        if found == 1 {
            let dead = register().as_mut().and_then(|register| register.processes.remove(&(event.u64 as u32)));
            for listener in dead.into_iter().flat_map(|process| process.listeners.into_values()) {
                listener.segment.follow_death(listener.slot);
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
    use crate::attachment::{Attachment, LockRef, Options};
    use crate::liveness::deaths::Notice;

    const BOUND: Duration = Duration::from_secs(20);

    fn wait_for(what: &str, condition: impl Fn() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < BOUND, "{what}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    struct Party {
        attachments: Vec<Attachment>,
        path: std::path::PathBuf,
        child: Child,
    }

    impl Party {
        /// Two attachments, and a process that the slot of the second one says is its own.
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
            let open = || Attachment::open(LockRef::Path(&path), &Options::default()).unwrap();
            let attachments = vec![open(), open()];
            let child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
            let party = Self { attachments, path, child };
            party.slot_of_child().pid.store(party.child.id(), std::sync::atomic::Ordering::Relaxed);
            party
        }

        fn slot_of_child(&self) -> &crate::layout::WaitLine {
            &self.attachments[1].slot().waiting
        }

        fn notice(&self) -> Option<Notice> {
            Notice::of(&self.attachments[0].segment, self.attachments[1].index)
        }

        /// The kernel drops the byte, then tells of the death.
        fn dies(&mut self) {
            let dead = &self.attachments[1];
            dead.segment.lock.unlock(crate::liveness::slot_byte(dead.index)).unwrap();
            self.child.kill().unwrap();
        }
    }

    impl Drop for Party {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
            self.attachments.clear();
            let _ = std::fs::remove_file(&self.path);
        }
    }

    /// The only test of this file's state: the others run beside it in threads of their own.
    #[test]
    fn a_death_is_followed_without_a_look_and_nothing_is_left() {
        let listens_for = |pid| register().as_ref().is_some_and(|register| register.processes.contains_key(&pid));
        let mut party = Party::new("deaths");
        let pid = party.child.id();
        assert!(party.attachments[1].try_write());
        let free = |party: &Party| party.attachments[0].segment.load_gate().is_free();

        let [first, second] = std::array::from_fn(|_| party.notice().expect("a notice"));
        assert!(first.is_sure && listens_for(pid));
        drop(first);
        assert!(listens_for(pid), "somebody else still listens");
        drop(second);
        assert!(!listens_for(pid));

        // Here it is not known whether the pid is this one.
        party.slot_of_child().namespace.store(1, std::sync::atomic::Ordering::Relaxed);
        let unsure = party.notice().expect("a notice");
        assert!(!unsure.is_sure);

        // Said to have died, and its byte says that it lives.
        party.attachments[0].segment.follow_death(party.attachments[1].index);
        assert!(!free(&party));

        party.dies();
        wait_for("the dead one's gate is free", || free(&party));
        assert!(!listens_for(pid));
        drop(unsure);
        party.child.wait().unwrap();
        assert!(party.notice().is_none(), "there is no such process");
        party.slot_of_child().pid.store(std::process::id(), std::sync::atomic::Ordering::Relaxed);
        assert!(party.notice().is_none(), "it is this one");
        party.slot_of_child().pid.store(0, std::sync::atomic::Ordering::Relaxed);
        assert!(party.notice().is_none(), "it is nobody");
        wait_for("the thread ends", || register().is_none());
    }
}
