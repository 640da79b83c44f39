//! Linux 5.3: a descriptor of a process becomes readable when the process has ended, after its
//! files were closed. Source: pidfd_open(2); `do_exit` of the kernel calls `exit_files` before
//! `exit_notify`.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::Duration;

/// An epoll instance of such descriptors.
pub(super) struct ExitWatch(Arc<OwnedFd>);

/// Removes the descriptor from the epoll instance when dropped. Closing it is not enough if a
/// forked child has a copy of the descriptor: the epoll instance would report the exit forever.
pub(super) struct Watched {
    epoll: Arc<OwnedFd>,
    process: OwnedFd,
}

pub(super) fn own_namespace() -> u32 {
    // Namespaces are identified by their inode numbers: namespaces(7).
    std::fs::metadata("/proc/self/ns/pid").map_or(0, |pid| pid.ino() as u32)
}

/// Whether no process has this number, or only one that its parent has not waited for yet. `None`:
/// unknown.
pub(crate) fn has_ended(pid: u32) -> Option<bool> {
    match open(pid) {
        Ok(process) => Some(is_readable(&process)),
        Err(error) => (error.raw_os_error() == Some(libc::ESRCH)).then_some(true),
    }
}

fn open(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: no memory is involved. The descriptor is always closed on exec.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) } as RawFd)
}

fn is_readable(process: &OwnedFd) -> bool {
    let mut asked = libc::pollfd { fd: process.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: `asked` is valid for writes of one element.
    unsafe { libc::poll(&raw mut asked, 1, 0) == 1 }
}

impl ExitWatch {
    pub fn new() -> io::Result<Self> {
        // SAFETY: no memory is involved.
        owned(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) }).map(|epoll| Self(Arc::new(epoll)))
    }

    /// [`ExitWatch::next`] returns `number` when the process has ended.
    pub fn watch(&self, pid: u32, number: u64) -> io::Result<Watched> {
        let process = open(pid)?;
        control(&self.0, libc::EPOLL_CTL_ADD, &process, number)?;
        Ok(Watched { epoll: self.0.clone(), process })
    }

    /// The number of a process that has ended; `None` if none ended within `time`.
    pub fn next(&self, time: Duration) -> Option<u64> {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        // SAFETY: `event` is valid for writes of one element.
        let found = unsafe { libc::epoll_wait(self.0.as_raw_fd(), &raw mut event, 1, time.as_millis() as libc::c_int) };
        (found == 1).then_some(event.u64)
    }

    /// Whether the process has ended, so that [`ExitWatch::next`] returns it, or has done so.
    /// Another process may have its PID by now.
    pub fn has_ended(watched: &Watched) -> bool {
        is_readable(&watched.process)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // Cannot fail for a descriptor that was added.
        let _ = control(&self.epoll, libc::EPOLL_CTL_DEL, &self.process, 0);
    }
}

fn control(epoll: &OwnedFd, change: libc::c_int, process: &OwnedFd, number: u64) -> io::Result<()> {
    let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: number };
    // SAFETY: both descriptors are open, and `event` is valid for reads.
    let done = unsafe { libc::epoll_ctl(epoll.as_raw_fd(), change, process.as_raw_fd(), &raw mut event) };
    if done == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn owned(descriptor: RawFd) -> io::Result<OwnedFd> {
    if descriptor == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened, and not owned by anything else.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}
