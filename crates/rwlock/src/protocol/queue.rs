//! The queue that all slots form together: each publishes its most urgent request with a ticket, and whoever releases or
//! leaves wakes those whose turn it is. Wakes are hints and tickets grant nothing: exclusion is only gate and reads, so a
//! lost ticket, a late wake or a cancelled wait is harmless.

use std::ops::BitOr;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use crate::error::{Error, Result};
use crate::protocol::gate::{Gate, Hold};
use crate::protocol::slot::{HighWater, Mode, Queued, Reads, is_earlier};
use crate::shm::Segment;
use crate::shm::layout::{GateLine, SLOTS_OF_WORD, Slot};
use crate::sys::park;

impl GateLine {
    pub fn load(&self) -> Gate {
        Gate(self.gate.load(SeqCst))
    }

    pub fn swap(&self, old: Gate, new: Gate) -> bool {
        self.gate.compare_exchange(old.0, new.0, SeqCst, SeqCst).is_ok()
    }
}

impl Segment {
    pub fn load_gate(&self) -> Gate {
        self.gate().load()
    }

    pub fn swap_gate(&self, old: Gate, new: Gate) -> bool {
        self.gate().swap(old, new)
    }

    /// Changes the gate as `step` says, however others change it meanwhile. `None` from `step` leaves it. Returns what the
    /// last `step` was given.
    pub fn change_gate(&self, step: impl Fn(Gate) -> Option<Gate>) -> Gate {
        loop {
            crash_point!(gate_load);
            let gate = self.load_gate();
            let Some(new) = step(gate) else { return gate };
            crash_point!(gate_swap);
            if self.swap_gate(gate, new) {
                return gate;
            }
        }
    }

    fn high_water(&self) -> usize {
        crash_point!(scan_bound);
        HighWater(self.header().high_water.load(SeqCst)).count()
    }

    /// The slots in use, and perhaps some that are not.
    pub fn used_slots(&self) -> &[Slot] {
        let slots = self.slots();
        &slots[..self.high_water().min(slots.len())]
    }

    /// The slot that holds the gate exclusively, if one does.
    pub fn gate_owner(&self, gate: Gate) -> Result<Option<usize>> {
        match gate.hold() {
            Some(Hold::Free) => Ok(None),
            Some(_) if gate.owner() < self.slots().len() => Ok(Some(gate.owner())),
            _ => Err(self.damaged(gate)),
        }
    }

    #[cold]
    pub fn damaged(&self, gate: Gate) -> Error {
        if self.is_forked() {
            return self.forked();
        }
        Error::corrupt(format!(
            "{} is damaged: its gate says {:#x}. Something else wrote into its memory; stop its users and remove it",
            self.location, gate.0
        ))
    }

    #[cold]
    pub fn phantom_hold_error(&self, gate: Gate) -> Error {
        let pid = self.slots().get(gate.owner()).map_or(0, |slot| slot.waiting.pid.load(Relaxed));
        Error::corrupt(format!(
            "{} is damaged: its gate says {:#x}, that process {pid} holds it, which does not. Something else wrote into its \
             memory; stop its users and remove it",
            self.location, gate.0
        ))
    }

    /// The caller has just left off reading: a writer may be waiting for that.
    pub fn wake_writer(&self, gate: Gate) {
        if let (true, Some(slot)) = (gate.is_drained_by(gate.owner()), self.slots().get(gate.owner())) {
            crash_point!(wake_writer);
            park::wake(&slot.waiting);
        }
    }

    /// The first slot other than `me` that reads. Who is not listed does not: it looks at the gate once more when it is.
    #[inline]
    pub fn find_other_reader(&self, me: usize) -> Option<usize> {
        for (number, word) in self.listed().enumerate() {
            for slot in slots_in(number, word) {
                if slot != me && self.reads(slot) {
                    return Some(slot);
                }
            }
        }
        None
    }

    /// Whether any slot other than `me` may read.
    #[inline]
    pub fn has_other_registered(&self, me: usize) -> bool {
        self.listed().fold(0, u64::bitor) != 0 && self.registers_other_than(me)
    }

    #[inline(never)]
    fn registers_other_than(&self, me: usize) -> bool {
        self.listed().enumerate().flat_map(|(number, word)| slots_in(number, word)).any(|slot| slot != me)
    }

    /// Takes out of the listing who does not read. Only for whose gate says "writing", which nobody takes away: who is not
    /// reading by then sees that at its look at the gate, and who had looked before is reading still, or has taken it back.
    #[cold]
    pub fn prune_idle_readers(&self) {
        for (number, listed) in self.listed().enumerate() {
            let idle = slots_in(number, listed).filter(|&slot| !self.reads(slot));
            let idle = idle.map(|slot| 1 << (slot % SLOTS_OF_WORD)).fold(0, u64::bitor);
            crash_point!(prune_readers);
            self.reader_bitmap().0[number].fetch_and(!idle, SeqCst);
        }
    }

    /// The words of the listing that may have a bit set.
    #[inline]
    fn listed(&self) -> impl Iterator<Item = u64> {
        self.reader_bitmap().0.iter().take(self.high_water().div_ceil(SLOTS_OF_WORD)).map(|word| {
            crash_point!(scan_reader_bitmap);
            word.load(SeqCst)
        })
    }

    #[inline]
    fn reads(&self, slot: usize) -> bool {
        crash_point!(scan_reads);
        // A bit beyond the slots is damage, and nobody.
        self.slots().get(slot).is_some_and(|slot| Reads(slot.reads.load(SeqCst)).count() != 0)
    }

    /// Of those that a request with `mode` and `ticket` must let go first, the one longest in the queue.
    ///
    /// A reader waits for every earlier request that is exclusive; an exclusive one for every earlier one.
    /// `None` for a ticket: it comes after all of them.
    pub fn ahead_of(&self, me: usize, mode: Mode, ticket: Option<u64>) -> Option<(usize, Queued)> {
        self.queue()
            .filter(|&(slot, queued)| {
                slot != me
                    && ticket.map_or_else(|| queued.is_in_turn(), |ticket| queued.is_ahead_of(ticket))
                    && (mode != Mode::Read || queued.mode() != Some(Mode::Read))
            })
            .reduce(|first, next| if is_earlier(next.1.ticket(), first.1.ticket()) { next } else { first })
    }

    /// What the slots wait for.
    pub fn queue(&self) -> impl Iterator<Item = (usize, Queued)> {
        self.used_slots()
            .iter()
            .enumerate()
            .map(|(index, slot)| {
                crash_point!(scan_queue);
                (index, Queued(slot.waiting.queued.load(SeqCst)))
            })
            .filter(|(_, queued)| queued.mode().is_some())
    }

    /// Wakes those whose turn it is, but for `me`, and reopens or clears the queue where nobody needs it closed.
    ///
    /// Must be called after every step that may let somebody else go on: a release, a downgrade, leaving the queue.
    pub fn wake_next(&self, me: Option<usize>) {
        // Each round that is not the last found that somebody had changed the gate. Should that never end it is damage.
        for _ in 0..=self.slots().len() {
            crash_point!(wake_load);
            let gate = self.load_gate();
            if gate.excludes_readers() || !gate.is_waiting() {
                return; // the writer's release comes here again
            }
            let (mut first, mut first_exclusive, mut any_overdue) = (None, None, false);
            let earlier = |seen: Option<u64>, ticket| match seen {
                Some(seen) if is_earlier(seen, ticket) => Some(seen),
                _ => Some(ticket),
            };
            let mut empty = true;
            for (slot, queued) in self.queue() {
                empty = false;
                if !queued.is_skipped() {
                    crash_point!(scan_overdue);
                    any_overdue |= self.slots()[slot].waiting.overdue.load(Relaxed) != 0;
                    first = earlier(first, queued.ticket());
                    if queued.mode() != Some(Mode::Read) {
                        first_exclusive = earlier(first_exclusive, queued.ticket());
                    }
                }
            }
            if empty {
                // Whoever publishes a request afterwards changes the gate's sequence, and this fails.
                crash_point!(clear_queue);
                if self.swap_gate(gate, gate.without_queue()) {
                    return;
                }
                continue;
            }
            if gate.is_closed() && !any_overdue {
                crash_point!(reopen_queue);
                // Nobody left has waited for long. A newcomer that fails to see this joins the queue: no harm. Whoever has
                // closed it meanwhile has changed the gate.
                self.swap_gate(gate, gate.reopened());
            }
            for (slot, queued) in self.queue() {
                let turn = match queued.mode() {
                    _ if queued.is_skipped() => true, // perhaps it comes now
                    Some(Mode::Read) => first_exclusive.is_none_or(|exclusive| is_earlier(queued.ticket(), exclusive)),
                    _ => gate.is_free() && Some(queued.ticket()) == first,
                };
                if turn && Some(slot) != me {
                    crash_point!(wake_waiter);
                    park::wake(&self.slots()[slot].waiting);
                }
            }
            return;
        }
    }
}

/// The slots that a word of the listing names, by its number.
fn slots_in(number: usize, mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let slot = number * SLOTS_OF_WORD + word.trailing_zeros() as usize;
        (word != 0).then(|| {
            word &= word - 1;
            slot
        })
    })
}
