//! The queue that all slots form together: each publishes its most urgent request with a ticket, and whoever releases or
//! leaves wakes those whose turn it is. Wakes are hints and tickets grant nothing: exclusion is only gate and reads, so a
//! lost ticket, a late wake or a cancelled wait is harmless.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::gate::Gate;
use super::slot::{Mode, Queued, is_earlier};
use super::state::SharedState;
use super::wake::wake;

/// The queue of a lock.
#[derive(Clone, Copy)]
pub(crate) struct WaitQueue<'a> {
    state: &'a SharedState,
}

impl<'a> WaitQueue<'a> {
    #[inline]
    pub fn new(state: &'a SharedState) -> Self {
        Self { state }
    }

    /// The caller has just left off reading: a writer may be waiting for that.
    pub fn wake_writer(self, gate: Gate) {
        if let (true, Some(slot)) = (gate.is_drained_by(gate.owner()), self.state.slots().get(gate.owner())) {
            crash_point!(wake_writer);
            wake(&slot.waiting);
        }
    }

    /// Of those that a request with `mode` and `ticket` must let go first, the one longest in the queue.
    ///
    /// A reader waits for every earlier request that is exclusive; an exclusive one for every earlier one.
    /// `None` for a ticket: it comes after all of them.
    pub fn ahead_of(self, me: usize, mode: Mode, ticket: Option<u64>) -> Option<(usize, Queued)> {
        self.entries()
            .filter(|&(slot, queued)| {
                slot != me
                    && ticket.map_or_else(|| queued.is_in_turn(), |ticket| queued.is_ahead_of(ticket))
                    && (mode != Mode::Read || queued.mode() != Some(Mode::Read))
            })
            .reduce(|first, next| if is_earlier(next.1.ticket(), first.1.ticket()) { next } else { first })
    }

    /// What the slots wait for.
    pub fn entries(self) -> impl Iterator<Item = (usize, Queued)> + use<'a> {
        self.state
            .used_slots()
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
    pub fn wake_next(self, me: Option<usize>) {
        // Each round that is not the last found that somebody had changed the gate. Should that never end it is damage.
        for _ in 0..=self.state.slots().len() {
            crash_point!(wake_load);
            let gate = self.state.load_gate();
            if gate.excludes_readers() || !gate.is_waiting() {
                return; // the writer's release comes here again
            }
            let (mut first, mut first_exclusive, mut any_overdue) = (None, None, false);
            let earlier = |seen: Option<u64>, ticket| match seen {
                Some(seen) if is_earlier(seen, ticket) => Some(seen),
                _ => Some(ticket),
            };
            let mut empty = true;
            for (slot, queued) in self.entries() {
                empty = false;
                if !queued.is_skipped() {
                    crash_point!(scan_overdue);
                    any_overdue |= self.state.slots()[slot].waiting.overdue.load(Relaxed) != 0;
                    first = earlier(first, queued.ticket());
                    if queued.mode() != Some(Mode::Read) {
                        first_exclusive = earlier(first_exclusive, queued.ticket());
                    }
                }
            }
            if empty {
                // Whoever publishes a request afterwards changes the gate's sequence, and this fails.
                crash_point!(clear_queue);
                if self.state.swap_gate(gate, gate.without_queue()) {
                    return;
                }
                continue;
            }
            if gate.is_closed() && !any_overdue {
                crash_point!(reopen_queue);
                // Nobody left has waited for long. A newcomer that fails to see this joins the queue: no harm. Whoever has
                // closed it meanwhile has changed the gate.
                self.state.swap_gate(gate, gate.reopened());
            }
            for (slot, queued) in self.entries() {
                let turn = match queued.mode() {
                    _ if queued.is_skipped() => true, // perhaps it comes now
                    Some(Mode::Read) => first_exclusive.is_none_or(|exclusive| is_earlier(queued.ticket(), exclusive)),
                    _ => gate.is_free() && Some(queued.ticket()) == first,
                };
                if turn && Some(slot) != me {
                    crash_point!(wake_waiter);
                    wake(&self.state.slots()[slot].waiting);
                }
            }
            return;
        }
    }
}
