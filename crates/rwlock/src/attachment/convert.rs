//! Conversions of a hold: upgrades that need no waiting, and downgrades.

use std::sync::atomic::Ordering::SeqCst;

use super::{Attachment, HoldEnd};
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::protocol::gate::{Gate, Hold};
use crate::protocol::slot::{Mode, Reads};
use crate::protocol::try_mark::TryMark;

impl Attachment {
    /// Converts an upgradable hold, or this attachment's only read hold, to a write hold if that
    /// needs no waiting. Otherwise the hold does not change.
    pub fn try_upgrade(&self) -> bool {
        self.upgrade_now() || (self.clear_blockers(Mode::Write) && self.upgrade_now())
    }

    fn upgrade_now(&self) -> bool {
        if self.has_other_readers() {
            return false;
        }
        let _trying = TryMark::of(self.slot());
        match (self.exclusive.get(), self.reads()) {
            (Some(Mode::Upgradable), 0) => self.claim_upgrade(),
            (None, 1) if self.claim_gate(Hold::Draining, Gate::admits_exclusive) => {}
            _ => return false,
        }
        let writes = self.write_drained();
        if writes {
            self.stamp_exclusive();
        }
        writes
    }

    /// The gate from upgradable to upgrading: new readers stay out, current readers may finish.
    pub(crate) fn claim_upgrade(&self) {
        crash_point!(claim_upgrade);
        self.segment
            .change_gate(|gate| gate.is_owned_by(self.index).then(|| gate.acquired(Hold::Upgrading, self.index)));
    }

    /// From write or upgradable to read; no writer gets in between.
    ///
    /// # Errors
    /// As [`Attachment::release_exclusive`]. [`ErrorKind::Busy`] if the hold is upgradable and the
    /// limit on readers is reached: it stays upgradable.
    pub fn downgrade_to_read(&self) -> Result<()> {
        let Some(mode) = self.exclusive.get() else { return Ok(()) };
        // Beside a write hold no slot reads, so there is room.
        let has_room = mode == Mode::Write || !self.is_limited();
        if self.reads() == 0 && has_room {
            self.set_reads(1);
            crash_point!(downgrade_publish);
            // Before the gate is freed, so that there is always a hold.
            self.slot().reads.swap(Reads::new(self.generation, 1).0, SeqCst);
            // The same for the reader bitmap: only the owner of the gate clears bits.
            if !self.is_registered() {
                self.register_reader();
            }
            if self.is_limited() {
                self.stamp_first_read();
            }
        } else if !(self.join_readers() || (self.clear_blockers(Mode::Read) && self.join_readers())) {
            return Err(self.no_room());
        }
        self.stamp_read();
        // If the gate was lost, so is the hold.
        self.release_exclusive(HoldEnd::Consistent).inspect_err(|_| self.release_read())
    }

    /// From write to upgradable: only readers may enter.
    ///
    /// # Errors
    /// As [`Attachment::release_exclusive`].
    pub fn downgrade_to_upgradable(&self) -> Result<()> {
        self.turn_upgradable(Gate::poison_cleared)
    }

    /// Reverts an unused upgrade: the hold is upgradable again, and the report of an earlier
    /// owner's death stays.
    ///
    /// # Errors
    /// As [`Attachment::release_exclusive`].
    pub fn undo_upgrade(&self) -> Result<()> {
        self.turn_upgradable(|gate| gate)
    }

    fn turn_upgradable(&self, end: fn(Gate) -> Gate) -> Result<()> {
        if self.exclusive.get() != Some(Mode::Write) {
            return Ok(());
        }
        self.end_write();
        self.mark_upgradable(true);
        crash_point!(downgrade_gate);
        let gate =
            self.segment.change_gate(|gate| gate.is_owned_by(self.index).then(|| end(gate.turned(Hold::Upgradable))));
        if !gate.is_owned_by(self.index) {
            self.exclusive.set(None);
            self.mark_upgradable(false);
            return Err(self.segment.gate_lost_error(gate));
        }
        self.exclusive.set(Some(Mode::Upgradable));
        if gate.is_waiting() {
            self.segment.queue().wake_next(Some(self.index));
        }
        Ok(())
    }
}
