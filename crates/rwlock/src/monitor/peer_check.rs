//! What a sleeper does when nobody wakes it: looks whether what it waits for can still come, repairs what dead peers left, and goes
//! past those who do not come when it is their turn.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::exit_notice::{ExitNotice, activity_of_owner};
use crate::protocol::gate::{Gate, Hold};
use crate::protocol::recovery::MAX_REPAIRS;
use crate::protocol::slot::{Mode, Queued};
use crate::protocol::wake::wake;
use crate::shm::segment::Segment;
use crate::sys::activity::Activity;

/// Looks after dead peers come this often at first, and ever less often: a probe costs about a microsecond.
pub(crate) const FIRST_CHECK: u64 = 1_000_000;
const LAST_CHECK: u64 = 10_000_000;
/// Where the kernel tells of deaths: then the looks are for who does not come, and for lost wakes.
const LAST_CHECK_IF_NOTIFIED: u64 = 20_000_000;
/// Deaths that one waiter wants to be told of: the owner's, that of a reader he waits for, that of who is ahead in the queue.
const MAX_EXIT_NOTICES: usize = 3;
/// Looks until the kernel is asked although it will tell. (To ask is most of what a look costs.)
const CHECKS_TO_PROBE: u32 = 16;
/// How long the lock may stay free for somebody who does not come, before the next one goes. Doubled each time it
/// happens to the same waiter, so that a slow one gets its turn in the end.
const SKIP_GRACE: u64 = 5_000_000;
/// How long a gate may say that somebody holds it who does not know, while none of his threads does anything. A hold begins
/// and ends within a few instructions.
const PHANTOM_LIMIT: u64 = 1_000_000_000;
/// And where it is not known what his threads do, or one of them is busy.
const PHANTOM_LIMIT_UNSEEN: u64 = 10_000_000_000;
/// So that the patience stays below a second.
const MAX_SKIPS: u32 = 7;

/// What a sleeper does when nobody wakes it: looks whether what it waits for can still come.
///
/// It knows its slot's request from the shared memory, so it may run on another thread than the attachment's.
pub(crate) struct PeerCheck {
    segment: Arc<Segment>,
    slot: usize,
    interval: u64,
    /// When to look next.
    pub next: u64,
    /// What has been somebody's turn without him coming, and since when.
    awaited: Option<(Turn, u64)>,
    looks: u32,
    /// Of the deaths of those in the way at the last look. None while a wait is short: most are.
    exit_notices: Vec<ExitNotice>,
    /// The tenure of a gate whose owner does not know of it, and since when.
    unknown: Option<(u64, u64)>,
    damage: Arc<Damage>,
}

/// What an attachment's vigils have found out: the tenure of a gate that nobody holds, although it says so.
struct Damage(AtomicU64);

/// No gate that is held has this tenure.
const NO_TENURE: u64 = 0;

/// The lock is there for somebody to take.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// The gate is free for him, who is ahead in the queue.
    Queued { slot: usize, request: Queued, tenure: u64 },
    /// The gate is his, and the readers he waited for have left; or he only tries, and does not wait for them.
    Drained { slot: usize, tenure: u64 },
}

impl PeerCheck {
    pub fn new(segment: Arc<Segment>, slot: usize) -> Self {
        Self::with(segment, slot, Arc::new(Damage(AtomicU64::new(NO_TENURE))))
    }

    /// Another vigil for the same attachment.
    pub fn another(&self) -> Self {
        Self::with(self.segment.clone(), self.slot, self.damage.clone())
    }

    fn with(segment: Arc<Segment>, slot: usize, damage: Arc<Damage>) -> Self {
        Self {
            segment,
            slot,
            interval: FIRST_CHECK,
            next: u64::MAX,
            awaited: None,
            looks: 0,
            exit_notices: Vec::new(),
            unknown: None,
            damage,
        }
    }

    /// Whether one of this attachment's vigils has found that nobody holds the gate, although it says so.
    pub fn has_found_damage(&self, gate: Gate) -> bool {
        gate.tenure() == self.damage.0.load(Relaxed) && self.segment.phantom_owner(gate).is_some()
    }

    /// Finds out whether nobody holds the gate, although it says that somebody else does. Whoever is stopped where his hold
    /// begins or ends is given the time he needs.
    fn is_phantom_hold(&mut self, gate: Gate, now: u64) -> bool {
        let owner = self.segment.phantom_owner(gate).filter(|&owner| owner != self.slot);
        let (Some(owner), tenure) = (owner, gate.tenure()) else {
            self.unknown = None;
            return false;
        };
        let since = match self.unknown {
            Some((known, since)) if known == tenure => since,
            _ => now,
        };
        self.unknown = Some((tenure, since));
        let lasted = now.saturating_sub(since);
        if lasted < PHANTOM_LIMIT {
            return false;
        }
        let is_damage = match activity_of_owner(&self.segment, owner) {
            Activity::Asleep => true,
            Activity::Running | Activity::Unknown => lasted >= PHANTOM_LIMIT_UNSEEN,
            Activity::Stopped => {
                self.unknown = None;
                false
            }
        };
        // He may have gone on while he was looked at.
        let is_damage = is_damage && {
            crash_point!(owner_knows_load);
            let gate = self.segment.load_gate();
            gate.tenure() == tenure && self.segment.phantom_owner(gate).is_some()
        };
        if is_damage {
            self.damage.0.store(tenure, Relaxed);
        }
        is_damage
    }

    /// A wait begins, or goes on after news. Returns when to look first.
    pub fn begin(&mut self, now: u64) -> u64 {
        self.interval = FIRST_CHECK;
        self.next = now + self.interval;
        self.next
    }

    /// Nobody waits any more.
    pub fn end(&mut self) {
        self.exit_notices = Vec::new();
    }

    /// `slot` is in the way: repairs what it left behind if it is dead. Returns whether there was anything. Else its death
    /// shall be told, unless that was asked for `before`: then it need not be asked for at every look.
    fn handle_blocker(&mut self, slot: usize, before: &mut Option<Vec<ExitNotice>>) -> bool {
        if let Some(before) = before
            && self.exit_notices.len() < MAX_EXIT_NOTICES
        {
            if let Some(place) = before.iter().position(|exit_notice| exit_notice.is_of(&self.segment, slot)) {
                let exit_notice = before.swap_remove(place);
                let is_sure = exit_notice.is_sure;
                self.exit_notices.push(exit_notice);
                if is_sure && !self.looks.is_multiple_of(CHECKS_TO_PROBE) {
                    return false;
                }
            } else {
                // Before the probe, which finds who has died meanwhile.
                self.exit_notices.extend(ExitNotice::of(&self.segment, slot));
            }
        }
        self.segment.recovery().recover(slot)
    }

    /// Looks once; wakes the sleeper if there is something for it to do. `share` stretches the pause between looks, for
    /// who keeps many vigils.
    pub fn check(&mut self, now: u64, share: u64) {
        let is_notified =
            !self.exit_notices.is_empty() && self.exit_notices.iter().all(|exit_notice| exit_notice.is_sure);
        let mut before = (self.interval > FIRST_CHECK).then(|| std::mem::take(&mut self.exit_notices));
        self.looks = self.looks.wrapping_add(1);
        let longest = if is_notified { LAST_CHECK_IF_NOTIFIED } else { LAST_CHECK };
        self.interval = (self.interval * 2).min(longest * share);
        // On multiples, so that one sleep serves all the vigils of a thread.
        self.next = (now / self.interval + 1) * self.interval;
        let segment = self.segment.clone();
        let own = &segment.slots()[self.slot].waiting;
        crash_point!(check_gate);
        let gate = segment.load_gate();
        let news = match segment.gate_owner(gate) {
            Err(_) => true, // to be told so
            Ok(Some(owner)) if owner == self.slot => {
                if gate.is_drained_by(owner) {
                    match segment.readers().find_other_reader(owner) {
                        Some(reader) => {
                            self.handle_blocker(reader, &mut before);
                            false
                        }
                        None => true,
                    }
                } else {
                    // An upgrader that was passed over, by somebody who stopped before he said so. Or damage, to be told so.
                    gate.hold() == Some(Hold::Upgradable) || segment.phantom_owner(gate).is_some()
                }
            }
            Ok(_) => {
                crash_point!(check_queued);
                let queued = Queued(own.queued.load(SeqCst));
                // Neither the gate nor a place in the queue: who took them away died before he said so, or it was damage.
                queued.mode().is_none_or(|mode| self.check_ahead(mode, Some(queued.ticket()), now, &mut before))
            }
        };
        if news {
            wake(own);
        }
    }

    /// Looks who is in the way of a request that comes after all others: repairs what the dead left, goes past who does not
    /// come. Returns whether it is worth a try now.
    pub fn check_for(&mut self, mode: Mode, now: u64) -> bool {
        self.check_ahead(mode, None, now, &mut None)
    }

    fn check_ahead(&mut self, mode: Mode, ticket: Option<u64>, now: u64, before: &mut Option<Vec<ExitNotice>>) -> bool {
        let segment = self.segment.clone();
        crash_point!(blocker_load);
        let gate = segment.load_gate();
        match segment.gate_owner(gate) {
            Ok(Some(owner)) if owner != self.slot => {
                if !self.handle_blocker(owner, before) && self.is_phantom_hold(gate, now) {
                    return true; // to be told so
                }
            }
            Ok(_) => {}
            Err(_) => return true, // likewise
        }
        if gate.is_drained_by(gate.owner())
            && let Some(reader) = segment.readers().find_other_reader(self.slot)
        {
            self.handle_blocker(reader, before); // in case the one who drains cannot
        }
        let mut ahead = segment.queue().ahead_of(self.slot, mode, ticket);
        // No more often than there are slots, whoever else writes there.
        let mut left = segment.slots().len().min(MAX_REPAIRS);
        while let Some((slot, _)) = ahead
            && self.handle_blocker(slot, before)
        {
            if left == 0 {
                self.next = self.next.min(now + FIRST_CHECK);
                break;
            }
            left -= 1;
            ahead = segment.queue().ahead_of(self.slot, mode, ticket);
        }
        crash_point!(turn_load);
        let gate = segment.load_gate();
        let free_for = |mode| if mode == Mode::Read { !gate.excludes_readers() } else { gate.is_free() };
        let turn = match ahead {
            None if free_for(mode) => {
                self.awaited = None;
                return true;
            }
            Some((slot, request)) if free_for(mode) && request.mode().is_some_and(free_for) => {
                Some(Turn::Queued { slot, request, tenure: gate.tenure() })
            }
            _ if gate.is_drained_by(gate.owner())
                && gate.owner() != self.slot
                && (segment.is_in_try(gate.owner()) || segment.readers().find_other_reader(usize::MAX).is_none()) =>
            {
                Some(Turn::Drained { slot: gate.owner(), tenure: gate.tenure() })
            }
            _ => None,
        };
        self.awaited = turn.and_then(|turn| self.still_awaited(turn, now));
        false
    }

    /// It is somebody's turn. If it has been so for longer than the patience due to him, go past him.
    fn still_awaited(&mut self, turn: Turn, now: u64) -> Option<(Turn, u64)> {
        let since = match self.awaited {
            Some((known, since)) if known == turn => since,
            _ => now,
        };
        let slots = self.segment.slots();
        let skip_count = match turn {
            Turn::Queued { request, .. } => request.skip_count(),
            Turn::Drained { slot, .. } => {
                crash_point!(skip_load_count);
                slots.get(slot)?.waiting.skip_count.load(Relaxed).min(MAX_SKIPS)
            }
        };
        let until = since + (SKIP_GRACE << skip_count);
        if now < until {
            self.next = self.next.min(until);
            return Some((turn, since));
        }
        match turn {
            Turn::Queued { slot, request, .. } => {
                let word = &slots[slot].waiting;
                crash_point!(skip_queued);
                if word.queued.compare_exchange(request.0, request.skipped().0, SeqCst, SeqCst).is_ok() {
                    // After the mark, so that he finds it: then he takes his place back.
                    wake(word);
                    self.segment.queue().wake_next(None);
                }
            }
            Turn::Drained { slot, tenure } => {
                crash_point!(skip_load);
                let gate = self.segment.load_gate();
                crash_point!(skip_drain);
                // Should he come just now, his own step from draining to writing makes this fail, or this his.
                if gate.tenure() == tenure && self.segment.swap_gate(gate, gate.with_drain_aborted()) {
                    crash_point!(skip_count);
                    slots[slot].waiting.skip_count.store(skip_count + 1, Relaxed);
                    wake(&slots[slot].waiting);
                    self.segment.queue().wake_next(None);
                }
            }
        }
        None
    }
}

#[cfg(all(test, not(loom), not(miri)))]
mod tests;
