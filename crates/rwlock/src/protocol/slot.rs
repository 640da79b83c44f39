//! The two words of a slot that others act on (its reads and its request), and the word that says
//! which slots may be in use.

/// `reads`: generation (32 bits) and count of read holds (32 bits). The slot reads exactly if the
/// count is not zero. The generation distinguishes the owners of a slot.
///
/// In a lock that limits its readers the lower half is not one number, but it is zero exactly if the
/// slot has neither a hold nor a claim:
///
/// ```text
/// bit  0..16  holds
///     16..31  claim    the number of the claim, if there is one
///     31      claimed  one more hold, if the admission word names the claim
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reads(pub u64);

impl Reads {
    pub fn new(generation: u32, count: u32) -> Self {
        Self(u64::from(generation) << 32 | u64::from(count))
    }

    pub fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }

    pub fn count(self) -> u32 {
        self.0 as u32
    }

    /// The read holds, in a lock that limits them.
    pub fn holds(self) -> u32 {
        self.count() & ((1 << HOLDS_BITS) - 1)
    }

    pub fn claim(self) -> Option<u32> {
        (self.count() & CLAIMED != 0).then_some((self.count() & !CLAIMED) >> HOLDS_BITS)
    }

    /// These holds, and a claim to one more.
    pub fn claiming(self, claim: u32) -> Self {
        Self::new(self.generation(), self.holds() | claim << HOLDS_BITS | CLAIMED)
    }

    /// One hold more, without a claim.
    pub fn admitted(self) -> Self {
        Self::new(self.generation(), self.holds() + 1)
    }
}

const HOLDS_BITS: u32 = 16;
/// The number of bits of a claim.
pub(crate) const CLAIM_BITS: u32 = 15;
const CLAIMED: u32 = 1 << (HOLDS_BITS + CLAIM_BITS);

/// The mode of a request or of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Shared with other readers.
    Read = 1,
    /// Shared with readers, but exclusive among future writers.
    Upgradable = 2,
    /// Exclusive.
    Write = 3,
}

impl Mode {
    /// Whether a request with this mode cannot be granted beside a `held` hold.
    pub(crate) fn conflicts_with(self, held: Self) -> bool {
        match self {
            Self::Read => held == Self::Write,
            Self::Upgradable => held != Self::Read,
            Self::Write => true,
        }
    }

    /// A bit for the mode, none of which is [`STEAL_NOTICE`], as in [`crate::shm::layout::WaitLine::notices`].
    pub(crate) fn bit(self) -> u32 {
        1 << self as u32
    }

    /// The name of the mode in messages and in the Node.js API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Upgradable => "upgradable",
            Self::Write => "write",
        }
    }
}

/// Another bit of [`crate::shm::layout::WaitLine::notices`]: the owner wants to know of steals.
pub(crate) const STEAL_NOTICE: u32 = 1;

/// `queued`: the first request of the slot, or zero.
///
/// ```text
/// bit 0..2   mode      0 none, else Mode
///     2      skipped   its owner did not come in its turn: others need not wait for it
///     3..6   skips     how often that happened; each time doubles its grace period
///     6      followed  an exclusive request of the slot, in strict order, comes behind this read
///     7..20  generation
///    20..64  ticket
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Queued(pub u64);

const SKIPPED: u64 = 1 << 2;
const SKIPS_SHIFT: u32 = 3;
const SKIPS_MASK: u64 = 0b111;
const FOLLOWED: u64 = 1 << 6;
const GENERATION_SHIFT: u32 = 7;
const GENERATION_MASK: u64 = 0x1fff;
const TICKET_SHIFT: u32 = 20;
const TICKET_MASK: u64 = u64::MAX >> TICKET_SHIFT;

impl Queued {
    pub const NONE: Self = Self(0);

    pub fn new(mode: Mode, generation: u32, ticket: u64) -> Self {
        let generation = u64::from(generation) & GENERATION_MASK;
        Self(mode as u64 | generation << GENERATION_SHIFT | (ticket & TICKET_MASK) << TICKET_SHIFT)
    }

    pub fn mode(self) -> Option<Mode> {
        match self.0 & 0b11 {
            1 => Some(Mode::Read),
            2 => Some(Mode::Upgradable),
            3 => Some(Mode::Write),
            _ => None,
        }
    }

    pub fn ticket(self) -> u64 {
        self.0 >> TICKET_SHIFT
    }

    /// Whether the owner of the slot in its life `generation` made it.
    pub fn is_of(self, generation: u32) -> bool {
        (self.0 >> GENERATION_SHIFT) & GENERATION_MASK == u64::from(generation) & GENERATION_MASK
    }

    /// Only the first request of a slot is published. So a read says whether an exclusive request
    /// comes behind it, which later readers must not overtake.
    pub fn followed(self, followed: bool) -> Self {
        Self(self.0 & !FOLLOWED | if followed { FOLLOWED } else { 0 })
    }

    pub fn is_followed(self) -> bool {
        self.0 & FOLLOWED != 0
    }

    /// Whether later readers must wait for it.
    pub fn keeps_readers_out(self) -> bool {
        self.mode() != Some(Mode::Read) || self.is_followed()
    }

    /// The ticket of a steal that has taken `ticket`: before all tickets that are not of steals, and
    /// in the order of the others. (Of two requests that wait at the same time, the later one is less
    /// than an eighth of all tickets ahead.)
    pub fn steal_ticket(ticket: u64) -> u64 {
        ticket.wrapping_sub(TICKET_MASK / 4 + 1) & TICKET_MASK
    }

    /// The ticket of a writer whose turn the steal with `ticket` has taken: after the steals, and
    /// before all others, because it was the first of them.
    pub fn evicted_ticket(ticket: u64) -> u64 {
        ticket.wrapping_add(TICKET_MASK / 8 + 1) & TICKET_MASK
    }

    pub fn is_skipped(self) -> bool {
        self.0 & SKIPPED != 0
    }

    pub fn skip_count(self) -> u32 {
        ((self.0 >> SKIPS_SHIFT) & SKIPS_MASK) as u32
    }

    pub fn skipped(self) -> Self {
        let skip_count = u64::from(self.skip_count() + 1).min(SKIPS_MASK);
        Self(self.0 & !(SKIPS_MASK << SKIPS_SHIFT) | SKIPPED | skip_count << SKIPS_SHIFT)
    }

    /// A skipped waiter came back: it waits in turn again, with a longer grace period.
    pub fn with_skips_of(self, skipped: Self) -> Self {
        Self(self.0 | skipped.0 & SKIPS_MASK << SKIPS_SHIFT)
    }

    /// Waits and was not skipped.
    pub fn is_in_turn(self) -> bool {
        self.mode().is_some() && !self.is_skipped()
    }

    /// Waits in turn, ahead of a request with `ticket`.
    pub fn is_ahead_of(self, ticket: u64) -> bool {
        self.is_in_turn() && is_earlier(self.ticket(), ticket)
    }
}

/// `high_water`: the number of slots that scans visit (16 bits), and a count of its changes (48
/// bits).
///
/// Every attachment changes the word, even if it does not raise the number. So a process that
/// lowers the number, after it saw no attachment above, fails if one came meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HighWater(pub u64);

const COUNT_BITS: u32 = 16;

impl HighWater {
    pub fn count(self) -> usize {
        (self.0 & ((1 << COUNT_BITS) - 1)) as usize
    }

    /// Another word, with `count`.
    pub fn changed_to(self, count: usize) -> Self {
        Self(((self.0 >> COUNT_BITS).wrapping_add(1) << COUNT_BITS) | count as u64)
    }
}

/// Whether ticket `one` was taken before `other`. Tickets wrap at 2^44: of two that wait at the
/// same time, the later one is less than half of that ahead.
pub(crate) fn is_earlier(one: u64, other: u64) -> bool {
    let ahead = other.wrapping_sub(one) & TICKET_MASK;
    ahead != 0 && ahead <= TICKET_MASK / 2
}

/// The position of a ticket in the order of the waiting ones; `next` is the next ticket to be
/// taken.
pub(crate) fn order_of(ticket: u64, next: u64) -> u64 {
    ticket.wrapping_sub(next).wrapping_add(TICKET_MASK / 2) & TICKET_MASK
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_of_the_high_water_mark_is_another_word() {
        let seen = HighWater(u64::MAX << COUNT_BITS | 5);
        assert_eq!((seen.count(), seen.changed_to(5).count(), seen.changed_to(4096).count()), (5, 5, 4096));
        assert_ne!(seen, seen.changed_to(5));
        assert_ne!(seen.changed_to(7).changed_to(5), seen);
    }

    #[test]
    fn a_claim_is_beside_the_holds() {
        let last = (1 << CLAIM_BITS) - 1;
        for claim in [0, 1, last] {
            let reads = Reads::new(u32::MAX, 65_534).claiming(claim);
            assert_eq!((reads.generation(), reads.holds(), reads.claim()), (u32::MAX, 65_534, Some(claim)));
            assert_eq!(reads.admitted(), Reads::new(u32::MAX, 65_535));
            assert_ne!(Reads::new(3, 0).claiming(claim).count(), 0);
        }
        assert_eq!((Reads::new(3, 2).claim(), Reads::new(3, 2).holds()), (None, 2));
    }

    #[test]
    fn tickets_keep_their_order_when_their_number_wraps() {
        for next in [3, 1 << 30, TICKET_MASK - 1, TICKET_MASK, TICKET_MASK + 2, u64::MAX] {
            let tickets: Vec<_> = (0..6).map(|back| next.wrapping_sub(6 - back) & TICKET_MASK).collect();
            for pair in tickets.windows(2) {
                assert!(is_earlier(pair[0], pair[1]) && !is_earlier(pair[1], pair[0]) && !is_earlier(pair[0], pair[0]));
                assert!(order_of(pair[0], next) < order_of(pair[1], next));
                assert!(Queued::new(Mode::Write, 0, pair[0]).is_ahead_of(pair[1]));
            }
        }
    }

    #[test]
    fn a_read_that_an_exclusive_request_follows_keeps_readers_out() {
        let read = Queued::new(Mode::Read, u32::MAX, TICKET_MASK);
        let followed = read.followed(true);
        assert!(!read.keeps_readers_out() && followed.keeps_readers_out());
        assert!(Queued::new(Mode::Write, 0, 1).keeps_readers_out());
        assert_eq!((followed.mode(), followed.ticket(), followed.skip_count()), (Some(Mode::Read), TICKET_MASK, 0));
        assert!(followed.skipped().keeps_readers_out() && !followed.is_skipped());
        assert_eq!(followed.followed(false), read);
    }

    #[test]
    fn steals_come_before_all_others_and_keep_their_own_order() {
        for next in [3, 1 << 30, 1 << 42, TICKET_MASK - 1, TICKET_MASK, u64::MAX] {
            let ticket = |back: u64| next.wrapping_sub(back) & TICKET_MASK;
            let (first, second) = (Queued::steal_ticket(ticket(3)), Queued::steal_ticket(ticket(1)));
            assert!(is_earlier(first, second) && !is_earlier(second, first));
            assert!(order_of(first, next) < order_of(second, next));
            let evicted = [first, second].map(Queued::evicted_ticket);
            assert!(is_earlier(second, evicted[0]) && is_earlier(evicted[0], evicted[1]));
            assert!(is_earlier(evicted[1], ticket(1 << 40)));
            for other in [ticket(4), ticket(2), ticket(1 << 40), ticket(0)] {
                assert!(is_earlier(second, other) && !is_earlier(other, first));
                assert!(order_of(second, next) < order_of(other, next));
            }
        }
    }

    #[test]
    fn a_skipped_waiter_keeps_its_ticket_and_gets_a_longer_grace_period() {
        let mut queued = Queued::new(Mode::Write, 3, 77);
        assert!(queued.is_ahead_of(78) && !queued.is_ahead_of(77));
        for skip_count in [1, 2, 3, 4, 5, 6, 7, 7] {
            queued = queued.skipped();
            assert!(queued.is_skipped() && !queued.is_ahead_of(78));
            assert_eq!((queued.mode(), queued.ticket(), queued.skip_count()), (Some(Mode::Write), 77, skip_count));
            queued = Queued::new(Mode::Write, 3, 77).with_skips_of(queued);
            assert!(queued.is_ahead_of(78));
        }
    }
}
