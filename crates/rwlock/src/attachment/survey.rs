//! Surveys: what tools need to know of locks to say what is wrong with them, beyond their state. A
//! survey shows every lock, also one that is damaged, and says which processes have it open.

use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;

use super::snapshot::{self, Snapshot, foreign};
use crate::error::{Error, Result};
use crate::options::{Identity, LockRef};
use crate::protocol::state::SharedState;
use crate::shm::copy::LockCopy;
use crate::shm::layout::{Slot, bytes_of};
use crate::shm::location::LockLocation;
use crate::shm::lock_file::LockFile;
use crate::shm::segment::{Segment, attached};
use crate::shm::{named, path, sweep};
use crate::sys::files;

/// A thread that has a lock open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// Process id, in the PID namespace of that process.
    pub pid: u32,
    /// The kernel's number of that namespace, if it is another one than this process'.
    pub foreign_namespace: Option<u32>,
    /// The number that its thread gave itself.
    pub thread: u32,
    /// The label of the attachment.
    pub label: String,
}

/// One lock, as it is found.
#[derive(Debug)]
pub struct Surveyed {
    /// Its name, if it is a named lock whose name can be read.
    pub name: Option<String>,
    /// Its path, if it was asked for by path.
    pub path: Option<PathBuf>,
    /// The lock file, whose byte locks show which attachments live.
    pub file: PathBuf,
    /// The identifier of its shared memory, if it has some that can be read.
    pub memory: Option<String>,
    /// The size of that memory, or of the file; 0: unknown.
    pub bytes: u64,
    /// Equal for two locks exactly if they are one. `None`: unknown.
    pub identity: Option<Identity>,
    /// Whether a live process has it open.
    pub is_open: bool,
    /// The threads that have it open.
    pub attached: Vec<Attached>,
    /// Its state, or why that cannot be read.
    pub state: Result<Snapshot>,
}

/// What is found of the named locks of this user.
#[derive(Debug)]
pub struct Survey {
    /// The locks.
    pub locks: Vec<Surveyed>,
    /// The lock files of locks whose creators died before they were complete.
    pub unfinished: Vec<PathBuf>,
}

/// Surveys the named locks of this user. Nothing is created.
///
/// # Errors
/// [`crate::ErrorKind::Access`] if the directory of the lock files cannot be read, or is not this
/// user's.
pub fn survey() -> Result<Survey> {
    let locks =
        named::each(of_copy, of_segment, |location, is_open, error| Ok(Some(broken(location, is_open, error))))?;
    Ok(Survey { locks, unfinished: sweep::unfinished()? })
}

/// Surveys one lock, which is neither created nor attached. `None` if it does not exist, or if it is
/// damaged and no process has it open.
///
/// # Errors
/// Those of [`crate::Attachment::open`].
pub fn examine(lock: LockRef<'_>) -> Result<Option<Surveyed>> {
    match lock {
        LockRef::Name(name) => named::see(name, of_segment),
        LockRef::Path(path) => path::see(path, of_segment),
    }
}

/// Creates a named lock that nobody knows, and removes it: whether this process can have any.
///
/// # Errors
/// Those of [`crate::Attachment::open`].
pub fn probe() -> Result<()> {
    named::probe()
}

fn of_copy(copy: &LockCopy<'_>) -> Option<Surveyed> {
    let snapshot = snapshot::of_copy(copy)?;
    Some(of_state(&copy.state, copy.lock, copy.location, snapshot))
}

fn of_segment(segment: &Segment) -> Surveyed {
    of_state(segment, &segment.lock, &segment.location, snapshot::of_segment(segment, usize::MAX))
}

fn of_state(state: &SharedState, lock: &LockFile, location: &LockLocation, snapshot: Snapshot) -> Surveyed {
    let (file, memory, bytes, identity) = match location {
        LockLocation::Named { name, record, id } => {
            (record.clone(), Some(id.clone()), bytes_of(snapshot.capacity) as u64, Some(Identity::Name(name.clone())))
        }
        LockLocation::File { path } => (
            path.clone(),
            None,
            lock.file().metadata().map_or(0, |its| its.len()),
            files::identity(lock.file()).ok().map(Identity::of),
        ),
    };
    Surveyed {
        name: snapshot.name.clone(),
        path: snapshot.path.clone(),
        file,
        memory,
        bytes,
        identity,
        // If the kernel gives no answer, nothing must be taken for left over.
        is_open: lock.is_in_use().unwrap_or(true),
        attached: attached(state, lock).map(Attached::of).collect(),
        state: Ok(snapshot),
    }
}

fn broken(location: &LockLocation, is_open: bool, error: Error) -> Surveyed {
    let known = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let (name, path, file, memory) = match location {
        LockLocation::Named { name, record, id } => (known(name), None, record.clone(), known(id)),
        LockLocation::File { path } => (None, Some(path.clone()), path.clone(), None),
    };
    let identity = name.clone().map(Identity::Name);
    Surveyed { name, path, file, memory, bytes: 0, identity, is_open, attached: Vec::new(), state: Err(error) }
}

impl Attached {
    fn of(slot: &Slot) -> Self {
        Self {
            pid: slot.waiting.pid.load(Relaxed),
            foreign_namespace: foreign(slot.waiting.namespace.load(Relaxed)),
            thread: slot.waiting.thread.load(Relaxed),
            label: slot.waiting.label.load(),
        }
    }
}
