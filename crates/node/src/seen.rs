//! What looking at a lock shows, as JavaScript objects.

use napi::bindgen_prelude::BigInt;
use napi_derive::napi;
use process_rwlock::Snapshot;

/// A writer whose hold ended without release.
#[napi(object)]
pub struct OwnerDied {
    pub pid: u32,
    pub thread_id: u32,
    pub label: String,
    pub token: BigInt,
}

/// A holder or a waiter.
#[napi(object)]
pub struct Party {
    pub pid: u32,
    pub thread_id: u32,
    pub mode: String,
    pub count: u32,
    pub label: String,
    pub ms: f64,
}

/// What a request that was not granted in time is told.
#[napi(object)]
pub struct TimedOut {
    pub message: String,
    pub holders: Vec<Party>,
}

/// A lock at one moment.
#[napi(object)]
pub struct Seen {
    pub name: Option<String>,
    pub path: Option<String>,
    pub capacity: u32,
    pub token: BigInt,
    pub holders: Vec<Party>,
    pub waiters: Vec<Party>,
    pub owner_died: Option<OwnerDied>,
}

impl From<process_rwlock::OwnerDied> for OwnerDied {
    fn from(died: process_rwlock::OwnerDied) -> Self {
        Self { pid: died.pid, thread_id: died.thread, label: died.label, token: died.token.into() }
    }
}

impl From<process_rwlock::Participant> for Party {
    fn from(party: process_rwlock::Participant) -> Self {
        Self {
            pid: party.pid,
            thread_id: party.thread,
            mode: party.mode.name().into(),
            count: party.count,
            label: party.label,
            ms: party.ms as f64,
        }
    }
}

impl From<Snapshot> for Seen {
    fn from(seen: Snapshot) -> Self {
        Self {
            name: seen.name,
            path: seen.path.map(|path| path.to_string_lossy().into_owned()),
            capacity: seen.capacity,
            token: seen.token.into(),
            holders: seen.holders.into_iter().map(Into::into).collect(),
            waiters: seen.waiters.into_iter().map(Into::into).collect(),
            owner_died: seen.owner_died.map(Into::into),
        }
    }
}
