//! The pending requests of an attachment.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Deref;

use crate::protocol::slot::{Mode, Queued, is_earlier};
use crate::shm::layout::REQUEST_ROWS;

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
    /// Newcomers may not overtake it at all.
    pub strict: bool,
    /// See [`crate::WaitOptions::in_turn`].
    pub in_turn: bool,
    /// See [`crate::attachment::steal`].
    pub steal: bool,
}

impl Request {
    fn keeps_order(&self) -> bool {
        self.strict && self.mode != Mode::Read
    }

    fn may_be_nested(&self) -> bool {
        self.mode == Mode::Read && !self.in_turn
    }
}

/// The requests of an attachment that wait, in their order. They may be many, so what is asked of
/// all of them is counted.
#[derive(Default)]
pub(super) struct Requests {
    list: VecDeque<Request>,
    strict: usize,
    exclusive_in_order: usize,
    may_be_nested: usize,
    steals: usize,
    /// See [`Requests::order`].
    reordered: u64,
}

impl Deref for Requests {
    type Target = VecDeque<Request>;

    fn deref(&self) -> &VecDeque<Request> {
        &self.list
    }
}

impl Requests {
    /// Whether one of them may not be overtaken at all.
    pub fn are_strict(&self) -> bool {
        self.strict != 0
    }

    /// Whether readers of other slots may not overtake one of them that is not published.
    pub fn have_exclusive_in_order(&self) -> bool {
        self.exclusive_in_order != 0
    }

    pub fn may_be_nested(&self) -> bool {
        self.may_be_nested != 0
    }

    fn count(&mut self, request: Request) -> Request {
        self.strict += usize::from(request.strict);
        self.exclusive_in_order += usize::from(request.keeps_order());
        self.may_be_nested += usize::from(request.may_be_nested());
        self.steals += usize::from(request.steal);
        request
    }

    fn uncount(&mut self, request: Request) -> Request {
        self.strict -= usize::from(request.strict);
        self.exclusive_in_order -= usize::from(request.keeps_order());
        self.may_be_nested -= usize::from(request.may_be_nested());
        self.steals -= usize::from(request.steal);
        request
    }

    pub fn have_steal(&self) -> bool {
        self.steals != 0
    }

    /// Changes when a request has joined or left other than at the end or at the front.
    pub fn order(&self) -> u64 {
        self.reordered
    }

    pub fn push_back(&mut self, request: Request) {
        let request = self.count(request);
        self.list.push_back(request);
    }

    pub fn push_front(&mut self, request: Request) {
        let request = self.count(request);
        self.reordered += 1;
        self.list.push_front(request);
    }

    /// The same for one that [`Requests::pop_front`] has just returned.
    pub fn unpop_front(&mut self, request: Request) {
        let request = self.count(request);
        self.list.push_front(request);
    }

    /// In the order of the tickets: before one with the same.
    pub fn insert(&mut self, request: Request) {
        self.reordered += 1;
        self.insert_in_order(request);
    }

    /// The same for one that drained: most often it is the first one again.
    fn put_back(&mut self, request: Request) {
        let position = self.insert_in_order(request);
        self.reordered += u64::from(position != 0);
    }

    fn insert_in_order(&mut self, request: Request) -> usize {
        let request = self.count(request);
        let follows = |other: &Request| !is_earlier(other.ticket, request.ticket);
        let position = self.list.iter().position(follows).unwrap_or(self.list.len());
        self.list.insert(position, request);
        position
    }

    pub fn pop_front(&mut self) -> Option<Request> {
        self.list.pop_front().map(|request| self.uncount(request))
    }

    pub fn remove(&mut self, position: usize) -> Option<Request> {
        self.reordered += 1;
        self.list.remove(position).map(|request| self.uncount(request))
    }

    /// Removes and returns those for which `leaves` is true.
    pub fn extract(&mut self, mut leaves: impl FnMut(&Request) -> bool) -> Vec<Request> {
        let mut left = Vec::new();
        self.list.retain(|request| {
            let leaves = leaves(request);
            if leaves {
                left.push(*request);
            }
            !leaves
        });
        self.reordered += left.len() as u64;
        left.iter().for_each(|&request| _ = self.uncount(request));
        left
    }

    pub fn take_all(&mut self) -> VecDeque<Request> {
        let reordered = self.reordered + 1;
        std::mem::replace(self, Self { reordered, ..Self::default() }).list
    }
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

/// What a row of the slot shows. The default: nothing, because no request has the id 0.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Shown {
    pub id: RequestId,
    pub word: Queued,
}

/// The requests that have a row in the pool of the lock; see `request_rows`.
#[derive(Default)]
pub(super) struct PoolRows {
    /// The first ones without a row in the slot, in their order, each with the number of its row.
    pub rows: VecDeque<(RequestId, usize)>,
    /// The requests when the rows were last brought up to date: their order, their number, the first
    /// and the last.
    pub seen: (u64, usize, RequestId, RequestId),
}

pub(super) struct Pending {
    pub requests: Requests,
    pub drain: Option<Drain>,
    /// The synchronous request that goes before all others, because its thread is blocked.
    pub sync: Option<RequestId>,
    /// The contents of the slot's word.
    pub published: Option<(u64, Mode)>,
    /// The request, or the drain, of which the holders were notified.
    pub notified: Option<(u64, Mode, bool)>,
    /// The slot says that the first request, or the drain, is a steal.
    pub marked_steal: bool,
    /// The queue was closed for it after it was published.
    pub closed: bool,
    pub settled: Vec<(RequestId, Outcome)>,
    pub last_id: RequestId,
    /// The labels of requests that have their own.
    pub labels: BTreeMap<RequestId, String>,
    /// What each row of the slot shows.
    pub rows: [Shown; REQUEST_ROWS],
    pub pool: PoolRows,
    /// No deadline is earlier than this.
    pub next_deadline: u64,
    /// When reads that may be nested are admitted, and the grace period of the next ones.
    pub nested_at: Option<u64>,
    pub nested_grace: u64,
}

impl Pending {
    /// Puts a request that drained back in its place: a synchronous one before all others, whatever
    /// its ticket, because those are not granted before it.
    pub fn put_back(&mut self, request: Request) {
        if self.sync == Some(request.id) {
            self.requests.push_front(request);
        } else {
            self.requests.put_back(request);
        }
    }
}

impl Default for Pending {
    fn default() -> Self {
        Self {
            requests: Requests::default(),
            labels: BTreeMap::new(),
            rows: [Shown::default(); REQUEST_ROWS],
            pool: PoolRows::default(),
            drain: None,
            sync: None,
            published: None,
            notified: None,
            marked_steal: false,
            closed: false,
            settled: Vec::new(),
            last_id: 0,
            next_deadline: u64::MAX,
            nested_at: None,
            nested_grace: NESTED_READ_GRACE,
        }
    }
}
