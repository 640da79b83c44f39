//! The exclusive holds, upgradable and write: taking and releasing one.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::{Attachment, HoldEnd, unstamp};
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::protocol::gate::{Gate, Hold};
use crate::protocol::slot::{Mode, Reads};
use crate::protocol::try_mark::TryMark;

/// A writer whose token is a multiple of this clears the bits of idle readers: often enough that
/// idle readers cost writers little, seldom enough that registering again costs readers nothing.
pub(crate) const PRUNE_INTERVAL: u64 = 1024;

impl Attachment {
    /// Takes the upgradable hold if that needs no waiting.
    pub fn try_upgradable(&self) -> bool {
        let granted = self.claim_gate(Hold::Upgradable, Gate::admits_exclusive)
            || (self.clear_blockers(Mode::Upgradable) && self.claim_gate(Hold::Upgradable, Gate::admits_exclusive));
        if granted {
            self.begin_upgradable();
        }
        granted
    }

    /// Takes the write hold if that needs no waiting. Leaves no trace if it fails.
    #[inline]
    pub fn try_write(&self) -> bool {
        self.write_now() || (self.clear_blockers(Mode::Write) && self.write_now())
    }

    /// The gate says "writing" only for a process that has the lock, because no other process takes
    /// it from an owner that stops. If no other slot is registered, no other slot reads. The claim
    /// fails if a reader registers meanwhile.
    #[inline]
    fn write_now(&self) -> bool {
        if self.reads() != 0 {
            return false;
        }
        loop {
            crash_point!(claim_load);
            let gate = self.load_gate();
            if !gate.admits_exclusive() {
                return false;
            }
            if self.segment.readers().has_other_registered(self.index) {
                return self.write_with_others_registered();
            }
            let claimed = gate.acquired(Hold::Writing, self.index);
            crash_point!(claim_gate);
            if self.gate().swap(gate, claimed) {
                self.claimed.set(claimed);
                break;
            }
        }
        if self.segment.readers().has_other_registered(self.index) && self.is_read_after_all() {
            return false;
        }
        self.begin_write();
        crash_point!(stamp_write);
        unstamp(&self.slot().exclusive_since); // the caller may stamp it: the clock would cost a third of all this
        true
    }

    /// The claim fails after a registration because the gate's sequence changes, and the sequence
    /// may wrap while a process is stopped. Exclusion does not depend on that: a reader found here
    /// either reads, or registered too late and will see our claim.
    #[cold]
    fn is_read_after_all(&self) -> bool {
        let is_read = self.has_other_readers();
        if is_read {
            self.abort_claim();
        }
        is_read
    }

    /// Some slots may read. The readers are scanned first, so that a loop of failing tries does not
    /// turn newcomers away each time; and again when no new reader can enter.
    #[cold]
    fn write_with_others_registered(&self) -> bool {
        if self.has_other_readers() {
            return false;
        }
        let _trying = TryMark::of(self.slot());
        let writes = self.claim_gate(Hold::Draining, Gate::admits_exclusive) && self.write_drained();
        if writes {
            crash_point!(stamp_write);
            unstamp(&self.slot().exclusive_since);
        }
        writes
    }

    /// The gate says that we drain, and the try ends here: it writes if no other slot reads.
    pub(super) fn write_drained(&self) -> bool {
        if self.has_other_readers() {
            self.abort_claim();
            return false;
        }
        if !self.claim_drained() {
            return false;
        }
        if self.reads() != 0 {
            self.set_reads(0);
            crash_point!(end_read_in_place);
            self.slot().reads.store(Reads::new(self.generation, 0).0, SeqCst);
        }
        self.begin_write();
        true
    }

    #[inline]
    pub(super) fn has_other_readers(&self) -> bool {
        self.segment.readers().find_other_reader(self.index).is_some()
    }

    /// Takes the gate while it is `open`. SeqCst, so that the scan of the readers that follows
    /// cannot miss a reader that missed this claim.
    #[inline]
    pub(crate) fn claim_gate(&self, hold: Hold, open: fn(Gate) -> bool) -> bool {
        loop {
            crash_point!(claim_load);
            let gate = self.load_gate();
            if !open(gate) {
                return false;
            }
            let claimed = gate.acquired(hold, self.index);
            crash_point!(claim_gate);
            if self.gate().swap(gate, claimed) {
                self.claimed.set(claimed);
                return true;
            }
        }
    }

    /// Gives up a claim: the gate becomes free, or upgradable again. Does nothing if other
    /// processes took the gate away.
    pub(crate) fn abort_claim(&self) {
        self.free_gate_if(|gate| gate.is_owned_by(self.index) && gate.excludes_readers());
    }

    /// Gives up a drain. It may have been skipped, and the gate may belong to a later hold of this
    /// slot.
    pub(crate) fn abort_drain(&self) {
        self.free_gate_if(|gate| gate.is_drained_by(self.index));
    }

    fn free_gate_if(&self, ours: impl Fn(Gate) -> bool) {
        crash_point!(abort_drain);
        self.segment.change_gate(|gate| ours(gate).then(|| gate.with_drain_aborted()));
        self.segment.queue().wake_next(Some(self.index));
    }

    pub(crate) fn begin_upgradable(&self) {
        self.mark_upgradable(true);
        self.exclusive.set(Some(Mode::Upgradable));
        self.stamp_exclusive();
    }

    /// All readers have left: from draining to writing. `false` if the gate was taken away because
    /// this took too long.
    pub(crate) fn claim_drained(&self) -> bool {
        crash_point!(claim_drained);
        let turned = |gate: Gate| gate.is_drained_by(self.index).then(|| gate.turned(Hold::Writing));
        let claimed = turned(self.segment.change_gate(turned));
        let Some(claimed) = claimed else { return false };
        self.claimed.set(claimed);
        if self.exclusive.get() == Some(Mode::Upgradable) {
            self.mark_upgradable(false);
        }
        true
    }

    /// The gate says that we write, and no slot reads. Only now may we change the last token. If
    /// the process dies before the store, no token is lost; after it, one token that no caller saw.
    /// The hold begins when the slot has the token: a process that dies earlier changed nothing.
    #[inline]
    pub(crate) fn begin_write(&self) {
        let slot = self.slot();
        crash_point!(last_token_load);
        let token = self.gate().last_token.load(Relaxed).wrapping_add(1);
        if token.is_multiple_of(PRUNE_INTERVAL) {
            self.segment.readers().prune_idle_readers();
        }
        crash_point!(last_token_store);
        self.gate().last_token.store(token, Relaxed);
        crash_point!(token_store);
        slot.token.store(token, Relaxed);
        self.exclusive.set(Some(Mode::Write));
    }

    /// Lets other processes see that an upgradable gate is not a phantom hold.
    pub(super) fn mark_upgradable(&self, held: bool) {
        crash_point!(mark_upgradable);
        self.slot().waiting.upgradable.store(held.into(), Relaxed);
    }

    /// The protected data is consistent again, or reported as not: dying after this point does not
    /// poison the lock.
    pub(super) fn end_write(&self) {
        crash_point!(end_write);
        self.slot().token.store(0, Relaxed);
    }

    /// Ends the exclusive hold. Does nothing if there is none.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if the gate was taken away by an outside change: other processes may
    /// have held the lock at the same time.
    #[inline]
    pub fn release_exclusive(&self, end: HoldEnd) -> Result<()> {
        let Some(mode) = self.exclusive.take() else { return Ok(()) };
        match mode {
            Mode::Write if end == HoldEnd::Abandoned => {}
            Mode::Write => self.end_write(),
            _ => self.mark_upgradable(false),
        }
        let free = |gate: Gate| {
            gate.is_owned_by(self.index).then(|| match end {
                HoldEnd::Consistent if mode == Mode::Write => gate.freed().poison_cleared(),
                HoldEnd::Abandoned if mode == Mode::Write => gate.freed().poisoned_by(self.index),
                _ => gate.freed(),
            })
        };
        let claimed = self.claimed.get();
        crash_point!(release_exclusive);
        // No prior load: it would delay the CAS. The CAS fails if a waiter joined the queue
        // meanwhile.
        let gate = match free(claimed) {
            Some(freed) if self.gate().swap(claimed, freed) => claimed,
            _ => self.segment.change_gate(free),
        };
        if !gate.is_owned_by(self.index) {
            return Err(self.segment.gate_lost_error(gate));
        }
        if gate.is_waiting() {
            self.segment.queue().wake_next(Some(self.index));
        }
        Ok(())
    }
}
