//! The pending requests of an attachment.

use std::collections::VecDeque;

use crate::protocol::slot::Mode;

/// A read that is requested while this attachment already reads may be nested in that read. A
/// queued writer would then wait for it, and it for the writer. So it is admitted after this time
/// (ns), and the next one after twice that: a nested read always continues, and a stream of
/// independent reads cannot keep a writer out.
pub(super) const NESTED_READ_GRACE: u64 = 100_000_000;

/// Identifies a request of an attachment.
pub type RequestId = u32;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The attachment holds the lock in the requested mode.
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

/// A writer that owns the gate, or an upgradable holder that upgrades, until the last reader has
/// left.
pub(super) struct Drain {
    pub request: Request,
    /// An upgradable holder. It stays upgradable if it gives up.
    pub upgrade: bool,
    /// The gate says so. (Not while a synchronous call of the same thread goes first.)
    pub claimed: bool,
}

pub(super) struct Pending {
    pub requests: VecDeque<Request>,
    pub drain: Option<Drain>,
    /// The synchronous request that goes before all others, because its thread is blocked.
    pub sync: Option<RequestId>,
    /// The contents of the slot's word.
    pub published: Option<(u64, Mode)>,
    /// The request, or the drain, of which the holders were notified.
    pub notified: Option<(u64, Mode, bool)>,
    /// The queue was closed for it after it was published.
    pub closed: bool,
    pub settled: Vec<(RequestId, Outcome)>,
    pub last_id: RequestId,
    /// No deadline is earlier than this.
    pub next_deadline: u64,
    /// When reads that may be nested are admitted, and the grace period of the next ones.
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
            notified: None,
            closed: false,
            settled: Vec::new(),
            last_id: 0,
            next_deadline: u64::MAX,
            nested_at: None,
            nested_grace: NESTED_READ_GRACE,
        }
    }
}
