//! What inspecting a lock returns, as JavaScript objects.

use napi::bindgen_prelude::{BigInt, Uint8Array};
use napi_derive::napi;

/// A writer whose hold ended without release.
#[napi(object)]
pub struct OwnerDied {
    pub pid: u32,
    pub thread_id: u32,
    pub label: String,
    pub token: BigInt,
}

/// A request that waits.
#[napi(object)]
pub struct Waiter {
    pub pid: u32,
    pub thread_id: u32,
    pub mode: String,
    pub count: u32,
    pub label: String,
    pub ms: f64,
    /// The further requests of the same attachment, which have no row.
    pub more: u32,
}

/// A holder.
#[napi(object)]
pub struct Participant {
    pub pid: u32,
    pub thread_id: u32,
    pub mode: String,
    pub count: u32,
    pub label: String,
    pub ms: f64,
}

/// Why a request was not granted in time.
#[napi(object)]
pub struct TimeoutDetails {
    pub message: String,
    pub holders: Vec<Participant>,
}

/// The state of a lock at one moment.
#[napi(object)]
pub struct Snapshot {
    pub name: Option<String>,
    pub path: Option<String>,
    pub capacity: u32,
    pub max_readers: Option<u32>,
    pub token: BigInt,
    /// The number of requests so far that were not granted at once.
    pub requests: BigInt,
    /// In ns of Unix time.
    pub created: BigInt,
    pub holders: Vec<Participant>,
    pub waiters: Vec<Waiter>,
    pub contended: bool,
    pub owner_died: Option<OwnerDied>,
    pub value: Option<Uint8Array>,
    pub value_token: Option<BigInt>,
}

impl From<process_rwlock::OwnerDied> for OwnerDied {
    fn from(died: process_rwlock::OwnerDied) -> Self {
        Self { pid: died.pid, thread_id: died.thread, label: died.label, token: died.token.into() }
    }
}

impl From<process_rwlock::Participant> for Participant {
    fn from(participant: process_rwlock::Participant) -> Self {
        Self {
            pid: participant.pid,
            thread_id: participant.thread,
            mode: participant.mode.name().into(),
            count: participant.count,
            label: participant.label,
            ms: participant.ms as f64,
        }
    }
}

impl From<process_rwlock::Participant> for Waiter {
    fn from(participant: process_rwlock::Participant) -> Self {
        let more = participant.more;
        let Participant { pid, thread_id, mode, count, label, ms } = participant.into();
        Self { pid, thread_id, mode, count, label, ms, more }
    }
}

impl From<process_rwlock::Snapshot> for Snapshot {
    fn from(snapshot: process_rwlock::Snapshot) -> Self {
        Self {
            name: snapshot.name,
            path: snapshot.path.map(|path| path.to_string_lossy().into_owned()),
            capacity: snapshot.capacity,
            max_readers: snapshot.max_readers,
            token: snapshot.token.into(),
            requests: snapshot.requests.into(),
            created: snapshot.created.into(),
            holders: snapshot.holders.into_iter().map(Into::into).collect(),
            waiters: snapshot.waiters.into_iter().map(Into::into).collect(),
            contended: snapshot.contended,
            owner_died: snapshot.owner_died.map(Into::into),
            value: snapshot.value.map(Into::into),
            value_token: snapshot.value_token.map(Into::into),
        }
    }
}
