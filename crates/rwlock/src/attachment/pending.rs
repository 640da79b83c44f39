//! What an attachment waits for.

use std::collections::VecDeque;

use crate::protocol::slot::Mode;

/// A read asked for while this attachment reads already may be part of that very read ("nested"), which a queued writer
/// would then wait for in vain. So it is let in after this time (ns), and the next one after double that: a nested read
/// always goes on, and a stream of independent ones cannot keep a writer out.
pub(super) const NESTED_READ_GRACE: u64 = 100_000_000;

/// Names a request of an attachment.
pub type RequestId = u32;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The attachment holds the lock in the mode asked for.
    Granted,
    /// The deadline passed.
    TimedOut,
}

#[derive(Clone, Copy)]
pub(super) struct Request {
    pub id: RequestId,
    pub mode: Mode,
    pub ticket: u64,
    pub since: u64,
    pub deadline: u64,
    pub close_at: u64,
}

/// A writer that owns the gate, or an upgradable holder on its way to write, until the last reader has left.
pub(super) struct Drain {
    pub request: Request,
    /// An upgradable holder, who stays that if it gives up.
    pub upgrade: bool,
    /// The gate says so. (Not while a synchronous call of the same thread goes first.)
    pub claimed: bool,
}

pub(super) struct Pending {
    pub requests: VecDeque<Request>,
    pub drain: Option<Drain>,
    /// The synchronous request that goes before all others: its thread can do nothing else meanwhile.
    pub sync: Option<RequestId>,
    /// What the slot's word says.
    pub published: Option<(u64, Mode)>,
    /// The queue was closed for it since it was published.
    pub closed: bool,
    pub settled: Vec<(RequestId, Outcome)>,
    pub last_id: RequestId,
    /// No deadline lies before this.
    pub next_deadline: u64,
    /// When the reads that may be nested are let in, and the patience with the next ones.
    pub nested_at: Option<u64>,
    pub nested_grace: u64,
}

impl Default for Pending {
    fn default() -> Self {
        Self {
            requests: VecDeque::new(),
            drain: None,
            sync: None,
            published: None,
            closed: false,
            settled: Vec::new(),
            last_id: 0,
            next_deadline: u64::MAX,
            nested_at: None,
            nested_grace: NESTED_READ_GRACE,
        }
    }
}
