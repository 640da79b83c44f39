//! What the search for deadlocks (`src/wait-graph.ts`) sees of locks: who holds what, who waits for
//! what, and since when.

use napi_derive::napi;
use process_rwlock::{Attachment, Identity, Participant, Snapshot};

use crate::environment::with_environment;
use crate::{Result, closed, failed};

/// A hold, or a request.
#[napi(object)]
pub struct SeenParty {
    /// The same text for the same thread in every lock, and another one for any other thread.
    pub thread: String,
    pub pid: u32,
    pub thread_id: u32,
    pub mode: String,
    pub label: String,
    /// When it began, in ns of a clock that all processes share; 0: unknown. Two holds, or two
    /// requests, of one thread differ in it.
    pub since: f64,
    /// How long ago that was, in ms.
    pub ms: f64,
    /// It is of this thread. (In a lock that this thread has not open nothing is.)
    pub own: bool,
    /// The PID namespace of `pid`, if it is another one than that of this process.
    pub foreign_namespace: Option<u32>,
    /// A request that did not come in its turn, so that others go first.
    pub skipped: bool,
}

/// A lock, its holds, and the requests for it in the order of the queue.
#[napi(object)]
pub struct SeenLock {
    /// See `identity`.
    pub identity: String,
    pub name: Option<String>,
    pub path: Option<String>,
    pub holders: Vec<SeenParty>,
    pub waiters: Vec<SeenParty>,
}

impl From<Participant> for SeenParty {
    fn from(party: Participant) -> Self {
        let foreign_namespace = party.foreign_namespace();
        Self {
            thread: format!("{}:{}:{}", party.namespace, party.pid, party.thread),
            pid: party.pid,
            thread_id: party.thread,
            mode: party.mode.name().into(),
            label: party.label,
            since: party.since as f64,
            ms: party.ms as f64,
            own: party.is_own,
            foreign_namespace,
            skipped: party.is_skipped,
        }
    }
}

impl SeenLock {
    pub(crate) fn new(identity: String, seen: Snapshot) -> Self {
        Self {
            identity,
            name: seen.name,
            path: seen.path.map(|path| path.to_string_lossy().into_owned()),
            holders: seen.holders.into_iter().map(Into::into).collect(),
            waiters: seen.waiters.into_iter().map(Into::into).collect(),
        }
    }

    fn of(attachment: &Attachment) -> Self {
        Self::new(identity_text(attachment.identity()), attachment.inspect())
    }
}

pub(crate) fn identity_text(identity: Identity) -> String {
    match identity {
        Identity::Name(name) => format!("name:{name}"),
        Identity::File(device, number) => format!("file:{device}:{number}"),
    }
}

/// The lock of an attachment.
#[napi(catch_unwind)]
pub fn see_lock(attachment: u32) -> Result<SeenLock> {
    with_environment(|environment| Ok(SeenLock::of(&environment.get(attachment).ok_or_else(closed)?.attachment)))
}

/// The locks that this thread holds while another one waits for them.
#[napi(catch_unwind)]
pub fn see_held() -> Vec<SeenLock> {
    with_environment(|environment| {
        let held = environment.open_attachments().filter(|open| open.holds_something());
        held.map(|open| SeenLock::of(&open.attachment))
            .filter(|lock| lock.waiters.iter().any(|waiter| !waiter.own))
            .collect()
    })
}

/// The locks that somebody waits for, out of all named locks of this user and those that this
/// thread has open.
#[napi(catch_unwind)]
pub fn see_wanted() -> Result<Vec<SeenLock>> {
    let is_wanted = |lock: &SeenLock| !lock.waiters.is_empty();
    // This thread's own first: only of these it is known what is its own.
    let mut wanted: Vec<_> = with_environment(|environment| {
        environment.open_attachments().map(|open| SeenLock::of(&open.attachment)).filter(is_wanted).collect()
    });
    for seen in process_rwlock::list().map_err(|error| failed(&error))? {
        let identity = identity_text(Identity::Name(seen.name.clone().unwrap_or_default()));
        if !seen.waiters.is_empty() && wanted.iter().all(|lock| lock.identity != identity) {
            wanted.push(SeenLock::new(identity, seen));
        }
    }
    Ok(wanted)
}
