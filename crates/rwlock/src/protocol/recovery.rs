//! Repairs what dead attachments left.
//!
//! Recovery is lock-free and idempotent; any thread may do it at any time. It repairs single words,
//! in this order: load the word, *then* ask the kernel whether its owner is alive, *then*
//! compare-and-swap that same word. Generation and tag reveal that a slot changed its owner in
//! between.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::gate::Hold;
use super::slot::{Queued, Reads};
use super::state::SharedState;
use crate::shm::lock_file::LockFile;

/// The most dead blockers of one request that are repaired at one check, because each costs a scan
/// of the queue. The next check follows soon.
pub(crate) const MAX_REPAIRS: usize = 64;
/// The most slots that a failing try probes although they are not known to block it.
const PROBES_OF_TRY: usize = 4;
/// The most slots that it inspects for that, in turn.
const SLOTS_OF_TRY: usize = 256;

/// Repairs the words of a lock. The lock file says which owners are alive.
#[derive(Clone, Copy)]
pub(crate) struct Recovery<'a> {
    state: &'a SharedState,
    lock_file: &'a LockFile,
}

impl<'a> Recovery<'a> {
    #[inline]
    pub fn new(state: &'a SharedState, lock_file: &'a LockFile) -> Self {
        Self { state, lock_file }
    }

    /// Repairs what `slot` left if its owner died. Returns whether there was anything.
    pub fn recover(self, slot: usize) -> bool {
        self.repair(slot, || !self.lock_file.is_alive(slot))
    }

    /// Repairs everything that owners other than `me` left.
    pub fn recover_all(self, me: usize) -> bool {
        let mut repaired = false;
        for slot in (0..self.state.used_slots().len()).filter(|&slot| slot != me) {
            repaired |= self.recover(slot);
        }
        repaired
    }

    /// Repairs what the next few slots left. Also returns the slot to continue from.
    pub fn recover_some(self, me: usize, from: usize) -> (bool, usize) {
        let slots = self.state.used_slots().len();
        let (mut repaired, mut probes, mut slot) = (false, 0, from);
        for _ in 0..slots.min(SLOTS_OF_TRY) {
            slot = if slot < slots { slot } else { 0 };
            if slot != me && self.leaves_something(slot) {
                repaired |= self.recover(slot);
                probes += 1;
            }
            slot += 1;
            if probes == PROBES_OF_TRY {
                break;
            }
        }
        (repaired, slot)
    }

    pub fn leaves_something(self, slot: usize) -> bool {
        let words = &self.state.slots()[slot];
        crash_point!(leftover_load);
        words.reads.load(Relaxed) as u32 != 0
            || words.waiting.queued.load(Relaxed) != 0
            || self.state.load_gate().is_owned_by(slot)
    }

    /// The process of `slot` is reported to have exited. Whatever it held, it may have been about
    /// to wake another process.
    pub fn on_peer_exit(self, slot: usize) {
        if !self.recover(slot) {
            self.state.queue().wake_next(None);
            crash_point!(exit_wake_load);
            self.state.queue().wake_writer(self.state.load_gate());
        }
    }

    /// Like [`Recovery::recover`], with another proof that the owner is dead.
    pub fn repair(self, index: usize, is_dead: impl Fn() -> bool) -> bool {
        let slot = &self.state.slots()[index];
        crash_point!(repair_load_queued);
        let queued = Queued(slot.waiting.queued.load(SeqCst));
        crash_point!(repair_load_reads);
        let reads = Reads(slot.reads.load(SeqCst));
        crash_point!(repair_load_gate);
        if queued == Queued::NONE && reads.count() == 0 && !self.state.load_gate().is_owned_by(index) {
            return false;
        }
        if !is_dead() {
            return false;
        }
        if queued != Queued::NONE {
            self.state.free_request_rows(index);
            crash_point!(repair_queued);
            let _ = slot.waiting.queued.compare_exchange(queued.0, Queued::NONE.0, SeqCst, SeqCst);
        }
        if reads.count() != 0 {
            let none = Reads::new(reads.generation(), 0);
            crash_point!(repair_reads);
            let _ = slot.reads.compare_exchange(reads.0, none.0, SeqCst, SeqCst);
        }
        self.free_gate_of(index, is_dead);
        self.state.queue().wake_next(None);
        crash_point!(repair_wake_load);
        self.state.queue().wake_writer(self.state.load_gate());
        true
    }

    /// Whether the writer in `slot`, which is dead, died inside its hold: after
    /// [`crate::Attachment::begin_write`] and before its release.
    fn is_inside(self, slot: usize) -> bool {
        crash_point!(free_gate_load_token);
        self.state.slots()[slot].token.load(Relaxed) == self.state.gate().last_token.load(Relaxed)
    }

    fn free_gate_of(self, index: usize, is_dead: impl Fn() -> bool) {
        // Others change the gate of a dead owner when they join the queue, each once. An endless
        // series of changes is corruption.
        for _ in 0..=self.state.slots().len() + MAX_REPAIRS {
            crash_point!(free_gate_load);
            let gate = self.state.load_gate();
            if !gate.is_owned_by(index) || !is_dead() {
                return;
            }
            let freed = if gate.hold() == Some(Hold::Writing) && self.is_inside(index) {
                gate.freed().poisoned_by(index)
            } else {
                gate.freed()
            };
            crash_point!(free_gate);
            if self.state.swap_gate(gate, freed) {
                return;
            }
        }
    }
}
