//! The readers: slots whose bit in the reader bitmap is set and whose `reads` word has a count.

use std::ops::BitOr;
use std::sync::atomic::Ordering::SeqCst;

use super::slot::Reads;
use super::state::SharedState;
use crate::shm::layout::SLOTS_OF_WORD;

/// The readers of a lock.
#[derive(Clone, Copy)]
pub(crate) struct Readers<'a> {
    state: &'a SharedState,
}

impl<'a> Readers<'a> {
    #[inline]
    pub fn new(state: &'a SharedState) -> Self {
        Self { state }
    }

    /// The first slot other than `me` that reads. A slot without a bit does not read: it loads the
    /// gate again after it registers.
    #[inline]
    pub fn find_other_reader(self, me: usize) -> Option<usize> {
        for (number, word) in self.registered().enumerate() {
            for slot in slots_in(number, word) {
                if slot != me && self.reads(slot) {
                    return Some(slot);
                }
            }
        }
        None
    }

    /// The read holds of a lock that limits them.
    pub fn holds(self) -> u32 {
        let mut holds: u32 = 0;
        for (number, word) in self.registered().enumerate() {
            for slot in slots_in(number, word) {
                crash_point!(scan_holds);
                let reads = self.state.slots().get(slot).map_or(0, |slot| slot.reads.load(SeqCst));
                holds = holds.saturating_add(Reads(reads).holds());
            }
        }
        holds
    }

    /// Whether any slot other than `me` may read.
    #[inline]
    pub fn has_other_registered(self, me: usize) -> bool {
        self.registered().fold(0, u64::bitor) != 0 && self.registers_other_than(me)
    }

    #[inline(never)]
    fn registers_other_than(self, me: usize) -> bool {
        self.registered_slots().any(|slot| slot != me)
    }

    /// The slots that may read. One beyond the lock's slots is corruption.
    pub fn registered_slots(self) -> impl Iterator<Item = usize> + use<'a> {
        self.registered().enumerate().flat_map(|(number, word)| slots_in(number, word))
    }

    /// Clears the bits of idle readers. Only for the owner of a gate that says "writing", which is
    /// never taken away: a slot that does not read yet sees this gate when it loads it, and a slot
    /// that loaded an earlier gate still reads or has retracted its read.
    #[cold]
    pub fn prune_idle_readers(self) {
        for (number, registered) in self.registered().enumerate() {
            let idle = slots_in(number, registered).filter(|&slot| !self.reads(slot));
            let idle = idle.map(|slot| 1 << (slot % SLOTS_OF_WORD)).fold(0, u64::bitor);
            crash_point!(prune_readers);
            self.state.reader_bitmap().0[number].fetch_and(!idle, SeqCst);
        }
    }

    /// The words of the bitmap that may have a bit set.
    #[inline]
    fn registered(self) -> impl Iterator<Item = u64> + use<'a> {
        self.state.reader_bitmap().0.iter().take(self.state.high_water().div_ceil(SLOTS_OF_WORD)).map(|word| {
            crash_point!(scan_reader_bitmap);
            word.load(SeqCst)
        })
    }

    #[inline]
    fn reads(self, slot: usize) -> bool {
        crash_point!(scan_reads);
        // A bit beyond the slots is corruption and names no reader.
        self.state.slots().get(slot).is_some_and(|slot| Reads(slot.reads.load(SeqCst)).count() != 0)
    }
}

/// The slots of the bits that are set in a word of the bitmap.
fn slots_in(number: usize, mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let slot = number * SLOTS_OF_WORD + word.trailing_zeros() as usize;
        (word != 0).then(|| {
            word &= word - 1;
            slot
        })
    })
}
