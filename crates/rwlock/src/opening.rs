//! How a handle was opened, so that each of its threads can attach in the same way.

use std::path::PathBuf;
use std::time::Duration;

use crate::attachment::Attachment;
use crate::attachment::requests::now;
use crate::error::{Error, ErrorKind, Result};
use crate::options::{LockRef, Options, WaitOptions};
use crate::shm::segment::Segment;
use crate::sys::files;

pub(crate) struct Opening {
    lock: Lock,
    options: Options,
    pub fairness: Duration,
    pub in_turn: bool,
    /// A panic inside a write hold is reported like a death.
    pub poison_on_panic: bool,
}

enum Lock {
    Name(String),
    /// As the caller gave it; for a thread that attaches later, the working directory may have
    /// changed.
    Path {
        given: PathBuf,
        absolute: PathBuf,
    },
}

impl Opening {
    pub fn new(lock: LockRef<'_>, options: Options, fairness: Duration, in_turn: bool, poison_on_panic: bool) -> Self {
        let lock = match lock {
            LockRef::Name(name) => Lock::Name(name.into()),
            LockRef::Path(path) => {
                let absolute = std::path::absolute(path).unwrap_or_else(|_| path.into());
                Lock::Path { given: path.into(), absolute }
            }
        };
        Self { lock, options, fairness, in_turn, poison_on_panic }
    }

    /// Opens the lock.
    pub fn attach(&self) -> Result<Attachment> {
        let lock = match &self.lock {
            Lock::Name(name) => LockRef::Name(name),
            Lock::Path { given, .. } => LockRef::Path(given),
        };
        Attachment::open(lock, &self.options).map(Attachment::abandoning)
    }

    /// Opens the lock again. It must be the one of `segment`, which this process has open.
    pub fn attach_beside(&self, segment: &Segment) -> Result<Attachment> {
        segment.check_not_forked()?;
        let lock = match &self.lock {
            Lock::Name(name) => LockRef::Name(name),
            Lock::Path { absolute, .. } => {
                // To open a missing file would create it.
                if !segment.location.is_at(&segment.lock, absolute)? {
                    return Err(self.replaced(segment));
                }
                LockRef::Path(absolute)
            }
        };
        let attachment = Attachment::open(lock, &self.options)?.abandoning();
        let file_of = |segment: &Segment| {
            files::identity(segment.lock.file()).map_err(|error| segment.location.refused("check", "fstat", error))
        };
        if file_of(segment)? == file_of(&attachment.segment)? { Ok(attachment) } else { Err(self.replaced(segment)) }
    }

    /// The limits of a wait that begins now.
    pub fn wait_options(&self, timeout: Option<Duration>) -> WaitOptions {
        WaitOptions {
            deadline: timeout.map_or(u64::MAX, |timeout| now().saturating_add(nanos(timeout))),
            fairness: nanos(self.fairness),
            in_turn: self.in_turn,
        }
    }

    fn replaced(&self, segment: &Segment) -> Error {
        let what = match &self.lock {
            Lock::Name(_) => "record",
            Lock::Path { .. } => "file",
        };
        Error::new(
            ErrorKind::Access,
            format!(
                "a thread cannot attach to {}: its {what} was removed or replaced by another program after the lock was \
                 opened; close it in every thread, and open it again",
                segment.location
            ),
        )
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
