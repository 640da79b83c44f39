//! How a lock is removed although processes may open it at any moment, without anybody waiting for anybody.
//!
//! The kernel's byte locks say whether anybody is attached, and one word of the header says whether the lock is removed. Who
//! removes it *proposes* that, then asks the kernel, then *commits* what it proposed. Who attaches takes a byte first and looks at
//! the word second: it vetoes a proposal, by changing the word, and turns away where the removal is committed. So either the
//! question to the kernel finds the byte, or the look finds the proposal, and one of the two gives way. A process that dies or
//! stops in between leaves a proposal, which is nothing to anybody, or a removed lock, whose rest the next one deletes.

use std::io;
use std::sync::atomic::Ordering::SeqCst;

use super::segment::Segment;

/// The two lowest bits say what was decided; the others change with every step.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Removal(u64);

const DECISION: u64 = 0b11;
const PROPOSED: u64 = 0b01;
const COMMITTED: u64 = 0b10;

impl Removal {
    fn is_proposed(self) -> bool {
        self.0 & DECISION == PROPOSED
    }

    /// (Whatever damage says that has no meaning keeps nobody out.)
    fn is_committed(self) -> bool {
        self.0 & DECISION == COMMITTED
    }

    fn next(self, decision: u64) -> Self {
        Self((self.0 | DECISION).wrapping_add(1) | decision)
    }
}

/// What became of an attempt to remove a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// It is removed, by this attempt: what is left of it is to be deleted.
    Removed,
    /// An earlier attempt removed it.
    WasRemoved,
    /// Somebody is attached.
    InUse,
    /// It has to stay.
    Kept,
    /// Somebody attached, or wants to remove it too, at this moment.
    Contested,
}

fn load(segment: &Segment) -> Removal {
    Removal(segment.header().removal.load(SeqCst))
}

fn swap(segment: &Segment, old: Removal, new: Removal) -> bool {
    segment.header().removal.compare_exchange(old.0, new.0, SeqCst, SeqCst).is_ok()
}

/// Nobody can attach to it any more.
pub(crate) fn is_removed(segment: &Segment) -> bool {
    crash_point!(removed_load);
    load(segment).is_committed()
}

/// The caller has taken a slot's byte: from now on the lock is not removed. `false` if it was before.
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

/// Removes the lock unless somebody is attached. `may` is asked while nobody is.
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
