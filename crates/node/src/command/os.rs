//! System calls. All of them may be called in the child of a process with several threads: they
//! neither allocate nor lock.

use std::ffi::{CStr, c_char, c_int};
use std::io;
use std::mem::{MaybeUninit, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;

use libc::{pid_t, sigset_t};

pub(super) type Handler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut std::ffi::c_void);

pub(super) fn errno() -> c_int {
    io::Error::last_os_error().raw_os_error().unwrap_or_default()
}

/// The calling thread alone continues in the child, which has copies of all descriptors.
#[cfg(target_os = "linux")]
pub(super) fn fork() -> io::Result<pid_t> {
    // Not fork(): its handlers would give up the descriptors of the locks in the child.
    // SAFETY: as fork(); the callers call only functions of this file in the child.
    result(unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) } as pid_t)
}

/// The calling thread alone continues in the child, without the locks of this process.
#[cfg(not(target_os = "linux"))]
pub(super) fn fork() -> io::Result<pid_t> {
    // SAFETY: the callers call only functions of this file in the child.
    result(unsafe { libc::fork() })
}

pub(super) fn own_pid() -> pid_t {
    // SAFETY: takes and changes nothing.
    unsafe { libc::getpid() }
}

pub(super) fn parent_pid() -> pid_t {
    // SAFETY: takes and changes nothing.
    unsafe { libc::getppid() }
}

/// Whether this process is the first one of its session.
pub(super) fn leads_session() -> bool {
    // SAFETY: takes a number.
    let leader = unsafe { libc::getsid(0) };
    leader == own_pid()
}

/// Returns only if it fails. The lists end with a null pointer.
pub(super) fn execve(path: &CStr, argv: &[*const c_char], envp: &[*const c_char]) {
    // SAFETY: the lists have terminators, and their strings live as long as the `Image`.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
}

pub(super) fn exit(code: c_int) -> ! {
    // SAFETY: ends the process.
    unsafe { libc::_exit(code) }
}

pub(super) fn kill(pid: pid_t, signal: c_int) {
    // SAFETY: takes numbers.
    unsafe { libc::kill(pid, signal) };
}

pub(super) fn end_by_signal(signal: c_int) -> ! {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: reads `none`. The core would be that of Node.js.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
    set_default(signal);
    set_mask(&mask(|_| {}));
    kill(own_pid(), signal);
    exit(128 + signal)
}

/// A change of a child.
pub(super) enum Change {
    Stopped,
    Continued,
    Exited(c_int),
    /// By that signal.
    Signaled(c_int),
}

/// The next change of a child: its end, or what `options` asks for. `None`: none now.
pub(super) fn wait(pid: pid_t, options: c_int) -> io::Result<Option<(pid_t, Change)>> {
    let mut status = 0;
    // SAFETY: `status` is valid for writes.
    match result(unsafe { libc::waitpid(pid, &raw mut status, options) })? {
        0 => Ok(None),
        child if libc::WIFSTOPPED(status) => Ok(Some((child, Change::Stopped))),
        child if libc::WIFCONTINUED(status) => Ok(Some((child, Change::Continued))),
        child if libc::WIFSIGNALED(status) => Ok(Some((child, Change::Signaled(libc::WTERMSIG(status))))),
        child => Ok(Some((child, Change::Exited(libc::WEXITSTATUS(status))))),
    }
}

/// Waits until one of the descriptors is readable, or its other end is closed, or `ms` have passed.
pub(super) fn poll<const N: usize>(descriptors: [RawFd; N], ms: c_int) -> [bool; N] {
    let mut asked = descriptors.map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
    // SAFETY: `asked` is valid for writes of its length.
    unsafe { libc::poll(asked.as_mut_ptr(), N as libc::nfds_t, ms) };
    asked.map(|each| each.revents != 0)
}

/// The number of bytes read; 0 at the end. Errors other than an interruption are the end, too.
pub(super) fn read(descriptor: RawFd, buffer: &mut [u8]) -> usize {
    loop {
        // SAFETY: `buffer` is valid for writes of its length.
        let count = unsafe { libc::read(descriptor, buffer.as_mut_ptr().cast(), buffer.len()) };
        if count != -1 || errno() != libc::EINTR {
            return usize::try_from(count).unwrap_or_default();
        }
    }
}

/// Writes a few bytes to a pipe, which takes them as a whole.
pub(super) fn write(descriptor: RawFd, bytes: &[u8]) {
    // SAFETY: `bytes` is valid for reads of its length.
    while unsafe { libc::write(descriptor, bytes.as_ptr().cast(), bytes.len()) } == -1 && errno() == libc::EINTR {}
}

/// Opens a file to read it.
#[cfg(target_os = "linux")]
pub(super) fn open(path: &CStr) -> Option<RawFd> {
    // SAFETY: `path` is a string.
    result(unsafe { libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC) }).ok()
}

pub(super) fn close(descriptor: RawFd) {
    // SAFETY: the caller uses the descriptor no more; in a forked child nothing owns it.
    unsafe { libc::close(descriptor) };
}

/// Lets the command inherit a descriptor. Node.js keeps those that it has inherited to itself.
pub(super) fn pass_on(descriptor: RawFd) {
    // SAFETY: takes numbers.
    unsafe { libc::fcntl(descriptor, libc::F_SETFD, 0) };
}

pub(super) fn set_nonblocking(descriptor: BorrowedFd<'_>) {
    // SAFETY: takes numbers.
    unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
}

// ---- signals

pub(super) fn mask(change: impl FnOnce(*mut sigset_t)) -> sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: valid for writes.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    change(set.as_mut_ptr());
    // SAFETY: initialized above.
    unsafe { set.assume_init() }
}

pub(super) fn all_signals() -> sigset_t {
    mask(|set| {
        // SAFETY: the set is initialized.
        unsafe { libc::sigfillset(set) };
    })
}

pub(super) fn only(signal: c_int) -> sigset_t {
    mask(|set| {
        // SAFETY: the set is initialized.
        unsafe { libc::sigaddset(set, signal) };
    })
}

/// Replaces the signals that this thread blocks, and returns those before.
pub(super) fn set_mask(set: &sigset_t) -> sigset_t {
    change_mask(libc::SIG_SETMASK, set)
}

/// Lets `signal` through.
pub(super) fn unblock(signal: c_int) {
    change_mask(libc::SIG_UNBLOCK, &only(signal));
}

fn change_mask(how: c_int, set: &sigset_t) -> sigset_t {
    mask(|before| {
        // SAFETY: both sets are initialized, and `before` is valid for writes.
        unsafe { libc::pthread_sigmask(how, set, before) };
    })
}

pub(super) fn set_handler(signal: c_int, handler: Handler) {
    let address: *const () = handler as *const ();
    set_action(signal, address.expose_provenance(), libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK);
}

pub(super) fn set_default(signal: c_int) {
    set_action(signal, libc::SIG_DFL, 0);
}

fn set_action(signal: c_int, handler: libc::sighandler_t, flags: c_int) {
    // SAFETY: plain old data, of which all zero is a valid value.
    let mut action: libc::sigaction = unsafe { zeroed() };
    action.sa_sigaction = handler;
    action.sa_flags = flags;
    action.sa_mask = all_signals();
    // SAFETY: `action` is initialized; a handler has the signature that `SA_SIGINFO` asks for.
    unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) };
}

/// All dispositions as a process starts with. Those that cannot be changed stay.
pub(super) fn set_all_default() {
    for signal in 1..MAX_SIGNAL {
        set_default(signal);
    }
}

#[cfg(target_os = "linux")]
const MAX_SIGNAL: c_int = 65;
#[cfg(not(target_os = "linux"))]
const MAX_SIGNAL: c_int = 32;

/// Restores `errno`, which a handler of a signal must not change, at its end.
pub(super) struct KeepErrno(c_int);

impl KeepErrno {
    pub fn new() -> Self {
        Self(errno())
    }
}

impl Drop for KeepErrno {
    fn drop(&mut self) {
        #[cfg(target_os = "linux")]
        // SAFETY: takes nothing.
        let place = unsafe { libc::__errno_location() };
        #[cfg(not(target_os = "linux"))]
        // SAFETY: takes nothing.
        let place = unsafe { libc::__error() };
        // SAFETY: the thread's own variable.
        unsafe { *place = self.0 };
    }
}

fn result(number: pid_t) -> io::Result<pid_t> {
    if number == -1 { Err(io::Error::last_os_error()) } else { Ok(number) }
}
