//! Read holds of a lock that limits them: see `docs/design/0007-reader-limit.md`. An attachment of
//! such a lock has [`LIMITED`] in its count of reads, so that others need no check for it.

use std::sync::atomic::Ordering::SeqCst;

use super::Attachment;
use crate::error::{Error, ErrorKind};
use crate::protocol::admission::next_claim;
use crate::protocol::gate::Gate;
use crate::protocol::slot::{Mode, Reads};

/// In the count of an attachment's reads: the lock limits its readers.
pub(super) const LIMITED: u32 = 1 << 31;

impl Attachment {
    /// The most read holds of the lock, of all attachments together.
    #[must_use]
    pub fn max_readers(&self) -> Option<u32> {
        self.segment.max_readers()
    }

    #[inline]
    pub(super) fn is_limited(&self) -> bool {
        self.reads.get() & LIMITED != 0
    }

    /// Takes a read hold while the gate is `open`, if fewer than the limit are held.
    #[cold]
    #[inline(never)]
    pub(super) fn read_limited(&self, open: fn(Gate) -> bool) -> bool {
        if self.has_all_reads() {
            return false;
        }
        let held = self.reads();
        let claim = self.claim.get();
        let reads = Reads::new(self.generation, held);
        crash_point!(claim_read);
        // SeqCst, as the swap of `read_while`: for a process that takes the gate, a claim is a read.
        self.slot().reads.swap(reads.claiming(claim).0, SeqCst);
        crash_point!(claim_read_load);
        let granted = open(self.load_gate())
            && (self.is_registered() || self.register_reader_while(open))
            && self.segment.admit(self.index, claim);
        if granted {
            self.set_reads(held + 1);
            self.claim.set(next_claim(claim));
            crash_point!(confirm_read);
            // Another process may have exchanged the claim for the same value. A store would be
            // enough: it follows that exchange in the order of the word, as nothing comes between
            // the claim and its exchange. loom does not know that, but keeps two exchanges in order.
            self.slot().reads.swap(reads.admitted().0, SeqCst);
            if held == 0 {
                self.stamp_first_read();
            }
        } else if held == 0 {
            self.retract_read();
        } else {
            crash_point!(retract_claim);
            // The claim was not admitted, so no other process changes the word. SeqCst for loom: see
            // `crate::sync`.
            self.slot().reads.store(reads.0, SeqCst);
        }
        granted
    }

    /// Ends one read hold. Another reader may wait for that, although the slot still reads.
    #[cold]
    #[inline(never)]
    pub(super) fn release_limited(&self) {
        let Some(rest) = self.reads().checked_sub(1) else { return };
        self.set_reads(rest);
        crash_point!(release_limited);
        // SeqCst swap, then SeqCst load: a process that joins the queue meanwhile sees this
        // release, or we see its request.
        self.slot().reads.swap(Reads::new(self.generation, rest).0, SeqCst);
        crash_point!(release_limited_load);
        let gate = self.load_gate();
        if gate.excludes_readers() {
            self.segment.queue().wake_writer(gate);
        } else if gate.is_waiting() {
            self.segment.queue().wake_next(Some(self.index));
        }
    }

    #[inline]
    pub(super) fn set_reads(&self, count: u32) {
        self.reads.set(self.reads.get() & LIMITED | count);
    }

    /// Whether this attachment itself has every read hold that the lock allows.
    pub(super) fn has_all_reads(&self) -> bool {
        self.is_limited() && self.reads() >= self.segment.limit()
    }

    pub(super) fn all_reads_are_own(&self) -> Error {
        Error::new(
            ErrorKind::Deadlock,
            format!(
                "deadlock: this thread already has all {} read holds of {} and would block on itself for another: \
                 release one first, or wait without blocking",
                self.segment.limit(),
                self.segment.location
            ),
        )
    }

    /// An upgradable hold cannot become a read hold, because the limit is reached.
    pub(super) fn no_room(&self) -> Error {
        Error::new(
            ErrorKind::Busy,
            format!(
                "the upgradable hold of {} did not become a read hold and stays upgradable, because all {} read holds \
                 are in use: {}",
                self.segment.location,
                self.segment.limit(),
                self.inspect().blockers_text(Mode::Read, true, 0)
            ),
        )
    }
}

#[cfg(all(test, not(loom), not(miri)))]
mod tests;
