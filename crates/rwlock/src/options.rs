//! What a caller says of a lock and of a wait, with the limits and the defaults.

use std::path::Path;
use std::time::Duration;

use crate::sys::files::{self, FileId};

/// The longest name, in UTF-8 bytes.
pub const MAX_NAME: usize = 255;
/// The bytes of UTF-8 that are kept of a label.
pub const MAX_LABEL: usize = 48;
/// The most attachments a lock can be made for.
pub const MAX_CAPACITY: u32 = 4095;
/// The capacity of a lock made without saying one.
pub const DEFAULT_CAPACITY: u32 = 128;
/// How long newcomers may overtake a waiter, unless said otherwise: long enough that most contended acquisitions need no
/// context switch, short enough that nobody notices.
pub const DEFAULT_FAIRNESS: Duration = Duration::from_millis(1);
/// How long [`crate::Attachment::open`] waits for another process that lays out or removes the same file, unless said otherwise. That
/// takes well under a millisecond, unless the process is stopped in the middle of it.
pub const DEFAULT_SETUP_TIMEOUT: Duration = Duration::from_secs(5);

/// What a lock is called.
#[derive(Clone, Copy, Debug)]
pub enum LockRef<'a> {
    /// Shared memory, per user and machine.
    Name(&'a str),
    /// A file: whoever can map it shares the lock.
    Path(&'a Path),
}

/// What tells one lock from another: two references with the same identity lead to the same lock.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identity {
    /// A named lock.
    Name(String),
    /// A file: its device and its number there.
    File(u64, u128),
}

impl Identity {
    pub(crate) fn of(file: FileId) -> Self {
        Self::File(file.device, file.number)
    }
}

impl LockRef<'_> {
    /// The identity of the lock that this leads to now; `None` for a path where there is no file yet.
    #[must_use]
    pub fn identity(&self) -> Option<Identity> {
        match self {
            Self::Name(name) => Some(Identity::Name((*name).into())),
            Self::Path(path) => files::identity_at(path).ok().map(Identity::of),
        }
    }
}

/// How the opener wants the lock.
#[derive(Clone, Debug)]
pub struct Options {
    /// Attachments the lock can hold at once, 1 to 4095; `None`: 128, or what an existing lock was made for.
    pub capacity: Option<u32>,
    /// Shown to whoever inspects the lock.
    pub label: String,
    /// The caller's own number for its thread, shown likewise.
    pub thread: u32,
    /// Of a named lock: its last close removes it even if a writer died, whose death nobody can learn of then. The creator's wins.
    pub transient: bool,
    /// The name is random, so only the processes that have the lock open know it: once they are dead, what they left is removed,
    /// with the death of a writer. The creator's wins.
    pub anonymous: bool,
    /// How long to wait, at most, for another process that lays out or removes the same file. 5 s by default. (Opening waits for
    /// nothing else.)
    pub setup_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            capacity: None,
            label: String::new(),
            thread: 0,
            transient: false,
            anonymous: false,
            setup_timeout: DEFAULT_SETUP_TIMEOUT,
        }
    }
}

/// What the requester allows. Times are those of [`crate::now`].
#[derive(Clone, Copy, Debug)]
pub struct WaitOptions {
    /// When to give up (monotonic ns); `u64::MAX`: never.
    pub deadline: u64,
    /// How long newcomers may overtake it, in ns.
    pub fairness: u64,
}
