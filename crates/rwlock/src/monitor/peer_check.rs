//! Periodic check by a sleeping waiter: whether what it waits for can still come. It repairs what
//! dead peers left, skips peers that do not come when it is their turn, and repeats notices to
//! holders that may have missed them.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::exit_notice::{ExitNotice, activity_of_owner};
use crate::protocol::gate::{Gate, Hold};
use crate::protocol::recovery::MAX_REPAIRS;
use crate::protocol::slot::{Mode, Queued, Reads};
use crate::protocol::wake::{wake, wake_again};
use crate::shm::segment::Segment;
use crate::sys::activity::Activity;

/// The first interval of the checks. It grows, because a probe costs about a microsecond.
pub(crate) const FIRST_CHECK: u64 = 1_000_000;
const LAST_CHECK: u64 = 10_000_000;
/// The longest interval if exits are notified. The checks are then only for stopped peers and lost
/// wakes.
const LAST_CHECK_IF_NOTIFIED: u64 = 20_000_000;
/// The most exits that one waiter is notified of: the owner's, that of a reader, and that of the
/// request ahead in the queue.
const MAX_EXIT_NOTICES: usize = 3;
/// The number of checks after which a notified peer is probed anyway. (A probe is most of the cost
/// of a check.)
const CHECKS_TO_PROBE: u32 = 16;
/// The most readers that a waiter checks although another request comes before its own.
const READERS_OF_CHECK: usize = 4;
/// For how long the lock may stay free for a waiter that does not come, before the next one goes
/// ahead. Doubled each time the same waiter is skipped, so that a slow one gets its turn in the
/// end.
const SKIP_GRACE: u64 = 5_000_000;
/// For how long a phantom hold may last while no thread of the named owner is active. A hold begins
/// and ends within a few instructions.
const PHANTOM_LIMIT: u64 = 1_000_000_000;
/// The same if the activity of its threads is unknown, or one of them is busy.
const PHANTOM_LIMIT_UNSEEN: u64 = 10_000_000_000;
/// Keeps the grace period below a second.
const MAX_SKIPS: u32 = 7;

/// Periodic check by a sleeping waiter.
///
/// It reads its slot's request from shared memory, so it may run on another thread than the
/// attachment's.
pub(crate) struct PeerCheck {
    segment: Arc<Segment>,
    slot: usize,
    /// Whether a request whose owner lives, and does not come, is skipped.
    skips: bool,
    interval: u64,
    /// When the next check is due.
    pub next: u64,
    /// The turn that its owner has not taken yet, and since when.
    awaited: Option<(Turn, u64)>,
    checks: u32,
    /// The next slot that is probed because it reads, if the limit on readers is reached.
    next_reader: usize,
    /// Notices of the exits of the blockers at the last check. Empty while a wait is short, as most
    /// are.
    exit_notices: Vec<ExitNotice>,
    /// The tenure of a phantom hold, and since when.
    unknown: Option<(u64, u64)>,
    damage: Arc<Damage>,
}

/// What the checks of an attachment have found: the tenure of a phantom hold.
struct Damage(AtomicU64);

/// No gate that is held has this tenure.
const NO_TENURE: u64 = 0;

/// A turn to take the lock.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// The gate is free for the first request in the queue.
    Queued { slot: usize, request: Queued, tenure: u64 },
    /// The gate is drained and its readers have left; or its owner is in a try and does not wait
    /// for them.
    Drained { slot: usize, tenure: u64 },
}

impl PeerCheck {
    pub fn new(segment: Arc<Segment>, slot: usize) -> Self {
        Self::with(segment, slot, Arc::new(Damage(AtomicU64::new(NO_TENURE))))
    }

    /// Another peer check for the same attachment.
    pub fn another(&self) -> Self {
        Self::with(self.segment.clone(), self.slot, self.damage.clone())
    }

    fn with(segment: Arc<Segment>, slot: usize, damage: Arc<Damage>) -> Self {
        Self {
            skips: !segment.keeps_turns(),
            segment,
            slot,
            interval: FIRST_CHECK,
            next: u64::MAX,
            awaited: None,
            checks: 0,
            next_reader: 0,
            exit_notices: Vec::new(),
            unknown: None,
            damage,
        }
    }

    /// Whether a check of this attachment found that the gate names an owner that does not hold it.
    pub fn has_found_damage(&self, gate: Gate) -> bool {
        gate.tenure() == self.damage.0.load(Relaxed) && self.segment.phantom_owner(gate).is_some()
    }

    /// Finds out whether the gate names an owner that does not hold it. An owner that is stopped
    /// where its hold begins or ends gets the time that it needs.
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
        // It may have continued meanwhile.
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

    /// A wait begins, or continues after news. Returns when the first check is due.
    pub fn begin(&mut self, now: u64) -> u64 {
        self.interval = FIRST_CHECK;
        self.next = now + self.interval;
        self.next
    }

    /// Nothing is to be checked until the next wait begins. Returns when the first check is due.
    pub fn pause(&mut self) -> u64 {
        self.next = u64::MAX;
        self.next
    }

    /// The wait ends.
    pub fn end(&mut self) {
        self.exit_notices = Vec::new();
    }

    /// Handles the blocker `slot`: repairs what it left if it is dead, and returns whether there
    /// was anything. Otherwise its exit shall be notified. Notices of the check `before` are kept.
    fn handle_blocker(&mut self, slot: usize, before: &mut Option<Vec<ExitNotice>>) -> bool {
        if let Some(before) = before
            && self.exit_notices.len() < MAX_EXIT_NOTICES
        {
            if let Some(position) = before.iter().position(|exit_notice| exit_notice.is_of(&self.segment, slot)) {
                let exit_notice = before.swap_remove(position);
                let is_sure = exit_notice.is_sure;
                self.exit_notices.push(exit_notice);
                if is_sure && !self.checks.is_multiple_of(CHECKS_TO_PROBE) {
                    return false;
                }
            } else {
                // Before the probe, which detects an exit in between.
                self.exit_notices.extend(ExitNotice::of(&self.segment, slot));
            }
        }
        self.segment.recovery().recover(slot)
    }

    /// Checks once; wakes the sleeper if it has something to do. `share` stretches the interval for
    /// a process with many waits.
    pub fn check(&mut self, now: u64, share: u64) {
        let is_notified =
            !self.exit_notices.is_empty() && self.exit_notices.iter().all(|exit_notice| exit_notice.is_sure);
        let mut before = (self.interval > FIRST_CHECK).then(|| std::mem::take(&mut self.exit_notices));
        self.checks = self.checks.wrapping_add(1);
        let longest = if is_notified { LAST_CHECK_IF_NOTIFIED } else { LAST_CHECK };
        self.interval = (self.interval * 2).min(longest * share);
        // On multiples, so that one sleep serves all checks of a thread.
        self.next = (now / self.interval + 1) * self.interval;
        let segment = self.segment.clone();
        let own = &segment.slots()[self.slot].waiting;
        crash_point!(check_gate);
        let gate = segment.load_gate();
        let news = match segment.gate_owner(gate) {
            Err(_) => true, // to report it
            Ok(Some(owner)) if owner == self.slot => {
                if gate.is_drained_by(owner) {
                    match segment.readers().find_other_reader(owner) {
                        Some(reader) => {
                            self.handle_blocker(reader, &mut before);
                            segment.queue().notify_holders(owner, Mode::Write, wake_again);
                            false
                        }
                        None => true,
                    }
                } else {
                    // An upgrader was skipped by a process that stopped before it woke us. Or
                    // corruption, to be reported.
                    gate.hold() == Some(Hold::Upgradable) || segment.phantom_owner(gate).is_some()
                }
            }
            Ok(_) => {
                crash_point!(check_queued);
                let queued = Queued(own.queued.load(SeqCst));
                // Neither owner nor queued: the process that took that away died before it woke us,
                // or it was corruption.
                queued.mode().is_none_or(|mode| {
                    let news = self.check_ahead(mode, Some(queued.ticket()), now, &mut before);
                    segment.queue().notify_holders(self.slot, mode, wake_again);
                    news
                })
            }
        };
        if news {
            wake(own);
        }
    }

    /// Checks the blockers of a request that comes after all others: repairs what dead ones left
    /// and skips those that do not come. Returns whether a try is worthwhile now.
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
                    return true; // to report it
                }
            }
            Ok(_) => {}
            Err(_) => return true, // the same
        }
        if gate.is_drained_by(gate.owner())
            && let Some(reader) = segment.readers().find_other_reader(self.slot)
        {
            self.handle_blocker(reader, before); // in case the draining owner cannot
        }
        let mut ahead = segment.queue().ahead_of(self.slot, mode, ticket);
        // At most as often as there are slots, whatever others write there.
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
        if mode == Mode::Read && !segment.has_room() {
            // All, if it is their turn next; some even if not, because a stopped waiter does not
            // check.
            self.handle_readers(if ahead.is_none() { MAX_REPAIRS } else { READERS_OF_CHECK }, before);
        }
        crash_point!(turn_load);
        let gate = segment.load_gate();
        let has_room = segment.has_room();
        let free_for = |mode| if mode == Mode::Read { !gate.excludes_readers() && has_room } else { gate.is_free() };
        let turn = match ahead {
            None if free_for(mode) => {
                self.awaited = None;
                return true;
            }
            Some((slot, request)) if free_for(mode) && request.mode().is_some_and(free_for) => {
                self.skips.then_some(Turn::Queued { slot, request, tenure: gate.tenure() })
            }
            _ if gate.is_drained_by(gate.owner())
                && gate.owner() != self.slot
                && (segment.is_in_try(gate.owner())
                    || self.skips && segment.readers().find_other_reader(usize::MAX).is_none()) =>
            {
                Some(Turn::Drained { slot: gate.owner(), tenure: gate.tenure() })
            }
            _ => None,
        };
        self.awaited = turn.and_then(|turn| self.still_awaited(turn, now));
        false
    }

    /// The limit on readers is reached: repairs what dead ones left. Checks at most `probes` slots
    /// that read, in turn.
    fn handle_readers(&mut self, probes: usize, before: &mut Option<Vec<ExitNotice>>) {
        let slots = self.segment.used_slots().len();
        let mut left = probes;
        for _ in 0..slots {
            let slot = if self.next_reader < slots { self.next_reader } else { 0 };
            self.next_reader = slot + 1;
            crash_point!(check_reader);
            if slot != self.slot && Reads(self.segment.slots()[slot].reads.load(Relaxed)).count() != 0 {
                self.handle_blocker(slot, before);
                left -= 1;
            }
            if left == 0 {
                break;
            }
        }
    }

    /// It is the turn of another request. If it has lasted longer than its grace period, skip that
    /// request.
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
                    // After the mark, so that its owner finds it and takes its turn back.
                    wake(word);
                    self.segment.queue().wake_next(None);
                }
            }
            Turn::Drained { slot, tenure } => {
                crash_point!(skip_load);
                let gate = self.segment.load_gate();
                crash_point!(skip_drain);
                // If its owner comes now, its own step from draining to writing makes this fail, or
                // this makes that fail.
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
