//! What can go wrong, as one type with a stable kind.

use std::fmt;
use std::io;

/// The kinds of [`Error`]; [`ErrorKind::code`] is the name the Node API gives each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The timeout passed before the lock was granted.
    Timeout,
    /// It could never be granted: this thread itself holds the lock in a conflicting mode.
    Deadlock,
    /// No free attachment, the dead ones reclaimed first.
    Full,
    /// The memory or file is not a valid lock.
    Corrupt,
    /// Another layout version, or another capacity than the one asked for explicitly.
    Incompatible,
    /// Permission, wrong owner, a network file system, no space.
    Access,
    /// The lock is in use, or another process keeps it from being opened.
    Busy,
    /// An argument is out of range.
    InvalidArgument,
    /// A blocking wait was interrupted by its caller.
    Interrupted,
    /// The system lacks what the lock needs.
    Unsupported,
    /// The lock was opened before this process was forked: open it again in the child.
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
            Self::InvalidArgument => "ERR_INVALID_ARG_VALUE",
            Self::Interrupted => "ERR_LOCK_INTERRUPTED",
            Self::Unsupported => "ERR_LOCK_UNSUPPORTED",
            Self::Forked => "ERR_LOCK_CLOSED",
        }
    }
}

/// An error of the lock: a kind to act on and a message that says what to do.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<io::Error>,
}

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// `what` failed because the system said `source`.
    pub(crate) fn access(what: impl fmt::Display, source: io::Error) -> Self {
        Self { kind: ErrorKind::Access, message: format!("{what}: {source}"), source: Some(source) }
    }

    /// As [`Error::access`], where the system does not know what was asked for.
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
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}
