//! Removes a lock while other processes may open it at any moment, without any process waiting for
//! another.
//!
//! The kernel's byte locks show whether the lock is in use, and one word of the header shows
//! whether it is removed. The removing process *proposes* the removal, then queries the kernel,
//! then *commits* the proposal. An attaching process first takes a byte lock and then loads the
//! word: it vetoes a proposal by changing the word, and gives up if the removal is committed. So
//! either the query finds the byte lock, or the load finds the proposal, and one of the two
//! processes gives way. A process that dies or stops in between leaves either a proposal, which has
//! no effect, or a removed lock, which the next process deletes.

use std::io;
use std::sync::atomic::Ordering::SeqCst;

use super::segment::Segment;
use crate::protocol::state::SharedState;

/// The two lowest bits are the decision. The other bits change with every step.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Removal(u64);

const DECISION: u64 = 0b11;
const PROPOSED: u64 = 0b01;
const COMMITTED: u64 = 0b10;

impl Removal {
    fn is_proposed(self) -> bool {
        self.0 & DECISION == PROPOSED
    }

    /// (A damaged value without a meaning does not exclude any process.)
    fn is_committed(self) -> bool {
        self.0 & DECISION == COMMITTED
    }

    fn next(self, decision: u64) -> Self {
        Self((self.0 | DECISION).wrapping_add(1) | decision)
    }
}

/// The result of an attempt to remove a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// This attempt removed the lock. The caller must delete what is left of it.
    Removed,
    /// An earlier attempt removed the lock.
    WasRemoved,
    /// An attachment is open.
    InUse,
    /// The lock must stay.
    Kept,
    /// At the same moment another process attached, or tried to remove the lock.
    Contested,
}

fn load(state: &SharedState) -> Removal {
    Removal(state.header().removal.load(SeqCst))
}

fn swap(segment: &Segment, old: Removal, new: Removal) -> bool {
    segment.header().removal.compare_exchange(old.0, new.0, SeqCst, SeqCst).is_ok()
}

/// Whether the lock is removed, so that no process can attach to it.
pub(crate) fn is_removed(state: &SharedState) -> bool {
    crash_point!(removed_load);
    load(state).is_committed()
}

/// Whether a slot's byte is locked although the lock is removed. Either the memory is damaged and
/// the lock is in use, or a process attaches at this moment and will notice the removal.
pub(crate) fn is_contradicted(segment: &Segment) -> bool {
    crash_point!(removed_probe);
    segment.lock.is_in_use().unwrap_or(true)
}

/// For a caller that has taken the byte lock of a slot: prevents the removal of the lock. `false`
/// if it is removed already.
pub(crate) fn veto(segment: &Segment) -> bool {
    loop {
        crash_point!(veto_load);
        let seen = load(segment);
        if !seen.is_proposed() {
            return !seen.is_committed();
        }
        crash_point!(veto);
        if swap(segment, seen, seen.next(0)) {
            return true;
        }
    }
}

/// Removes the lock if it has no attachment and `may` permits it.
pub(crate) fn try_remove(segment: &Segment, may: impl FnOnce(&Segment) -> bool) -> io::Result<Attempt> {
    crash_point!(removal_load);
    let seen = load(segment);
    if seen.is_committed() {
        return Ok(Attempt::WasRemoved);
    }
    let proposed = seen.next(PROPOSED);
    crash_point!(removal_propose);
    if !swap(segment, seen, proposed) {
        return Ok(Attempt::Contested);
    }
    crash_point!(removal_probe);
    if segment.lock.is_in_use()? {
        return Ok(Attempt::InUse);
    }
    if !may(segment) {
        return Ok(Attempt::Kept);
    }
    crash_point!(removal_commit);
    let removed = swap(segment, proposed, proposed.next(COMMITTED));
    Ok(if removed { Attempt::Removed } else { Attempt::Contested })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_changes_the_word_and_says_what_was_decided() {
        for start in [0, 4, !DECISION] {
            let vetoed = Removal(start);
            let proposed = vetoed.next(PROPOSED);
            assert!(proposed.is_proposed() && proposed != vetoed);
            assert!(proposed.next(PROPOSED).is_proposed() && proposed.next(PROPOSED) != proposed);
            assert!(proposed.next(COMMITTED).is_committed());
            let vetoed = proposed.next(0);
            assert!(!vetoed.is_proposed() && !vetoed.is_committed());
        }
        assert!(!Removal(0b11).is_committed() && !Removal(0b11).is_proposed());
    }
}
