//! Steals: a request for writing that goes before all others, and asks those who hold the lock to
//! give it up. Exclusion never depends on it: a hold ends only when its own process ends it, and a
//! process that does not come keeps it.
//!
//! A steal has a ticket from before all others, so it keeps the order of the rest. Its slot says
//! that its first request, or its drain, is a steal ([`steals`]). Like a notice of contention it
//! wakes the holders that asked for that: a holder stores its wish, or has its hold, and *then*
//! looks at the queue; the stealer publishes its request, and *then* looks at the holders.
//!
//! A holder gives up only for a stealer that it has found alive after it found the steal.
//!
//! [`steals`]: crate::shm::layout::RequestLine::steals

use std::sync::atomic::Ordering::SeqCst;

use super::Attachment;
use super::pending::{Pending, RequestId};
use crate::options::WaitOptions;
use crate::protocol::gate::Hold;
use crate::protocol::recovery::MAX_REPAIRS;
use crate::protocol::slot::{Mode, Queued, Reads};
use crate::protocol::wake;
use crate::shm::layout::Slot;

/// A steal that is not of this attachment, and that may be of a dead process.
enum Steal {
    Queued { slot: usize, request: Queued },
    Drains { slot: usize, tenure: u64 },
}

impl Attachment {
    /// Requests the lock for writing, before all other requests but earlier steals. The attachments
    /// that have called [`Attachment::want_steals`] are asked to give up what they hold; the others
    /// are waited for. Call [`Attachment::poll`] next.
    ///
    /// The request is in strict order, whatever `options` says.
    pub fn request_steal(&self, options: WaitOptions) -> RequestId {
        let pending = &mut *self.pending.borrow_mut();
        let mut request = self.new_request(pending, Mode::Write, WaitOptions { fairness: 0, ..options });
        request.ticket = Queued::steal_ticket(request.ticket);
        request.steal = true;
        pending.requests.insert(request);
        self.mark_steal(pending);
        request.id
    }

    /// From now on, or no longer, this attachment is woken, like one that waits, when another one
    /// wants to steal what it holds. A wake may be spurious.
    ///
    /// Next, when it has got a hold, and after each wake, call [`Attachment::take_notice`], and then
    /// [`Attachment::is_stolen`].
    pub fn want_steals(&self, wanted: bool) {
        if self.wants_steals.replace(wanted) != wanted {
            self.store_wishes();
        }
    }

    /// Whether a request of a live process, or of this attachment, wants to steal what this
    /// attachment holds. The holder then ends its holds, as soon as it can do so, the writing one as
    /// [`super::HoldEnd::Failed`].
    #[must_use]
    pub fn is_stolen(&self) -> bool {
        let is_own = {
            let pending = self.pending.borrow();
            pending.requests.have_steal() || pending.drain.as_ref().is_some_and(|drain| drain.request.steal)
        };
        is_own || self.is_stolen_by_other()
    }

    fn is_stolen_by_other(&self) -> bool {
        // Each round but the last found that the steal has ended meanwhile.
        for _ in 0..MAX_REPAIRS {
            let Some(steal) = self.find_steal() else { return false };
            let (Steal::Queued { slot, .. } | Steal::Drains { slot, .. }) = steal;
            if self.segment.recovery().recover(slot) {
                continue;
            }
            // Perhaps there was nothing left to recover. If it is still there, then its owner was
            // probed, and alive.
            let stays = match steal {
                Steal::Queued { slot, request } => {
                    crash_point!(stolen_check_queued);
                    self.segment.slots()[slot].waiting.queued.load(SeqCst) == request.0
                }
                Steal::Drains { slot, tenure } => {
                    crash_point!(stolen_check);
                    let gate = self.segment.load_gate();
                    gate.is_drained_by(slot) && gate.tenure() == tenure
                }
            };
            if stays {
                return true;
            }
        }
        false
    }

    fn find_steal(&self) -> Option<Steal> {
        crash_point!(stolen_load);
        let gate = self.segment.load_gate();
        let drains = gate.is_drained_by(gate.owner()) && gate.owner() != self.index;
        if drains && self.segment.steals(gate.owner()) {
            return Some(Steal::Drains { slot: gate.owner(), tenure: gate.tenure() });
        }
        if !gate.is_waiting() {
            return None;
        }
        self.segment
            .queue()
            .entries()
            .find(|&(slot, queued)| {
                // A skipped one did not come when it could.
                let may_steal = slot != self.index && queued.is_in_turn() && queued.mode() == Some(Mode::Write);
                may_steal && self.segment.steals(slot)
            })
            .map(|(slot, request)| Steal::Queued { slot, request })
    }

    /// Takes the gate to drain for a steal with `ticket`, also from a writer that drains and has no
    /// hold yet. That one waits again. `own`: of the drain of this attachment, if there is one,
    /// whether it is a steal.
    pub(super) fn claim_for_steal(&self, ticket: u64, own: Option<bool>) -> bool {
        loop {
            crash_point!(claim_load);
            let gate = self.load_gate();
            let evicted = match gate.hold() {
                Some(Hold::Free) => None,
                Some(Hold::Draining) if gate.owner() == self.index && own == Some(false) => None,
                Some(Hold::Draining) if gate.owner() != self.index && !self.segment.steals(gate.owner()) => {
                    self.segment.slots().get(gate.owner())
                }
                _ => return false,
            };
            let waits = evicted.map(|slot| {
                let is_in_try = self.segment.is_in_try(gate.owner());
                crash_point!(evict_load);
                (slot, is_in_try, slot.waiting.queued.load(SeqCst))
            });
            let claimed = gate.acquired(Hold::Draining, self.index);
            crash_point!(claim_gate);
            if !self.gate().swap(gate, claimed) {
                continue;
            }
            self.claimed.set(claimed);
            if let Some((slot, is_in_try, queued)) = waits {
                if !is_in_try {
                    self.put_back(slot, queued, ticket);
                }
                crash_point!(evict);
                wake::wake(&slot.waiting);
            }
            return true;
        }
    }

    /// Publishes the request of a writer that drained, before all requests that are no steals: until
    /// its owner does that itself, others must not take its turn. If the owner has done so, or has
    /// given up, its word has changed; and if it has given up between our two accesses, it removes
    /// what it finds there, or is skipped.
    fn put_back(&self, slot: &Slot, queued: u64, ticket: u64) {
        crash_point!(evict_generation);
        let generation = Reads(slot.reads.load(SeqCst)).generation();
        let again = Queued::new(Mode::Write, generation, Queued::evicted_ticket(ticket));
        crash_point!(evict_queue);
        let _ = slot.waiting.queued.compare_exchange(queued, again.0, SeqCst, SeqCst);
    }

    /// Lets other processes know whether what this attachment asks for is a steal: before the
    /// request is published or drains, and before a steal that is given up leaves.
    pub(super) fn mark_steal(&self, pending: &mut Pending) {
        let steals = pending.drain.as_ref().is_some_and(|drain| drain.request.steal)
            || pending.requests.front().is_some_and(|request| request.steal);
        if steals != pending.marked_steal {
            pending.marked_steal = steals;
            crash_point!(mark_steal);
            self.slot().requests.steals.store(steals.into(), SeqCst);
        }
    }
}
