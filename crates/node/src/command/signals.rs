//! The signals that this process receives while it supervises. Node.js has several threads, and a
//! signal may arrive in any of them, so a handler writes it into a pipe.

use std::ffi::c_void;
use std::io;
use std::os::fd::{AsFd, AsRawFd, IntoRawFd, RawFd};
use std::sync::atomic::AtomicI32;
use std::sync::atomic::Ordering::Relaxed;

use libc::{c_int, pid_t};

use super::os::{self, KeepErrno};

/// Those that are passed on. Those of a terminal are only caught: the command has received them, and
/// decides whether it stops; the guardian then stops this process.
const PASSED_ON: [c_int; 12] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGALRM,
    libc::SIGWINCH,
    libc::SIGTSTP,
    libc::SIGTTIN,
    libc::SIGTTOU,
    libc::SIGCONT,
];

/// The writing end of the pipe.
static PIPE: AtomicI32 = AtomicI32::new(-1);

/// The reading end.
pub(super) struct Signals(RawFd);

impl Signals {
    /// Has the signals written into the pipe from now on.
    pub fn catch() -> io::Result<Self> {
        let signals = Self::pipe()?;
        for signal in PASSED_ON {
            os::set_handler(signal, on_signal);
        }
        Ok(signals)
    }

    /// Has the ends and stops of children written into the pipe. For the guardian.
    pub fn catch_children() -> io::Result<Self> {
        let signals = Self::pipe()?;
        os::set_handler(libc::SIGCHLD, on_signal);
        os::unblock(libc::SIGCHLD);
        Ok(signals)
    }

    /// Its ends are never closed: a handler may use them until the end of the process.
    fn pipe() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        // A handler must never block, nor [`Self::next`].
        os::set_nonblocking(reader.as_fd());
        os::set_nonblocking(writer.as_fd());
        PIPE.store(writer.into_raw_fd(), Relaxed);
        Ok(Self(reader.into_raw_fd()))
    }

    pub fn descriptor(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// The next signal that has arrived, and the process that has sent it.
    pub fn next(&self) -> Option<(c_int, Sender)> {
        let mut bytes = [0; RECORD];
        if os::read(self.0, &mut bytes) < RECORD {
            return None;
        }
        let record = i64::from_ne_bytes(bytes);
        let sender = match record as i32 {
            KERNEL => Sender::Kernel,
            pid => Sender::Process(pid),
        };
        Some(((record >> 32) as c_int, sender))
    }
}

pub(super) enum Sender {
    /// For example for a key in a terminal: all processes in the foreground have received it.
    Kernel,
    /// 0: one of an outer PID namespace, as when a container is told to stop.
    Process(pid_t),
}

const RECORD: usize = 8;
/// No process has this number.
const KERNEL: pid_t = -1;

extern "C" fn on_signal(signal: c_int, info: *mut libc::siginfo_t, _context: *mut c_void) {
    let _errno = KeepErrno::new();
    let record = i64::from(signal) << 32 | i64::from(sender_of(info).cast_unsigned());
    os::write(PIPE.load(Relaxed), &record.to_ne_bytes());
}

fn sender_of(info: *const libc::siginfo_t) -> pid_t {
    // SAFETY: the kernel passes a valid pointer to a handler with `SA_SIGINFO`.
    let info = unsafe { &*info };
    if cfg!(target_os = "linux") && info.si_code > 0 {
        return KERNEL; // its signals have other fields
    }
    // SAFETY: a process has sent it, or macOS.
    let pid = unsafe { info.si_pid() };
    // macOS has a 0 there for the kernel, and no PID namespaces.
    if cfg!(target_os = "macos") && pid == 0 { KERNEL } else { pid }
}
