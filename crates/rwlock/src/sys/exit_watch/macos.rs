//! macOS: a kernel queue tells that a process has ended, which it does after closing its files.
//! Source: kqueue(2), `EVFILT_PROC`; `proc_exit` of the kernel calls `fdt_invalidate` before `proc_knote`.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

pub(super) struct ExitWatch(Arc<OwnedFd>);

/// Dropping it takes it out of the queue.
pub(super) struct Watched {
    queue: Arc<OwnedFd>,
    pid: u32,
}

/// Not known: that a number is in use says nothing of those who have ended and were not asked about.
pub(crate) fn has_ended(_pid: u32) -> Option<bool> {
    None
}

/// One for the whole machine.
pub(super) fn own_namespace() -> u32 {
    1
}

fn event(pid: u32, flags: u16, number: u64) -> libc::kevent {
    libc::kevent {
        ident: pid as libc::uintptr_t,
        filter: libc::EVFILT_PROC,
        flags,
        fflags: libc::NOTE_EXIT,
        data: 0,
        udata: number as *mut _,
    }
}

fn change(queue: &OwnedFd, event: &libc::kevent) -> io::Result<()> {
    // SAFETY: one event is read, none is written.
    let done = unsafe { libc::kevent(queue.as_raw_fd(), event, 1, ptr::null_mut(), 0, ptr::null()) };
    if done == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

impl ExitWatch {
    pub fn new() -> io::Result<Self> {
        // SAFETY: no memory is involved.
        let queue = unsafe { libc::kqueue() };
        if queue == -1 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just opened, and nobody else's.
        let queue = unsafe { OwnedFd::from_raw_fd(queue) };
        // SAFETY: no memory is involved. (Children by fork do not inherit a queue; this is for those by posix_spawn.)
        if unsafe { libc::fcntl(queue.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) } == -1 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self(Arc::new(queue)))
    }

    /// `number` is what [`ExitWatch::next`] says when the process has ended.
    pub fn watch(&self, pid: u32, number: u64) -> io::Result<Watched> {
        change(&self.0, &event(pid, libc::EV_ADD | libc::EV_ONESHOT, number))?;
        Ok(Watched { queue: self.0.clone(), pid })
    }

    /// The number of a process that has ended; `None` if there was none for so long.
    pub fn next(&self, time: Duration) -> Option<u64> {
        let mut found = event(0, 0, 0);
        let time = libc::timespec { tv_sec: time.as_secs() as _, tv_nsec: time.subsec_nanos().into() };
        // SAFETY: `found` is valid for writes of one, `time` for reads.
        let count = unsafe { libc::kevent(self.0.as_raw_fd(), ptr::null(), 0, &raw mut found, 1, &raw const time) };
        (count == 1).then_some(found.udata as u64)
    }

    /// Not known. Numbers are used again only when all the others have been.
    pub fn has_ended(_watched: &Watched) -> bool {
        false
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // It fails for one that has been told.
        let _ = change(&self.queue, &event(self.pid, libc::EV_DELETE, 0));
    }
}
