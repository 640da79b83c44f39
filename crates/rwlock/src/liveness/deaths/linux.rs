//! Linux 5.3: a descriptor of a process can be read once that has ended, and by then its files are closed.
//! Source: pidfd_open(2); `do_exit` of the kernel calls `exit_files` before `exit_notify`.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

/// An epoll of such descriptors.
pub(super) struct Deaths(OwnedFd);

/// Closing it takes it out of the epoll.
pub(super) type Watched = OwnedFd;

pub(super) fn own_namespace() -> u32 {
    // They are told apart by their inodes: namespaces(7).
    std::fs::metadata("/proc/self/ns/pid").map_or(0, |pid| pid.ino() as u32)
}

impl Deaths {
    pub fn new() -> io::Result<Self> {
        // SAFETY: no memory is involved.
        owned(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) }).map(Self)
    }

    pub fn watch(&self, pid: u32) -> io::Result<Watched> {
        // SAFETY: no memory is involved. The descriptor is closed on exec, always.
        let watched = owned(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) } as RawFd)?;
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: pid.into() };
        // SAFETY: both descriptors are open, and `event` is valid for reads.
        let added =
            unsafe { libc::epoll_ctl(self.0.as_raw_fd(), libc::EPOLL_CTL_ADD, watched.as_raw_fd(), &raw mut event) };
        if added == -1 { Err(io::Error::last_os_error()) } else { Ok(watched) }
    }

    /// The pid of a process that has ended; `None` if there was none for so long.
    pub fn next(&self, time: Duration) -> Option<u32> {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        // SAFETY: `event` is valid for writes of one.
        let found = unsafe { libc::epoll_wait(self.0.as_raw_fd(), &raw mut event, 1, time.as_millis() as libc::c_int) };
        (found == 1).then_some(event.u64 as u32)
    }
}

fn owned(descriptor: RawFd) -> io::Result<OwnedFd> {
    if descriptor == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}
