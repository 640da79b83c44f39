//! The error type of the crate, with a stable kind.

use std::fmt;
use std::io;

use crate::sys::os_error;

/// The kinds of [`Error`]. [`ErrorKind::code`] is the code that the Node API uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The timeout passed before the lock was granted.
    Timeout,
    /// The request could never be granted, because this thread itself holds the lock in a
    /// conflicting mode.
    Deadlock,
    /// All attachments are in use, even after the slots of dead ones were freed.
    Full,
    /// The memory or file is not a valid lock.
    Corrupt,
    /// The lock has another layout version, or another capacity than the requested one.
    Incompatible,
    /// No permission, a wrong owner, a network file system, or no space. The message names the
    /// remedy.
    Access,
    /// The lock is in use, or another process prevents it from being opened; or an upgradable hold
    /// cannot become a read hold, because the limit on readers is reached.
    Busy,
    /// The hold does not have the mode that the call needs.
    Mode,
    /// An argument is out of range.
    InvalidArgument,
    /// A blocking wait was interrupted by its caller.
    Interrupted,
    /// The system lacks a feature that the lock needs.
    Unsupported,
    /// The lock was opened before this process was forked. Open it again in the child.
    Forked,
}

impl ErrorKind {
    /// The stable code, for example `ERR_LOCK_TIMEOUT`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Timeout => "ERR_LOCK_TIMEOUT",
            Self::Deadlock => "ERR_LOCK_DEADLOCK",
            Self::Full => "ERR_LOCK_FULL",
            Self::Corrupt => "ERR_LOCK_CORRUPT",
            Self::Incompatible => "ERR_LOCK_INCOMPATIBLE",
            Self::Access => "ERR_LOCK_ACCESS",
            Self::Busy => "ERR_LOCK_BUSY",
            Self::Mode => "ERR_LOCK_MODE",
            Self::InvalidArgument => "ERR_INVALID_ARG_VALUE",
            Self::Interrupted => "ERR_LOCK_INTERRUPTED",
            Self::Unsupported => "ERR_LOCK_UNSUPPORTED",
            Self::Forked => "ERR_LOCK_CLOSED",
        }
    }
}

/// An error of the lock: a kind for programs, and a message that says what to do.
///
/// If the system refused a call, [`Error::raw_os_error`] and [`Error::syscall`] give the details.
/// The message already contains the system's reason, so there is no
/// [`source`](std::error::Error::source) that would repeat it.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    system: Option<io::Error>,
    syscall: Option<&'static str>,
}

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), system: None, syscall: None }
    }

    /// `what` failed because the system returned `error`. The remedy depends on the error only.
    pub(crate) fn access(what: impl fmt::Display, error: io::Error) -> Self {
        let remedy = os_error::general(&error);
        Self::system(what, os_error::reason(&error), error, remedy)
    }

    /// `what` failed for `reason`, which explains the system's `error`; `remedy` says what to do.
    pub(crate) fn system(
        what: impl fmt::Display,
        reason: impl fmt::Display,
        error: io::Error,
        remedy: impl fmt::Display,
    ) -> Self {
        let code = os_error::code(&error).map_or_else(String::new, |code| format!(" ({code})"));
        let mut refused = Self::new(ErrorKind::Access, format!("{what}: {reason}{code}; {remedy}"));
        refused.system = Some(error);
        refused
    }

    /// The error if the thread that waits on behalf of an event loop could not be started
    /// ([`crate::Watch::begin`]).
    #[must_use]
    pub fn without_thread(error: io::Error) -> Self {
        let reason = os_error::reason(&error);
        let remedy = "raise the limit of threads (ulimit -u, or that of the container), or end some";
        Self::system("cannot start a thread that waits for the lock", reason, error, remedy).during("pthread_create")
    }

    /// The system call that failed.
    pub(crate) fn during(mut self, syscall: &'static str) -> Self {
        self.syscall = Some(syscall);
        self
    }

    /// Like [`Error::access`], for a feature that the system does not support.
    pub(crate) fn unsupported(what: impl fmt::Display, source: io::Error) -> Self {
        Self { kind: ErrorKind::Unsupported, ..Self::access(what, source) }
    }

    pub(crate) fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    /// What kind of error this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The number of the system's error, as [`io::Error::raw_os_error`], if a system call failed.
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        self.system.as_ref()?.raw_os_error()
    }

    /// The name of the system's error, for example `EACCES`.
    #[must_use]
    pub fn os_code(&self) -> Option<&'static str> {
        os_error::code_name(self.system.as_ref()?)
    }

    /// The text of the system's error, for example `permission denied`.
    #[must_use]
    pub fn os_text(&self) -> Option<String> {
        self.system.as_ref().map(os_error::reason)
    }

    /// The system call that failed, for example `open`.
    #[must_use]
    pub fn syscall(&self) -> Option<&'static str> {
        self.syscall
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
