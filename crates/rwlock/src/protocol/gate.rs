//! The gate word: the exclusive owner of the lock, whether requests are queued, and whether a
//! writer died inside its hold.
//!
//! ```text
//! bit  0..3   mode      see Hold
//!      3      waiting   a request is queued: a process that releases or leaves must wake the next
//!      4      closed    newcomers may not overtake the queue
//!      5      poisoned  a write hold ended without a release, and no later one ended consistent
//!      6..18  owner     the slot that has the gate (meaningful unless free)
//!     18..30  died      the slot whose write hold ended so (meaningful if poisoned)
//!     30..42  sequence  changes when a request joins or closes the queue, or a reader registers:
//!                       an earlier decision to clear or reopen the queue, or to claim the gate
//!                       for writing, then fails
//!     42..64  tag       changes with every acquisition: decisions about an earlier owner fail
//! ```

/// The hold of the gate's owner. Both bits above the lowest exclude readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    Free = 0b000,
    /// Shared with readers; may become the writer.
    Upgradable = 0b001,
    /// A future writer that waits until the readers have left. Not a hold yet: it may be taken
    /// away.
    Draining = 0b010,
    /// Like `Draining`, by an upgradable holder. It stays upgradable if the gate is taken away.
    Upgrading = 0b011,
    Writing = 0b100,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gate(pub u64);

const MODE: u64 = 0b111;
const NO_READERS: u64 = 0b110;
const WAITING: u64 = 1 << 3;
const CLOSED: u64 = 1 << 4;
const POISONED: u64 = 1 << 5;
const OWNER_SHIFT: u32 = 6;
const DIED_SHIFT: u32 = 18;
const SLOT_MASK: u64 = 0xfff;
const SEQUENCE_SHIFT: u32 = 30;
const SEQUENCE_MASK: u64 = 0xfff << SEQUENCE_SHIFT;
const TAG_SHIFT: u32 = 42;

impl Gate {
    /// The gate word in a forked child: a mode that no version writes and that admits nothing.
    pub const FORKED: Self = Self(MODE);

    /// A newcomer may read: no writer, and the queue is not closed. (A mode that no version writes
    /// counts as a writer.)
    pub fn admits_reader(self) -> bool {
        self.0 & (NO_READERS | CLOSED) == 0
    }

    /// A newcomer may take the gate.
    pub fn admits_exclusive(self) -> bool {
        self.0 & (MODE | CLOSED) == 0
    }

    pub fn is_free(self) -> bool {
        self.0 & MODE == 0
    }

    /// A writer or a draining writer excludes readers.
    pub fn excludes_readers(self) -> bool {
        self.0 & NO_READERS != 0
    }

    /// `None` for bits that no version of this lock writes.
    pub fn hold(self) -> Option<Hold> {
        Some(match self.0 & MODE {
            0b000 => Hold::Free,
            0b001 => Hold::Upgradable,
            0b010 => Hold::Draining,
            0b011 => Hold::Upgrading,
            0b100 => Hold::Writing,
            _ => return None,
        })
    }

    pub fn is_waiting(self) -> bool {
        self.0 & WAITING != 0
    }

    pub fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }

    /// The slot that owns the gate, or would if it were not free.
    pub fn owner(self) -> usize {
        ((self.0 >> OWNER_SHIFT) & SLOT_MASK) as usize
    }

    /// (A mode that no version writes has no owner.)
    pub fn is_owned_by(self, slot: usize) -> bool {
        (self.0 & MODE).wrapping_sub(1) < Hold::Writing as u64 && self.owner() == slot
    }

    /// `slot` waits for the readers to leave, and the gate was not taken away from it.
    pub fn is_drained_by(self, slot: usize) -> bool {
        matches!(self.hold(), Some(Hold::Draining | Hold::Upgrading)) && self.owner() == slot
    }

    /// The slot whose write hold ended without a release.
    pub fn died(self) -> Option<usize> {
        (self.0 & POISONED != 0).then_some(((self.0 >> DIED_SHIFT) & SLOT_MASK) as usize)
    }

    /// Equal while the gate is neither acquired nor given up, even if waiters join or leave the
    /// queue.
    pub fn tenure(self) -> u64 {
        self.0 & (MODE | u64::MAX << TAG_SHIFT)
    }

    /// The gate owned by `slot`, with a new tag.
    pub fn acquired(self, hold: Hold, slot: usize) -> Self {
        Self((self.freed().0 | hold as u64 | (slot as u64) << OWNER_SHIFT).wrapping_add(1 << TAG_SHIFT))
    }

    /// The same owner with another hold.
    pub fn turned(self, hold: Hold) -> Self {
        Self(self.0 & !MODE | hold as u64)
    }

    pub fn freed(self) -> Self {
        Self(self.0 & !(MODE | SLOT_MASK << OWNER_SHIFT))
    }

    /// A draining writer gives up or loses the gate; an upgradable holder keeps its hold.
    pub fn with_drain_aborted(self) -> Self {
        if self.hold() == Some(Hold::Upgrading) { self.turned(Hold::Upgradable) } else { self.freed() }
    }

    pub fn poison_cleared(self) -> Self {
        Self(self.0 & !(POISONED | SLOT_MASK << DIED_SHIFT))
    }

    pub fn poisoned_by(self, slot: usize) -> Self {
        Self(self.poison_cleared().0 | POISONED | (slot as u64) << DIED_SHIFT)
    }

    /// Decisions that others made on the earlier gate fail.
    pub fn with_next_sequence(self) -> Self {
        let sequence = self.0.wrapping_add(1 << SEQUENCE_SHIFT) & SEQUENCE_MASK;
        Self(self.0 & !SEQUENCE_MASK | sequence)
    }

    /// A waiter joined the queue.
    pub fn with_waiting(self) -> Self {
        Self(self.with_next_sequence().0 | WAITING)
    }

    pub fn with_closed(self) -> Self {
        Self(self.0 | CLOSED)
    }

    pub fn reopened(self) -> Self {
        Self(self.0 & !CLOSED)
    }

    pub fn without_queue(self) -> Self {
        Self(self.0 & !(CLOSED | WAITING))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_do_not_touch_each_other() {
        let full = Gate(u64::MAX << SEQUENCE_SHIFT);
        let gate = full.acquired(Hold::Writing, 4095);
        assert_eq!((gate.owner(), gate.hold(), gate.0 >> TAG_SHIFT), (4095, Some(Hold::Writing), 0));
        let gate = gate.with_next_sequence().with_waiting().with_closed().poisoned_by(4094);
        assert_eq!((gate.owner(), gate.died(), gate.0 >> SEQUENCE_SHIFT), (4095, Some(4094), 1));
        assert!(gate.is_waiting() && gate.is_closed() && gate.excludes_readers());
        let gate = gate.poisoned_by(1).freed();
        assert_eq!((gate.died(), gate.owner(), gate.hold()), (Some(1), 0, Some(Hold::Free)));
        assert!(!gate.admits_exclusive() && gate.without_queue().admits_exclusive());
        assert_eq!(gate.poison_cleared().without_queue(), Gate(1 << SEQUENCE_SHIFT));
    }

    #[test]
    fn only_a_free_or_upgradable_gate_admits_readers() {
        let holds = [Hold::Free, Hold::Upgradable, Hold::Draining, Hold::Upgrading, Hold::Writing];
        for hold in holds {
            let gate = Gate(0).acquired(hold, 3);
            assert_eq!(gate.hold(), Some(hold));
            assert_eq!(gate.admits_reader(), matches!(hold, Hold::Free | Hold::Upgradable));
            assert_eq!(gate.excludes_readers(), !gate.admits_reader());
            assert_eq!(gate.admits_exclusive(), hold == Hold::Free);
            assert_eq!(gate.is_drained_by(3), matches!(hold, Hold::Draining | Hold::Upgrading));
            assert!(!gate.with_closed().admits_reader());
        }
        assert!((5..8).contains(&Gate::FORKED.0));
        for unknown in [5, 6, 7] {
            assert_eq!(Gate(unknown).hold(), None);
            assert!(!Gate(unknown).is_owned_by(0));
            assert!(!Gate(unknown).admits_exclusive());
            assert!(!Gate(unknown).admits_reader());
        }
    }

    #[test]
    fn a_tenure_ends_with_an_acquisition_and_not_with_a_waiter() {
        let gate = Gate(0).acquired(Hold::Draining, 1);
        assert_eq!(gate.tenure(), gate.with_waiting().with_closed().tenure());
        assert_ne!(gate.tenure(), gate.turned(Hold::Writing).tenure());
        assert_ne!(gate.tenure(), gate.with_drain_aborted().acquired(Hold::Draining, 1).tenure());
        assert_eq!(Gate(0).acquired(Hold::Upgrading, 1).with_drain_aborted().hold(), Some(Hold::Upgradable));
    }
}
