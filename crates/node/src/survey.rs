//! What the command line sees of locks, also of damaged ones and of those that nobody has open.

use napi_derive::napi;

use crate::snapshot::Snapshot;
use crate::wait_graph::{SeenLock, identity_text};
use crate::{Failure, Result, failed, lock_ref, system_error};

/// A thread that has a lock open.
#[napi(object)]
pub struct Attached {
    pub pid: u32,
    pub thread_id: u32,
    pub label: String,
    /// The PID namespace of `pid`, if it is another one than that of this process.
    pub foreign_namespace: Option<u32>,
}

/// One lock, as it is found.
#[napi(object)]
pub struct Surveyed {
    pub name: Option<String>,
    pub path: Option<String>,
    /// The lock file.
    pub file: String,
    /// The identifier of its shared memory.
    pub memory: Option<String>,
    /// The size of its memory; 0: unknown.
    pub bytes: f64,
    /// A live process has it open.
    pub open: bool,
    pub attached: Vec<Attached>,
    /// Its state; nothing if that cannot be read.
    pub snapshot: Option<Snapshot>,
    /// The same holders and waiters, in the same order, for the search for deadlocks.
    pub seen: Option<SeenLock>,
    /// Why the state cannot be read.
    pub failure: Option<Failure>,
}

/// What is found of the named locks of this user.
#[napi(object)]
pub struct Survey {
    pub locks: Vec<Surveyed>,
    /// The lock files of locks whose creators died before they were complete.
    pub unfinished: Vec<String>,
}

impl From<process_rwlock::Surveyed> for Surveyed {
    fn from(lock: process_rwlock::Surveyed) -> Self {
        let process_rwlock::Surveyed { name, path, file, memory, bytes, identity, is_open, attached, state } = lock;
        let identity = identity.map(identity_text);
        let (snapshot, failure) = match state {
            Ok(snapshot) => (Some(snapshot), None),
            Err(error) => (None, Some(error)),
        };
        Self {
            name,
            path: path.map(|path| path.to_string_lossy().into_owned()),
            file: file.to_string_lossy().into_owned(),
            memory,
            bytes: bytes as f64,
            open: is_open,
            attached: attached.into_iter().map(Into::into).collect(),
            seen: snapshot.clone().zip(identity).map(|(snapshot, identity)| SeenLock::new(identity, snapshot)),
            snapshot: snapshot.map(Into::into),
            failure: failure.map(|error| Failure {
                code: error.kind().code().into(),
                message: error.to_string(),
                cause: system_error(&error),
            }),
        }
    }
}

impl From<process_rwlock::Attached> for Attached {
    fn from(attached: process_rwlock::Attached) -> Self {
        let process_rwlock::Attached { pid, foreign_namespace, thread, label } = attached;
        Self { pid, thread_id: thread, label, foreign_namespace }
    }
}

/// All named locks of this user, also those that cannot be read.
#[napi(catch_unwind)]
pub fn survey() -> Result<Survey> {
    let survey = process_rwlock::survey().map_err(|error| failed(&error))?;
    Ok(Survey {
        locks: survey.locks.into_iter().map(Into::into).collect(),
        unfinished: survey.unfinished.iter().map(|file| file.to_string_lossy().into_owned()).collect(),
    })
}

/// The lock with that name or path; nothing if there is none. It is not attached.
#[napi(catch_unwind)]
pub fn examine(name: Option<String>, path: Option<String>) -> Result<Option<Surveyed>> {
    let found = process_rwlock::examine(lock_ref(name.as_deref(), path.as_deref())).map_err(|error| failed(&error))?;
    Ok(found.map(Into::into))
}

/// Creates a named lock that nobody knows, and removes it.
#[napi(catch_unwind)]
pub fn probe() -> Result<()> {
    process_rwlock::probe().map_err(|error| failed(&error))
}
