//! macOS: a kernel queue reports that a process has ended, after its files were closed. Source:
//! kqueue(2), `EVFILT_PROC`; `proc_exit` of the kernel calls `fdt_invalidate` before `proc_knote`.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

pub(super) struct ExitWatch(Arc<OwnedFd>);

/// Removes the process from the queue when dropped.
pub(super) struct Watched {
    queue: Arc<OwnedFd>,
    pid: u32,
}

/// Unknown: a PID in use may belong to a process that has ended and was not waited for.
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
        // SAFETY: just opened, and not owned by anything else.
        let queue = unsafe { OwnedFd::from_raw_fd(queue) };
        // SAFETY: no memory is involved. (Forked children do not inherit a queue; this is for
        // children of posix_spawn.)
        if unsafe { libc::fcntl(queue.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) } == -1 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self(Arc::new(queue)))
    }

    /// [`ExitWatch::next`] returns `number` when the process has ended.
    pub fn watch(&self, pid: u32, number: u64) -> io::Result<Watched> {
        change(&self.0, &event(pid, libc::EV_ADD | libc::EV_ONESHOT, number))?;
        Ok(Watched { queue: self.0.clone(), pid })
    }

    /// The number of a process that has ended; `None` if none ended within `time`.
    pub fn next(&self, time: Duration) -> Option<u64> {
        let mut found = event(0, 0, 0);
        let time = libc::timespec { tv_sec: time.as_secs() as _, tv_nsec: time.subsec_nanos().into() };
        // SAFETY: `found` is valid for writes of one element, `time` for reads.
        let count = unsafe { libc::kevent(self.0.as_raw_fd(), ptr::null(), 0, &raw mut found, 1, &raw const time) };
        (count == 1).then_some(found.udata as u64)
    }

    /// Unknown. PIDs are reused only after all others.
    pub fn has_ended(_watched: &Watched) -> bool {
        false
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // Fails if the event was delivered already.
        let _ = change(&self.queue, &event(self.pid, libc::EV_DELETE, 0));
    }
}
