//! Snapshots of a lock: its holders, its waiters, and the writer that died. For people; a snapshot
//! is old when it arrives.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use super::Attachment;
use crate::monitor::exit_notice::has_owner_ended;
use crate::protocol::gate::{Gate, Hold};
use crate::protocol::slot::{Mode, Queued, Reads, is_earlier, order_of};
use crate::protocol::state::SharedState;
use crate::shm::copy::LockCopy;
use crate::shm::layout::{Label, Slot};
use crate::shm::location::LockLocation;
use crate::shm::segment::Segment;
use crate::sync::InfoU64;
use crate::sys::exit_watch::namespace;
use crate::sys::park;

/// An inspection probes each slot if there are fewer than these. For more, the kernel, which keeps
/// the byte locks of a file in a list, would need quadratic time: it is asked once for each
/// process, and for this many slots in turn.
const PROBES_OF_INSPECTION: usize = 64;
/// The position of a request that drains: before all others.
const DRAINS: u64 = 0;
/// How often a snapshot is taken, at most, until the lock is neither acquired nor released
/// meanwhile.
const ATTEMPTS: usize = 8;

/// A writer whose hold ended without a release: the protected data may be half-written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerDied {
    /// Process id, in the PID namespace of that process.
    pub pid: u32,
    /// The number that its thread gave itself.
    pub thread: u32,
    /// The label of its hold, or else of its attachment.
    pub label: String,
    /// The fencing token of the hold.
    pub token: u64,
}

/// One attachment that holds the lock, or one of its requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participant {
    /// Process id, in the PID namespace of that process.
    pub pid: u32,
    /// The kernel's number of that namespace; 0: unknown, or the system has none.
    pub namespace: u32,
    /// The number that its thread gave itself.
    pub thread: u32,
    /// The mode that it holds or waits for.
    pub mode: Mode,
    /// The number of holds. 1 for a request.
    pub count: u32,
    /// The label of the hold, or else of the attachment.
    pub label: String,
    /// How long it has held or waited, in ms, at least 1. 0: unknown, because the hold was not
    /// stamped.
    pub ms: u64,
    /// When that began, in ns of a clock that all processes share; 0: unknown. It distinguishes the
    /// hold, or the request, from later ones of the same attachment.
    pub since: u64,
    /// Whether it is the attachment that took the snapshot.
    pub is_own: bool,
    /// The number of requests of the same attachment that follow this one and have no row of their
    /// own, because there are many. 0 for a holder.
    pub more: u32,
    /// Whether the attachment did not come in its turn, so that others go first: its process is
    /// stopped, or its event loop is busy. Always `false` for a holder.
    pub is_skipped: bool,
}

impl Participant {
    /// The PID namespace of `pid`, if it is known to be another one than that of this process, in
    /// which the number means nothing, or another process.
    #[must_use]
    pub fn foreign_namespace(&self) -> Option<u32> {
        foreign(self.namespace)
    }
}

pub(super) fn foreign(of: u32) -> Option<u32> {
    Some(of).filter(|&of| of != 0 && namespace() != 0 && of != namespace())
}

/// The state of a lock at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The lock's name, if it was opened by name.
    pub name: Option<String>,
    /// Its path, if it was opened by path.
    pub path: Option<PathBuf>,
    /// The number of attachments that it can have.
    pub capacity: u32,
    /// The most read holds that it allows, if there is a limit.
    pub max_readers: Option<u32>,
    /// The last fencing token handed out. Each write hold takes the next one.
    pub token: u64,
    /// How many requests were not granted at once, since the lock was created.
    pub requests: u64,
    /// When the lock was created, in ns of Unix time: a lock that was removed and created again counts
    /// its requests from 0.
    pub created: u64,
    /// The holders.
    pub holders: Vec<Participant>,
    /// The requests that wait, in the order of the queue. An attachment has a row for each of its
    /// first few.
    pub waiters: Vec<Participant>,
    /// Whether a request waits that a holder keeps out. What an attachment knows of its own holds is
    /// more exact: see [`Attachment::is_contended`].
    pub contended: bool,
    /// The writer whose hold ended without a release, until a write hold ends consistent.
    pub owner_died: Option<OwnerDied>,
    /// The lock's value; see [`Attachment::value`].
    pub value: Option<Vec<u8>>,
    /// The fencing token of the write hold that set the value. If it equals `token`, that is the
    /// hold in `holders`, or if there is no writer, the last one. `None` if there is no value, or if
    /// the lock was acquired and released all the time while the snapshot was taken.
    pub value_token: Option<u64>,
}

impl Attachment {
    /// The holders, the waiters, and the writer that died.
    #[must_use]
    pub fn inspect(&self) -> Snapshot {
        of_segment(&self.segment, self.index)
    }

    /// The writer whose hold ended without a release, if no later one ended consistent. For
    /// holders.
    #[must_use]
    pub fn owner_died(&self) -> Option<OwnerDied> {
        crash_point!(died_load);
        owner_died(&self.segment, self.segment.load_gate())
    }
}

impl Snapshot {
    /// For a thread without an attachment: through `segment`, which is that of the attachment `index`
    /// of another thread.
    pub(crate) fn by_another(segment: &Segment, index: usize) -> Self {
        let mut seen = of_segment(segment, index);
        seen.holders.iter_mut().chain(&mut seen.waiters).for_each(|party| party.is_own = false);
        seen
    }
}

pub(super) fn of_segment(segment: &Segment, me: usize) -> Snapshot {
    recover_shown(segment, me);
    let look = || seen(segment, segment.capacity(), &segment.location, me);
    for _ in 1..ATTEMPTS {
        let (snapshot, gate) = look();
        if is_settled(segment, gate, snapshot.token) {
            return snapshot;
        }
    }
    let (snapshot, gate) = look();
    let value_token = snapshot.value_token.filter(|_| is_settled(segment, gate, snapshot.token));
    Snapshot { value_token, ..snapshot }
}

/// `None`: the lock must be mapped, because dead attachments left something to repair, or there are
/// many to probe, or a write hold was just beginning or ending.
pub(super) fn of_copy(copy: &LockCopy<'_>) -> Option<Snapshot> {
    let state = &copy.state;
    let shown = copy.shown();
    if shown.len() > PROBES_OF_INSPECTION || !shown.iter().all(|&slot| copy.lock.is_alive(slot)) {
        return None;
    }
    if state.load_gate().died().is_some_and(|slot| slot >= state.slots().len()) {
        return None;
    }
    let (snapshot, gate) = seen(state, copy.capacity, copy.location, usize::MAX);
    is_settled(state, gate, snapshot.token).then_some(snapshot)
}

/// Whether the lock was neither acquired nor released since `gate` was loaded, and `last_token` is
/// that of the writer, if there is one. It has none yet just after it took the gate, and none any
/// more just before it frees it.
fn is_settled(state: &SharedState, gate: Gate, last_token: u64) -> bool {
    let of_owner = || state.slots().get(gate.owner()).map(|slot| slot.token.load(Relaxed));
    (gate.hold() != Some(Hold::Writing) || of_owner() == Some(last_token))
        && state.load_gate().tenure() == gate.tenure()
}

/// The state, and the gate that it belongs to.
fn seen(state: &SharedState, capacity: u32, location: &LockLocation, me: usize) -> (Snapshot, Gate) {
    let now = park::shared(park::now());
    let next = state.tickets().next.load(Relaxed);
    crash_point!(inspect_gate);
    let gate = state.load_gate();
    let (mut holders, mut waiters) = (Vec::new(), Vec::new());
    for (index, slot) in state.used_slots().iter().enumerate() {
        crash_point!(inspect_reads);
        let reads = Reads(slot.reads.load(Relaxed));
        let count = if state.is_limited() { reads.holds() } else { reads.count() };
        if count != 0 {
            holders.push(Participant { is_own: index == me, ..holder(slot, Mode::Read, count, now) });
        }
        let own = |party| Participant { is_own: index == me, ..party };
        if gate.is_owned_by(index) {
            match gate.hold() {
                Some(Hold::Writing) => holders.push(own(holder(slot, Mode::Write, 1, now))),
                Some(Hold::Upgradable) => holders.push(own(holder(slot, Mode::Upgradable, 1, now))),
                Some(Hold::Upgrading) => {
                    holders.push(own(holder(slot, Mode::Upgradable, 1, now)));
                }
                _ => {}
            }
        }
        let drains = if gate.is_drained_by(index) { gate.hold() } else { None };
        let requests = requests(state, index, drains, next, now).into_iter();
        waiters.extend(requests.map(|((position, _), waiter)| (position, own(waiter))));
    }
    waiters.sort_by_key(|(position, _)| *position);
    let contended = is_contended(state, gate, &holders, &waiters);
    let (name, path) = match location {
        LockLocation::Named { name, .. } => (Some(name.clone()), None),
        LockLocation::File { path } => (None, Some(path.clone())),
    };
    let value = state.value().get();
    let snapshot = Snapshot {
        name,
        path,
        capacity,
        max_readers: state.max_readers(),
        token: state.gate().last_token.load(Relaxed),
        requests: next,
        created: state.header().created.load(Relaxed),
        holders,
        waiters: waiters.into_iter().map(|(_, waiter)| waiter).collect(),
        contended,
        owner_died: owner_died(state, gate),
        value_token: value.as_ref().map(|(_, token)| *token),
        value: value.map(|(value, _)| value),
    };
    (snapshot, gate)
}

fn is_contended(state: &SharedState, gate: Gate, holders: &[Participant], waiters: &[(u64, Participant)]) -> bool {
    let reads = holders.iter().filter(|holder| holder.mode == Mode::Read).map(|holder| holder.count);
    let is_full = state.max_readers().is_some_and(|limit| reads.sum::<u32>() >= limit);
    waiters.iter().any(|(position, waiter)| {
        // An upgrade does not wait for the hold that it upgrades.
        let is_upgrade = *position == DRAINS && gate.hold() == Some(Hold::Upgrading);
        holders.iter().any(|holder| match (waiter.mode, holder.mode) {
            (Mode::Write, Mode::Upgradable) => !is_upgrade,
            (Mode::Read, Mode::Read) => is_full,
            (wanted, held) => wanted.conflicts_with(held),
        })
    })
}

/// How often the requests of a slot are read anew because they have changed meanwhile.
const LOOKS: usize = 8;

/// The requests of a slot, each with its position.
fn requests(
    state: &SharedState,
    index: usize,
    drains: Option<Hold>,
    next: u64,
    now: u64,
) -> Vec<((u64, u64), Participant)> {
    let queued = || {
        crash_point!(inspect_queued);
        Queued(state.slots()[index].waiting.queued.load(Relaxed))
    };
    let mut before = queued();
    for _ in 0..LOOKS {
        let found = requests_from(before, true, state, index, drains, next, now);
        let after = queued();
        if after == before {
            return found;
        }
        before = after;
    }
    // They change faster than they can be read: what has no row is over by now.
    requests_from(before, false, state, index, drains, next, now)
}

/// The words of the protocol say whether there is any; the rows say more of each. `shows_rowless`: the
/// published request is shown also without a row.
fn requests_from(
    queued: Queued,
    shows_rowless: bool,
    state: &SharedState,
    index: usize,
    drains: Option<Hold>,
    next: u64,
    now: u64,
) -> Vec<((u64, u64), Participant)> {
    let slot = &state.slots()[index];
    // With each its position in the queue, and its place among those of the slot that have the same.
    let mut found = Vec::new();
    let (mut drain_shown, mut first_shown) = (drains.is_none(), queued.mode().is_none());
    if drain_shown && first_shown {
        return found;
    }
    let generation = Reads(slot.reads.load(Relaxed)).generation();
    let published = order_of(queued.ticket(), next);
    for row in &slot.requests.rows {
        let request = Queued(row.request.load(Relaxed));
        let Some(mode) = request.mode().filter(|_| request.is_of(generation)) else { continue };
        let place = if request.is_skipped() {
            if drains.is_none() {
                continue;
            }
            drain_shown = true;
            (DRAINS, 0)
        } else if queued.mode().is_none() {
            continue; // it was granted, and its owner has not hidden it yet
        } else if request.is_followed() {
            (published, order_of(request.ticket(), next).saturating_add(1))
        } else if is_earlier(request.ticket(), queued.ticket()) {
            continue; // the same
        } else {
            first_shown |= request.ticket() == queued.ticket();
            (order_of(request.ticket(), next), 0)
        };
        let label = Some(row.label.load()).filter(|label| !label.is_empty());
        let label = label.unwrap_or_else(|| slot.waiting.label.load());
        found.push((place, party(slot, mode, 1, label, row.since.load(Relaxed), now)));
    }
    let of_attachment = |mode, since| waiter(slot, mode, since, now);
    for row in state.request_pool() {
        let request = Queued(row.load(Relaxed));
        let Some(mode) = request.mode().filter(|_| request.is_of(index as u32)) else { continue };
        let place = (order_of(request.ticket(), next), 0);
        let is_over = queued.mode().is_none() || is_earlier(request.ticket(), queued.ticket());
        // It may have got another row meanwhile.
        if !is_over && found.iter().all(|(shown, _)| *shown != place) {
            first_shown |= request.ticket() == queued.ticket();
            found.push((place, party(slot, mode, 1, slot.waiting.label.load(), 0, now)));
        }
    }
    if !drain_shown {
        let since = if drains == Some(Hold::Draining) { &slot.exclusive_since } else { &slot.waiting.since };
        found.push(((DRAINS, 0), of_attachment(Mode::Write, since)));
    }
    if let Some(mode) = queued.mode().filter(|_| shows_rowless && !first_shown) {
        found.push(((published, 0), of_attachment(mode, &slot.waiting.since)));
    }
    found.iter_mut().for_each(|(_, request)| request.is_skipped = queued.is_skipped());
    found.sort_by_key(|(place, _)| *place);
    if let Some((_, last)) = found.last_mut() {
        last.more = slot.waiting.pending.load(Relaxed);
    }
    found
}

fn owner_died(state: &SharedState, gate: Gate) -> Option<OwnerDied> {
    let slot = state.slots().get(gate.died()?)?;
    crash_point!(inspect_died);
    Some(OwnerDied {
        pid: slot.waiting.pid.load(Relaxed),
        thread: slot.waiting.thread.load(Relaxed),
        label: label(slot, &slot.exclusive_label),
        token: slot.token.load(Relaxed),
    })
}

/// Repairs what dead attachments other than `me` left, so that they are not shown as holders or
/// waiters. An attachment that ended in a process that still runs may be found later if that
/// process has many.
fn recover_shown(segment: &Segment, me: usize) {
    let slots = segment.used_slots().len();
    let shown: Vec<usize> =
        (0..slots).filter(|&slot| slot != me && segment.recovery().leaves_something(slot)).collect();
    if shown.len() <= PROBES_OF_INSPECTION {
        shown.iter().for_each(|&slot| _ = segment.recovery().recover(slot));
        return;
    }
    static TURN: AtomicUsize = AtomicUsize::new(0);
    let turn = TURN.fetch_add(PROBES_OF_INSPECTION, Relaxed) % shown.len();
    let mut ended: BTreeMap<(u32, u32), Option<bool>> = BTreeMap::new();
    for (position, &slot) in shown.iter().enumerate() {
        let waiting = &segment.slots()[slot].waiting;
        let process = (waiting.pid.load(Relaxed), waiting.namespace.load(Relaxed));
        let lives = *ended.entry(process).or_insert_with(|| has_owner_ended(segment, slot)) == Some(false);
        let in_turn = (position + shown.len() - turn) % shown.len() < PROBES_OF_INSPECTION;
        if !lives || in_turn {
            segment.recovery().recover(slot);
        }
    }
}

/// The label of a hold, or else of its attachment.
fn label(slot: &Slot, of_hold: &Label) -> String {
    Some(of_hold.load()).filter(|label| !label.is_empty()).unwrap_or_else(|| slot.waiting.label.load())
}

fn holder(slot: &Slot, mode: Mode, count: u32, now: u64) -> Participant {
    let (since, of_hold) = match mode {
        Mode::Read => (&slot.read_since, &slot.read_label),
        _ => (&slot.exclusive_since, &slot.exclusive_label),
    };
    party(slot, mode, count, label(slot, of_hold), since.load(Relaxed), now)
}

fn waiter(slot: &Slot, mode: Mode, since: &InfoU64, now: u64) -> Participant {
    party(slot, mode, 1, slot.waiting.label.load(), since.load(Relaxed), now)
}

fn party(slot: &Slot, mode: Mode, count: u32, label: String, since: u64, now: u64) -> Participant {
    crash_point!(inspect_identity);
    Participant {
        pid: slot.waiting.pid.load(Relaxed),
        namespace: slot.waiting.namespace.load(Relaxed),
        thread: slot.waiting.thread.load(Relaxed),
        mode,
        count,
        label,
        ms: if since == 0 || now == 0 { 0 } else { (now.saturating_sub(since) / 1_000_000).max(1) },
        since,
        is_own: false,
        more: 0,
        is_skipped: false,
    }
}
