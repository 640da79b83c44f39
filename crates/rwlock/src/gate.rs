//! The gate word: who has the lock exclusively, whether anybody queues, and whether an earlier writer died inside.
//!
//! ```text
//! bit  0..2   mode      0 free, 1 upgradable, 2 write
//!      2      waiting   somebody is queued: whoever releases or leaves must wake the next
//!      3      closed    newcomers may not overtake the queue
//!      4      poisoned  a write hold ended without release, and none has ended normally since
//!      5..17  owner     the slot that holds the gate (meaningful unless free)
//!     17..29  died      the slot whose write hold ended without release (meaningful if poisoned)
//!     29..64  version   changes with every acquisition and every enqueuing, so that a compare-and-swap decided on an
//!                       older state of the lock fails
//! ```

/// The lock in an exclusive mode: one owner at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exclusive {
    /// Beside readers; may become the writer.
    Upgradable = 1,
    Write = 2,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gate(pub u64);

const MODE: u64 = 0b11;
const WRITE: u64 = 0b10;
const WAITING: u64 = 1 << 2;
const CLOSED: u64 = 1 << 3;
const POISONED: u64 = 1 << 4;
const OWNER_SHIFT: u32 = 5;
const DIED_SHIFT: u32 = 17;
const SLOT_MASK: u64 = 0xfff;
const VERSION_SHIFT: u32 = 29;
const VERSION_ONE: u64 = 1 << VERSION_SHIFT;

impl Gate {
    /// A newcomer may read: no writer, and the queue is not closed. (A corrupt mode 3 counts as a writer.)
    pub fn admits_reader(self) -> bool {
        self.0 & (WRITE | CLOSED) == 0
    }

    /// A newcomer may take the gate.
    pub fn admits_exclusive(self) -> bool {
        self.0 & (MODE | CLOSED) == 0
    }

    pub fn is_free(self) -> bool {
        self.0 & MODE == 0
    }

    pub fn is_write(self) -> bool {
        self.0 & WRITE != 0
    }

    /// The mode it is held in; `Err` for bits that no version of this lock writes.
    pub fn held(self) -> Result<Option<Exclusive>, ()> {
        match self.0 & MODE {
            0 => Ok(None),
            1 => Ok(Some(Exclusive::Upgradable)),
            2 => Ok(Some(Exclusive::Write)),
            _ => Err(()),
        }
    }

    pub fn is_waiting(self) -> bool {
        self.0 & WAITING != 0
    }

    pub fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }

    /// The slot that holds the gate, or would if it were held.
    pub fn owner(self) -> usize {
        ((self.0 >> OWNER_SHIFT) & SLOT_MASK) as usize
    }

    pub fn is_owned_by(self, slot: usize) -> bool {
        !self.is_free() && self.owner() == slot
    }

    /// The slot whose write hold ended without release.
    pub fn died(self) -> Option<usize> {
        (self.0 & POISONED != 0).then_some(((self.0 >> DIED_SHIFT) & SLOT_MASK) as usize)
    }

    #[cfg(test)]
    pub fn version(self) -> u64 {
        self.0 >> VERSION_SHIFT
    }

    /// The gate in the hands of `slot`: a new version, everything else as it was.
    pub fn acquired(self, mode: Exclusive, slot: usize) -> Self {
        let kept = self.0 & !(MODE | SLOT_MASK << OWNER_SHIFT);
        Self((kept | mode as u64 | (slot as u64) << OWNER_SHIFT).wrapping_add(VERSION_ONE))
    }

    /// The owner keeps the gate, no longer as the writer.
    pub fn as_upgradable(self) -> Self {
        Self(self.0 & !MODE | Exclusive::Upgradable as u64)
    }

    pub fn freed(self) -> Self {
        Self(self.0 & !(MODE | SLOT_MASK << OWNER_SHIFT))
    }

    pub fn healed(self) -> Self {
        Self(self.0 & !(POISONED | SLOT_MASK << DIED_SHIFT))
    }

    pub fn poisoned_by(self, slot: usize) -> Self {
        Self(self.healed().0 | POISONED | (slot as u64) << DIED_SHIFT)
    }

    /// Somebody joined the queue. The new version makes a clearing that was decided before fail.
    pub fn with_waiting(self) -> Self {
        Self((self.0 | WAITING).wrapping_add(VERSION_ONE))
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
        let gate = Gate(u64::MAX << VERSION_SHIFT).acquired(Exclusive::Write, 4095);
        assert_eq!((gate.version(), gate.owner(), gate.held()), (0, 4095, Ok(Some(Exclusive::Write))));
        let gate = gate.with_waiting().with_closed().poisoned_by(4094);
        assert_eq!((gate.version(), gate.owner(), gate.died()), (1, 4095, Some(4094)));
        assert!(gate.is_waiting() && gate.is_closed() && gate.is_write());
        let gate = gate.poisoned_by(1).freed();
        assert_eq!((gate.died(), gate.owner(), gate.held()), (Some(1), 0, Ok(None)));
        assert!(!gate.admits_exclusive() && gate.without_queue().admits_exclusive());
        assert_eq!(gate.healed().without_queue(), Gate(VERSION_ONE));
        assert_eq!(Gate(3).held(), Err(()));
        assert!(!Gate(3).admits_reader());
    }
}
