//! What the dead leave behind, and those who do not come when it is their turn.
//!
//! Recovery is lock-free and idempotent; any thread may do it at any time. It repairs single words, in this order: read
//! the word, *then* ask the kernel whether its owner lives, *then* compare-and-swap that same word. Generation and version
//! make a slot that changed hands in between visible.

use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, SeqCst};

use crate::gate::Gate;
use crate::liveness::slot_byte;
use crate::park;
use crate::segment::Segment;
use crate::slot::{Mode, Queued, Reads};

/// Looks after dead peers come this often at first, and ever less often: a probe costs about a microsecond.
const FIRST_LOOK: u64 = 1_000_000;
const LAST_LOOK: u64 = 10_000_000;
/// How long the lock may stay free for somebody who does not come, before the next one goes. Doubled each time it
/// happens to the same waiter, so that a slow one gets its turn in the end.
const PATIENCE: u64 = 5_000_000;

impl Segment {
    /// Whether the attachment in `slot` lives. Asks about other open files only: never about the caller's own slot.
    pub fn is_alive(&self, slot: usize) -> bool {
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

    /// As [`Segment::recover`], with another proof that the owner is gone.
    pub fn repair(&self, index: usize, is_dead: impl Fn() -> bool) -> bool {
        let slot = &self.slots()[index];
        let queued = Queued(slot.waiting.queued.load(SeqCst));
        let reads = Reads(slot.reads.load(SeqCst));
        if queued == Queued::NONE && reads.count() == 0 && !self.load_gate().is_owned_by(index) {
            return false;
        }
        if !is_dead() {
            return false;
        }
        if queued != Queued::NONE {
            let _ = slot.waiting.queued.compare_exchange(queued.0, Queued::NONE.0, SeqCst, SeqCst);
        }
        if reads.count() != 0 {
            let none = Reads::new(reads.generation(), 0);
            let _ = slot.reads.compare_exchange(reads.0, none.0, SeqCst, SeqCst);
        }
        self.free_gate_of(index, is_dead);
        self.wake_next(None);
        self.wake_writer(self.load_gate());
        true
    }

    fn free_gate_of(&self, index: usize, is_dead: impl Fn() -> bool) {
        loop {
            let gate = self.load_gate();
            if !gate.is_owned_by(index) || !is_dead() {
                return;
            }
            // Read after the proof of death, so that it is the last word. A writer that still drained changed nothing.
            let died_inside = gate.is_write() && self.slots()[index].began.load(Acquire) != 0;
            let freed = if died_inside { gate.freed().poisoned_by(index) } else { gate.freed() };
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
    /// Whom the lock has been free for, without him coming, and since when.
    awaited: Option<(usize, Queued, Gate, u64)>,
}

impl Vigil {
    pub fn new(segment: Arc<Segment>, slot: usize) -> Self {
        Self { segment, slot, interval: FIRST_LOOK, next: u64::MAX, awaited: None }
    }

    /// A wait begins, or goes on after news.
    pub fn begin(&mut self, now: u64) {
        self.interval = FIRST_LOOK;
        self.next = now + self.interval;
        self.awaited = None;
    }

    /// Looks once; wakes the sleeper if there is something for it to do. `share` stretches the pause between looks, for
    /// who keeps many vigils.
    pub fn look(&mut self, now: u64, share: u64) {
        self.interval = (self.interval * 2).min(LAST_LOOK * share);
        self.next = now + self.interval;
        let segment = &*self.segment;
        let own = &segment.slots()[self.slot].waiting;
        let gate = segment.load_gate();
        if gate.is_write() && gate.owner() == self.slot {
            if let Some(reader) = segment.reader_beside(self.slot) {
                segment.recover(reader);
            }
            return;
        }
        let queued = Queued(own.queued.load(SeqCst));
        let Some(mode) = queued.mode() else { return };
        if let Ok(Some(owner)) = segment.gate_owner(gate)
            && owner != self.slot
        {
            segment.recover(owner);
        }
        let mut ahead = segment.ahead_of(self.slot, mode, queued.ticket());
        while let Some((slot, _)) = ahead
            && segment.recover(slot)
        {
            ahead = segment.ahead_of(self.slot, mode, queued.ticket());
        }
        let gate = segment.load_gate();
        let free = if mode == Mode::Read { !gate.is_write() } else { gate.is_free() };
        match (free, ahead) {
            (true, Some(ahead)) => self.pass(ahead, gate, now),
            (true, None) => park::wake(&own.wake),
            (false, _) => self.awaited = None,
        }
    }

    /// The lock is free for `slot`, who is ahead. If it has been so for longer than the patience due to him, go past him.
    fn pass(&mut self, (slot, queued): (usize, Queued), gate: Gate, now: u64) {
        let since = match self.awaited {
            Some((known, request, version, since)) if (known, request, version) == (slot, queued, gate) => since,
            _ => now,
        };
        let until = since + (PATIENCE << queued.passes());
        if now < until {
            self.awaited = Some((slot, queued, gate, since));
            self.next = self.next.min(until);
            return;
        }
        self.awaited = None;
        let word = &self.segment.slots()[slot].waiting;
        if word.queued.compare_exchange(queued.0, queued.passed_over().0, SeqCst, SeqCst).is_ok() {
            // After the mark, so that he finds it: then he takes his place back.
            park::wake(&word.wake);
            self.segment.wake_next(None);
        }
    }
}
