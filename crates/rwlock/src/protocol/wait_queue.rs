//! The queue that all slots form together: each publishes its most urgent request with a ticket,
//! and a process that releases or leaves wakes those whose turn it is. Wakes are hints and tickets
//! grant nothing: exclusion depends only on the gate and the reads. So a lost ticket, a late wake
//! or a cancelled wait is harmless.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::gate::Gate;
use super::slot::{Mode, Queued, STEAL_NOTICE, is_earlier};
use super::state::SharedState;
use super::wake::wake;
use crate::shm::layout::WaitLine;

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

    /// The caller has just ended a read: a writer may wait for that.
    pub fn wake_writer(self, gate: Gate) {
        if let (true, Some(slot)) = (gate.is_drained_by(gate.owner()), self.state.slots().get(gate.owner())) {
            crash_point!(wake_writer);
            wake(&slot.waiting);
        }
    }

    /// A request of `me` with `mode` waits: calls `wake` for the holders that keep it out and want
    /// to know that, or that it is a steal. They are the owner of the gate and, for a writer, the
    /// readers; also for a reader of a lock that limits its readers.
    pub fn notify_holders(self, me: usize, mode: Mode, wake: fn(&WaitLine)) {
        let is_steal = || self.state.slots().get(me).is_some_and(|slot| slot.requests.steals.load(SeqCst) != 0);
        let news = mode.bit() | if mode == Mode::Write && is_steal() { STEAL_NOTICE } else { 0 };
        let notify = |slot: usize| {
            let Some(slot) = self.state.slots().get(slot) else { return };
            crash_point!(notice_load);
            // After the request was published; see `attachment::contention`.
            if slot.waiting.notices.load(SeqCst) & news != 0 {
                crash_point!(notice);
                wake(&slot.waiting);
            }
        };
        crash_point!(notice_gate);
        let gate = self.state.load_gate();
        if !gate.is_free() && gate.owner() != me {
            notify(gate.owner());
        }
        if mode == Mode::Write || self.state.is_limited() {
            self.state.readers().registered_slots().filter(|&slot| slot != me).for_each(notify);
        }
    }

    /// Of the requests that must be granted before one with `mode` and `ticket`, the earliest.
    ///
    /// A reader waits for every earlier exclusive request, and for an earlier read behind which its
    /// slot has an exclusive one; an exclusive request, and a reader of a lock that limits its
    /// readers, wait for every earlier one. `None` for a ticket means the last position.
    pub fn ahead_of(self, me: usize, mode: Mode, ticket: Option<u64>) -> Option<(usize, Queued)> {
        self.entries()
            .filter(|&(slot, queued)| {
                slot != me
                    && ticket.map_or_else(|| queued.is_in_turn(), |ticket| queued.is_ahead_of(ticket))
                    && (mode != Mode::Read || queued.keeps_readers_out() || self.state.is_limited())
            })
            .reduce(|first, next| if is_earlier(next.1.ticket(), first.1.ticket()) { next } else { first })
    }

    /// The published requests.
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

    /// Wakes the waiters whose turn it is, except `me`, and reopens or clears the queue if it need
    /// not be closed.
    ///
    /// Must be called after every step that may let another process continue: a release, a
    /// downgrade, leaving the queue.
    pub fn wake_next(self, me: Option<usize>) {
        // Each round but the last found that the gate had changed. An endless series of changes is
        // corruption.
        for _ in 0..=self.state.slots().len() {
            crash_point!(wake_load);
            let gate = self.state.load_gate();
            if gate.excludes_readers() || !gate.is_waiting() {
                return; // the writer's release comes here again
            }
            // `last_read`: the ticket up to which reads have their turn.
            let (mut first, mut last_read, mut any_overdue) = (None, None, false);
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
                    if queued.keeps_readers_out() {
                        last_read = earlier(last_read, queued.ticket());
                    }
                }
            }
            if empty {
                // A process that publishes a request afterwards changes the gate's sequence, and
                // this fails.
                crash_point!(clear_queue);
                if self.state.swap_gate(gate, gate.without_queue()) {
                    return;
                }
                continue;
            }
            if gate.is_closed() && !any_overdue {
                crash_point!(reopen_queue);
                // No remaining waiter has waited for long. A newcomer that misses this joins the
                // queue, which is harmless. A process that closed the queue meanwhile has changed
                // the gate.
                self.state.swap_gate(gate, gate.reopened());
            }
            for (slot, queued) in self.entries() {
                let turn = match queued.mode() {
                    _ if queued.is_skipped() => true, // perhaps its owner comes now
                    Some(Mode::Read) if self.state.is_limited() => Some(queued.ticket()) == first,
                    Some(Mode::Read) => last_read.is_none_or(|last| !is_earlier(last, queued.ticket())),
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
