//! What the dead leave behind, and those who do not come when it is their turn.
//!
//! Recovery is lock-free and idempotent; any thread may do it at any time. It repairs single words, in this order: read
//! the word, *then* ask the kernel whether its owner lives, *then* compare-and-swap that same word. Generation and tag
//! make a slot that changed hands in between visible.

use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use crate::gate::Hold;
use crate::liveness::deaths::Notice;
use crate::liveness::slot_byte;
use crate::park;
use crate::segment::Segment;
use crate::slot::{Mode, Queued, Reads};

/// Looks after dead peers come this often at first, and ever less often: a probe costs about a microsecond.
pub(crate) const FIRST_LOOK: u64 = 1_000_000;
const LAST_LOOK: u64 = 10_000_000;
/// Where the kernel tells of deaths: then the looks are for who does not come, and for lost wakes.
const LAST_LOOK_IF_TOLD: u64 = 20_000_000;
/// Deaths that one waiter wants to be told of: the owner's, that of a reader he waits for, that of who is ahead in the queue.
const MAX_NOTICES: usize = 3;
/// Looks until the kernel is asked although it will tell. (To ask is most of what a look costs.)
const LOOKS_TO_PROBE: u32 = 16;
/// How long the lock may stay free for somebody who does not come, before the next one goes. Doubled each time it
/// happens to the same waiter, so that a slow one gets its turn in the end.
const PATIENCE: u64 = 5_000_000;
/// So that the patience stays below a second.
const MAX_PASSES: u32 = 7;

impl Segment {
    /// Whether the attachment in `slot` lives. Asks about other open files only: never about the caller's own slot.
    pub fn is_alive(&self, slot: usize) -> bool {
        step!(probe);
        // If the kernel does not answer, nobody is declared dead.
        self.lock.is_locked(slot_byte(slot), 1).unwrap_or(true)
    }

    /// Repairs what `slot` left behind if its owner died. Returns whether there was anything.
    pub fn recover(&self, slot: usize) -> bool {
        self.repair(slot, || !self.is_alive(slot))
    }

    /// Repairs everything that anybody but `me` left behind.
    pub fn recover_all(&self, me: usize) -> bool {
        let mut repaired = false;
        for slot in (0..self.used_slots().len()).filter(|&slot| slot != me) {
            repaired |= self.recover(slot);
        }
        repaired
    }

    /// The process in `slot` is said to have died. It may have been about to wake somebody, whatever it held.
    #[cfg_attr(any(loom, miri), expect(dead_code, reason = "nobody tells"))]
    pub fn follow_death(&self, slot: usize) {
        if !self.recover(slot) {
            self.wake_next(None);
            step!(follow_wake_look);
            self.wake_writer(self.load_gate());
        }
    }

    /// As [`Segment::recover`], with another proof that the owner is gone.
    pub fn repair(&self, index: usize, is_dead: impl Fn() -> bool) -> bool {
        let slot = &self.slots()[index];
        step!(repair_look_queued);
        let queued = Queued(slot.waiting.queued.load(SeqCst));
        step!(repair_look_reads);
        let reads = Reads(slot.reads.load(SeqCst));
        step!(repair_look_gate);
        if queued == Queued::NONE && reads.count() == 0 && !self.load_gate().is_owned_by(index) {
            return false;
        }
        if !is_dead() {
            return false;
        }
        if queued != Queued::NONE {
            step!(repair_queued);
            let _ = slot.waiting.queued.compare_exchange(queued.0, Queued::NONE.0, SeqCst, SeqCst);
        }
        if reads.count() != 0 {
            let none = Reads::new(reads.generation(), 0);
            step!(repair_reads);
            let _ = slot.reads.compare_exchange(reads.0, none.0, SeqCst, SeqCst);
        }
        self.free_gate_of(index, is_dead);
        self.wake_next(None);
        step!(repair_wake_look);
        self.wake_writer(self.load_gate());
        true
    }

    /// Whether the writer in `slot`, which is dead, died inside its hold: after [`crate::Attachment::begin_write`], and before its
    /// release.
    fn is_inside(&self, slot: usize) -> bool {
        step!(free_gate_look_token);
        self.slots()[slot].token.load(Relaxed) == self.gate().fence.load(Relaxed)
    }

    fn free_gate_of(&self, index: usize, is_dead: impl Fn() -> bool) {
        loop {
            step!(free_gate_look);
            let gate = self.load_gate();
            if !gate.is_owned_by(index) || !is_dead() {
                return;
            }
            let freed = if gate.hold() == Some(Hold::Writing) && self.is_inside(index) {
                gate.freed().poisoned_by(index)
            } else {
                gate.freed()
            };
            step!(free_gate);
            if self.swap_gate(gate, freed) {
                return;
            }
        }
    }
}

/// What a sleeper does when nobody wakes it: looks whether what it waits for can still come.
///
/// It knows its slot's request from the shared memory, so it may run on another thread than the attachment's.
pub(crate) struct Vigil {
    segment: Arc<Segment>,
    slot: usize,
    interval: u64,
    /// When to look next.
    pub next: u64,
    /// What has been somebody's turn without him coming, and since when.
    awaited: Option<(Turn, u64)>,
    looks: u32,
    /// Of the deaths of those in the way at the last look. None while a wait is short: most are.
    notices: Vec<Notice>,
}

/// The lock is there for somebody to take.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// The gate is free for him, who is ahead in the queue.
    Queued { slot: usize, request: Queued, tenure: u64 },
    /// The gate is his, and the readers he waited for have left.
    Drained { slot: usize, tenure: u64 },
}

impl Vigil {
    pub fn new(segment: Arc<Segment>, slot: usize) -> Self {
        Self { segment, slot, interval: FIRST_LOOK, next: u64::MAX, awaited: None, looks: 0, notices: Vec::new() }
    }

    /// A wait begins, or goes on after news. Returns when to look first.
    pub fn begin(&mut self, now: u64) -> u64 {
        self.interval = FIRST_LOOK;
        self.next = now + self.interval;
        self.next
    }

    /// Nobody waits any more.
    pub fn end(&mut self) {
        self.notices = Vec::new();
    }

    /// `slot` is in the way: repairs what it left behind if it is dead. Returns whether there was anything. Else its death
    /// shall be told, unless that was asked for `before`: then it need not be asked for at every look.
    fn see_to(&mut self, slot: usize, before: &mut Option<Vec<Notice>>) -> bool {
        if let Some(before) = before
            && self.notices.len() < MAX_NOTICES
        {
            if let Some(place) = before.iter().position(|notice| notice.is_of(&self.segment, slot)) {
                let notice = before.swap_remove(place);
                let is_sure = notice.is_sure;
                self.notices.push(notice);
                if is_sure && !self.looks.is_multiple_of(LOOKS_TO_PROBE) {
                    return false;
                }
            } else {
                // Before the probe, which finds who has died meanwhile.
                self.notices.extend(Notice::of(&self.segment, slot));
            }
        }
        self.segment.recover(slot)
    }

    /// Looks once; wakes the sleeper if there is something for it to do. `share` stretches the pause between looks, for
    /// who keeps many vigils.
    pub fn look(&mut self, now: u64, share: u64) {
        let is_told = !self.notices.is_empty() && self.notices.iter().all(|notice| notice.is_sure);
        let mut before = (self.interval > FIRST_LOOK).then(|| std::mem::take(&mut self.notices));
        self.looks = self.looks.wrapping_add(1);
        let longest = if is_told { LAST_LOOK_IF_TOLD } else { LAST_LOOK };
        self.interval = (self.interval * 2).min(longest * share);
        // On multiples, so that one sleep serves all the vigils of a thread.
        self.next = (now / self.interval + 1) * self.interval;
        let segment = self.segment.clone();
        let own = &segment.slots()[self.slot].waiting;
        step!(vigil_gate);
        let gate = segment.load_gate();
        let news = match segment.gate_owner(gate) {
            Err(_) => true, // to be told so
            Ok(Some(owner)) if owner == self.slot => {
                gate.is_drained_by(owner)
                    && match segment.reader_beside(owner) {
                        Some(reader) => {
                            self.see_to(reader, &mut before);
                            false
                        }
                        None => true,
                    }
            }
            Ok(_) => {
                step!(vigil_queued);
                let queued = Queued(own.queued.load(SeqCst));
                // Neither the gate nor a place in the queue: who took them away died before he said so, or it was damage.
                queued.mode().is_none_or(|mode| self.look_ahead(mode, queued.ticket(), now, &mut before))
            }
        };
        if news {
            park::wake(own);
        }
    }

    /// Looks who is in the way of a request: repairs what the dead left, goes past who does not come. Returns whether it is
    /// worth a try now.
    pub fn look_for(&mut self, mode: Mode, ticket: u64, now: u64) -> bool {
        self.look_ahead(mode, ticket, now, &mut None)
    }

    fn look_ahead(&mut self, mode: Mode, ticket: u64, now: u64, before: &mut Option<Vec<Notice>>) -> bool {
        let segment = self.segment.clone();
        step!(way_look);
        let gate = segment.load_gate();
        match segment.gate_owner(gate) {
            Ok(Some(owner)) if owner != self.slot => _ = self.see_to(owner, before),
            Ok(_) => {}
            Err(_) => return true, // to be told so
        }
        if gate.is_drained_by(gate.owner())
            && let Some(reader) = segment.reader_beside(self.slot)
        {
            self.see_to(reader, before); // in case the one who drains cannot
        }
        let mut ahead = segment.ahead_of(self.slot, mode, ticket);
        while let Some((slot, _)) = ahead
            && self.see_to(slot, before)
        {
            ahead = segment.ahead_of(self.slot, mode, ticket);
        }
        step!(turn_look);
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
                && segment.reader_beside(usize::MAX).is_none() =>
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
        let passes = match turn {
            Turn::Queued { request, .. } => request.passes(),
            Turn::Drained { slot, .. } => {
                step!(pass_look_count);
                slots.get(slot)?.waiting.passes.load(Relaxed).min(MAX_PASSES)
            }
        };
        let until = since + (PATIENCE << passes);
        if now < until {
            self.next = self.next.min(until);
            return Some((turn, since));
        }
        match turn {
            Turn::Queued { slot, request, .. } => {
                let word = &slots[slot].waiting;
                step!(pass_queued);
                if word.queued.compare_exchange(request.0, request.passed_over().0, SeqCst, SeqCst).is_ok() {
                    // After the mark, so that he finds it: then he takes his place back.
                    park::wake(word);
                    self.segment.wake_next(None);
                }
            }
            Turn::Drained { slot, tenure } => {
                step!(pass_look);
                let gate = self.segment.load_gate();
                step!(pass_drain);
                // Should he come just now, his own step from draining to writing makes this fail, or this his.
                if gate.tenure() == tenure && self.segment.swap_gate(gate, gate.given_back()) {
                    step!(pass_count);
                    slots[slot].waiting.passes.store(passes + 1, Relaxed);
                    park::wake(&slots[slot].waiting);
                    self.segment.wake_next(None);
                }
            }
        }
        None
    }
}
