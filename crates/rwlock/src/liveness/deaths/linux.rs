//! Linux 5.3: a descriptor of a process can be read once that has ended, and by then its files are closed.
//! Source: pidfd_open(2); `do_exit` of the kernel calls `exit_files` before `exit_notify`.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::Duration;

/// An epoll of such descriptors.
pub(super) struct Deaths(Arc<OwnedFd>);

/// Dropping it takes it out of the epoll. To close it is not enough where a forked child has a copy of the descriptor: the
/// epoll would report that death for ever.
pub(super) struct Watched {
    epoll: Arc<OwnedFd>,
    process: OwnedFd,
}

pub(super) fn own_namespace() -> u32 {
    // They are told apart by their inodes: namespaces(7).
    std::fs::metadata("/proc/self/ns/pid").map_or(0, |pid| pid.ino() as u32)
}

impl Deaths {
    pub fn new() -> io::Result<Self> {
        // SAFETY: no memory is involved.
        owned(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) }).map(|epoll| Self(Arc::new(epoll)))
    }

    pub fn watch(&self, pid: u32) -> io::Result<Watched> {
        // SAFETY: no memory is involved. The descriptor is closed on exec, always.
        let process = owned(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) } as RawFd)?;
        control(&self.0, libc::EPOLL_CTL_ADD, &process, pid)?;
        Ok(Watched { epoll: self.0.clone(), process })
    }

    /// The pid of a process that has ended; `None` if there was none for so long.
    pub fn next(&self, time: Duration) -> Option<u32> {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        // SAFETY: `event` is valid for writes of one.
        let found = unsafe { libc::epoll_wait(self.0.as_raw_fd(), &raw mut event, 1, time.as_millis() as libc::c_int) };
        (found == 1).then_some(event.u64 as u32)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // It cannot fail for a descriptor that was added.
        let _ = control(&self.epoll, libc::EPOLL_CTL_DEL, &self.process, 0);
    }
}

fn control(epoll: &OwnedFd, change: libc::c_int, process: &OwnedFd, pid: u32) -> io::Result<()> {
    let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: pid.into() };
    // SAFETY: both descriptors are open, and `event` is valid for reads.
    let done = unsafe { libc::epoll_ctl(epoll.as_raw_fd(), change, process.as_raw_fd(), &raw mut event) };
    if done == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn owned(descriptor: RawFd) -> io::Result<OwnedFd> {
    if descriptor == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}
