//! The exclusive holds, upgradable and write: taking one without waiting, releasing.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::{Attachment, HoldEnd, unstamp};
use crate::error::Result;
use crate::protocol::gate::{Gate, Hold};
use crate::protocol::slot::{Mode, Reads};
use crate::protocol::try_mark::TryMark;

/// Each writer whose token is a multiple of this takes out of the listing who does not read: often enough that idle readers
/// do not cost writers much, seldom enough that listing them anew costs readers nothing.
pub(crate) const PRUNE_INTERVAL: u64 = 1024;

impl Attachment {
    /// Takes the lock for upgradable reading if that needs no waiting.
    pub fn try_upgradable(&self) -> bool {
        let granted = self.claim_gate(Hold::Upgradable, Gate::admits_exclusive)
            || (self.clear_blockers(Mode::Upgradable) && self.claim_gate(Hold::Upgradable, Gate::admits_exclusive));
        if granted {
            self.begin_upgradable();
        }
        granted
    }

    /// Takes the lock for writing if that needs no waiting. Leaves no trace if it does.
    #[inline]
    pub fn try_write(&self) -> bool {
        self.write_now() || (self.clear_blockers(Mode::Write) && self.write_now())
    }

    /// The gate says "writing" only for whoever has the lock, since nobody takes it from him who stops there. Where no other
    /// slot is listed nobody else reads, and the claim fails if somebody lists itself meanwhile.
    #[inline]
    fn write_now(&self) -> bool {
        if self.reads.get() != 0 {
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

    /// That the claim fails where somebody has listed itself meanwhile rests on the gate's sequence, which may wrap while a process
    /// is stopped. Exclusion does not: whoever is found here reads, or has listed itself too late and will see our claim.
    #[cold]
    fn is_read_after_all(&self) -> bool {
        let is_read = self.has_other_readers();
        if is_read {
            self.abort_claim();
        }
        is_read
    }

    /// Some slots may read. The readers are looked at before, so that a loop of failing tries does not turn newcomers away each
    /// time; and again when none can come in any more.
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

    /// The gate says that we drain, and the try ends here: it writes if nobody else reads.
    pub(super) fn write_drained(&self) -> bool {
        if self.has_other_readers() {
            self.abort_claim();
            return false;
        }
        if !self.claim_drained() {
            return false;
        }
        if self.reads.take() != 0 {
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

    /// Makes the gate ours while it is `open`. SeqCst, so that the scan of the readers that follows cannot miss one who
    /// missed this.
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

    /// The gate from a writer that does not write yet: back to free, or to upgradable. Nothing if others went past and took
    /// it: then it is theirs, or upgradable already.
    pub(crate) fn abort_claim(&self) {
        self.free_gate_if(|gate| gate.is_owned_by(self.index) && gate.excludes_readers());
    }

    /// Of a writer to be. It may have been passed over, and the gate be a later hold's.
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

    /// The readers have left: from draining to writing. `false` if the gate was taken away, since this took too long.
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

    /// The gate says that we write, and nobody reads. Only now is the last token ours; a death before the store skips nothing,
    /// one after it a token that nobody saw. The hold has begun when the slot has the token: who dies earlier changed nothing.
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

    /// For whoever finds that the gate says so: it is no damage.
    pub(super) fn mark_upgradable(&self, held: bool) {
        crash_point!(mark_upgradable);
        self.slot().waiting.upgradable.store(held.into(), Relaxed);
    }

    /// What the lock protects is whole again, or said not to be: a death from here on is no death inside.
    pub(super) fn end_write(&self) {
        crash_point!(end_write);
        self.slot().token.store(0, Relaxed);
    }

    /// Ends the exclusive hold. Nothing happens if there is none.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if something else took the gate away: others may have been inside at the same time.
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
        // Without a look before: the exchange would have to wait for it. It fails if somebody has joined the queue meanwhile.
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
