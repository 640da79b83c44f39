//! Admission of readers to a lock that limits them: see `docs/design/0007-reader-limit.md`.
//!
//! A reader claims a hold in its own `reads` word. The swap of the admission word that names its
//! claim is the grant; whoever loads that word next turns the claim into a hold, if its owner has
//! not done so.

use std::sync::atomic::Ordering::SeqCst;

use super::slot::{CLAIM_BITS, Reads};
use super::state::SharedState;

/// The admission word.
///
/// ```text
/// bit  0..12  slot      of the reader that was admitted last
///     12..27  claim     the number of its claim
///     27..64  sequence  changes with every admission
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Admission(pub u64);

const CLAIM_SHIFT: u32 = 12;
const SLOT_MASK: u64 = (1 << CLAIM_SHIFT) - 1;
const SEQUENCE_SHIFT: u32 = CLAIM_SHIFT + CLAIM_BITS;

impl Admission {
    pub fn slot(self) -> usize {
        (self.0 & SLOT_MASK) as usize
    }

    pub fn claim(self) -> u32 {
        ((self.0 >> CLAIM_SHIFT) as u32) & ((1 << CLAIM_BITS) - 1)
    }

    /// `claim` of `slot` is the next that is admitted.
    pub fn followed_by(self, slot: usize, claim: u32) -> Self {
        let sequence = (self.0 >> SEQUENCE_SHIFT).wrapping_add(1);
        Self(sequence << SEQUENCE_SHIFT | u64::from(claim) << CLAIM_SHIFT | slot as u64)
    }
}

/// The claim that follows `claim`.
pub(crate) fn next_claim(claim: u32) -> u32 {
    (claim + 1) & ((1 << CLAIM_BITS) - 1)
}

impl SharedState {
    /// Admits the `claim` that the slot `me`, which is registered, has published. `false` if the
    /// limit was reached at some moment since.
    pub fn admit(&self, me: usize, claim: u32) -> bool {
        let word = &self.tickets().admission;
        loop {
            crash_point!(admission_load);
            let last = Admission(word.load(SeqCst));
            self.complete(last);
            if self.readers().holds() >= self.limit() {
                // No hold was added since the load, so these were held at the same time.
                crash_point!(admission_check);
                if word.load(SeqCst) == last.0 {
                    return false;
                }
                continue;
            }
            crash_point!(admit);
            if word.compare_exchange(last.0, last.followed_by(me, claim).0, SeqCst, SeqCst).is_ok() {
                return true;
            }
        }
    }

    /// The reader that was admitted last may not have stored its hold yet, and may be stopped.
    fn complete(&self, last: Admission) {
        let Some(slot) = self.slots().get(last.slot()) else { return };
        crash_point!(complete_load);
        let reads = Reads(slot.reads.load(SeqCst));
        if reads.claim() == Some(last.claim()) {
            crash_point!(complete_read);
            let _ = slot.reads.compare_exchange(reads.0, reads.admitted().0, SeqCst, SeqCst);
        }
    }

    /// The first claim of a new owner of a slot: not one that was admitted to an earlier owner.
    pub fn first_claim(&self) -> u32 {
        crash_point!(attach_claim);
        next_claim(Admission(self.tickets().admission.load(SeqCst)).claim())
    }

    /// Whether the lock limits its readers and fewer than the limit read, as far as one look says.
    /// A hint.
    pub fn has_room(&self) -> bool {
        !self.is_limited() || self.readers().holds() < self.limit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_do_not_touch_each_other() {
        let last = (1 << CLAIM_BITS) - 1;
        let admission = Admission(u64::MAX).followed_by(4095, last);
        assert_eq!((admission.slot(), admission.claim(), admission.0 >> SEQUENCE_SHIFT), (4095, last, 0));
        assert_eq!(admission.followed_by(1, 0), Admission(1 << SEQUENCE_SHIFT | 1));
        assert_eq!(next_claim(last), 0);
    }
}
