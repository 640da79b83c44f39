//! The options of a lock and of a wait, with their limits and defaults.

use std::path::Path;
use std::time::Duration;

use crate::sys::files::{self, FileId};

/// The maximum length of a name, in bytes of UTF-8.
pub const MAX_NAME: usize = 255;
/// The maximum length of a label, in bytes of UTF-8. Longer labels are cut.
pub const MAX_LABEL: usize = 48;
/// The maximum length of a lock's value, in bytes.
pub const MAX_VALUE: usize = 1024;
/// The maximum capacity, in attachments.
pub const MAX_CAPACITY: u32 = 4095;
/// The greatest limit on readers.
pub const MAX_READERS: u32 = 65_535;
/// The default capacity, in attachments.
pub const DEFAULT_CAPACITY: u32 = 128;
/// How long newcomers may overtake a waiter by default: long enough that most contended
/// acquisitions need no context switch, and too short to be noticed.
pub const DEFAULT_FAIRNESS: Duration = Duration::from_millis(1);
/// How long [`crate::Attachment::open`] waits by default for another process that initializes or
/// removes the same file. This takes well under a millisecond, unless that process is stopped.
pub const DEFAULT_SETUP_TIMEOUT: Duration = Duration::from_secs(5);

/// A reference to a lock.
#[derive(Clone, Copy, Debug)]
pub enum LockRef<'a> {
    /// The name of a lock in shared memory, one for each user and machine.
    Name(&'a str),
    /// The path of a lock in a file, shared by all processes that can map it.
    Path(&'a Path),
}

/// Identifies a lock: two references with the same identity lead to the same lock.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identity {
    /// A named lock.
    Name(String),
    /// A file: its device and file number.
    File(u64, u128),
}

impl Identity {
    pub(crate) fn of(file: FileId) -> Self {
        Self::File(file.device, file.number)
    }
}

impl LockRef<'_> {
    /// The identity of the lock that this reference leads to now; `None` for the path of a missing
    /// file.
    #[must_use]
    pub fn identity(&self) -> Option<Identity> {
        match self {
            Self::Name(name) => Some(Identity::Name((*name).into())),
            Self::Path(path) => files::identity_at(path).ok().map(Identity::of),
        }
    }
}

/// How to open a lock.
#[derive(Clone, Debug)]
pub struct Options {
    /// The capacity in attachments, 1 to 4095. `None`: 128 for a new lock, any for an existing one.
    pub capacity: Option<u32>,
    /// The most read holds of all attachments together, 1 to 65,535; nested reads count each.
    /// Upgradable and write holds do not count. `None`: no limit for a new lock. An existing lock
    /// keeps its own, unless it is a named one that no process has open.
    pub max_readers: Option<u32>,
    /// The label that [`crate::Attachment::inspect`] shows.
    pub label: String,
    /// The caller's thread number, shown likewise.
    pub thread: u32,
    /// The last close of a named lock removes it even if a writer died, so that the death is not
    /// reported. The creator's choice applies.
    pub transient: bool,
    /// The name is random, so only the processes that have the lock open know it. When all of them
    /// are dead, the lock is removed, even if a writer died. The creator's choice applies.
    pub anonymous: bool,
    /// A request keeps its turn as long as its process lives, also while its thread is busy or its
    /// process is stopped: then the others wait. Otherwise it is skipped after 5 ms. Such a lock has
    /// no value; instead it shows more requests of each attachment. The creator's choice applies.
    pub keeps_turns: bool,
    /// Bytes of any length that are stored with a named lock, and that [`crate::note`] returns. The
    /// creator's choice applies.
    pub note: Option<Vec<u8>>,
    /// The maximum wait for another process that initializes or removes the same file; 5 s by
    /// default. Opening waits for nothing else.
    pub setup_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            capacity: None,
            max_readers: None,
            label: String::new(),
            thread: 0,
            transient: false,
            anonymous: false,
            keeps_turns: false,
            note: None,
            setup_timeout: DEFAULT_SETUP_TIMEOUT,
        }
    }
}

/// The limits of a wait.
#[derive(Clone, Copy, Debug)]
pub struct WaitOptions {
    /// When to give up, as a monotonic time in ns ([`crate::now`]); `u64::MAX`: never.
    pub deadline: u64,
    /// How long newcomers may overtake the request, in ns. 0: requests are granted strictly in their
    /// order.
    pub fairness: u64,
    /// A read that is requested while its attachment shares the lock waits in turn, like any other:
    /// also for a writer that waits until the attachment has released what it holds. Otherwise it
    /// may be nested in that hold, so it is admitted after 100 ms.
    pub in_turn: bool,
}
