//! What a holder learns of the requests that it keeps out. All of it is hints: exclusion never
//! depends on one.
//!
//! A holder that wants to know stores the modes of such requests in its slot ([`notices`]), and
//! *then* looks at the queue. A process that waits publishes its request, and *then* looks at the
//! slots of those that keep it out. Both are sequentially consistent (Dekker's scheme), so the
//! holder finds the request, or the request finds that the holder wants to know, and wakes it.
//!
//! The waker may die between its mark and its call. Then its request needs no notice, but a later
//! one would find the mark; so the peer check of each waiter repeats the call, until the holder has
//! withdrawn its wish.
//!
//! [`notices`]: crate::shm::layout::WaitLine::notices

use std::sync::atomic::Ordering::SeqCst;

use super::Attachment;
use super::pending::Pending;
use crate::protocol::slot::{Mode, STEAL_NOTICE};
use crate::protocol::wake;
use crate::sys::park;

impl Attachment {
    /// Whether a request waits that a hold with mode `held` of this attachment keeps out, of this
    /// attachment or another. A hint, and old when it is returned.
    #[must_use]
    pub fn is_contended(&self, held: Mode) -> bool {
        self.keeps_own_out(held) || self.keeps_others_out(held)
    }

    fn keeps_own_out(&self, held: Mode) -> bool {
        // The attachment's own upgrade waits for the readers, and not for the hold that it upgrades.
        let pending = self.pending.borrow();
        pending.requests.iter().any(|request| self.keeps_out(held, request.mode))
            || (held == Mode::Read && pending.drain.is_some())
    }

    fn keeps_others_out(&self, held: Mode) -> bool {
        crash_point!(contended_load);
        let gate = self.load_gate();
        // A drainer has left the queue. In a try it does not wait.
        let is_drained = || gate.is_drained_by(gate.owner()) && gate.owner() != self.index;
        (held == Mode::Read && is_drained() && !self.segment.is_in_try(gate.owner()))
            || (gate.is_waiting()
                // A skipped waiter did not come when it could: nobody need make way for it again.
                && self.segment.queue().entries().any(|(slot, queued)| {
                    slot != self.index && queued.is_in_turn() && queued.mode().is_some_and(|mode| self.keeps_out(held, mode))
                }))
    }

    fn keeps_out(&self, held: Mode, wanted: Mode) -> bool {
        wanted.conflicts_with(held) || (self.shares_the_limit(held, wanted) && !self.segment.has_room())
    }

    /// Both are reads, of which the lock allows only so many.
    fn shares_the_limit(&self, held: Mode, wanted: Mode) -> bool {
        self.is_limited() && held == Mode::Read && wanted == Mode::Read
    }

    /// From now on, this attachment is woken, like one that waits, when a request comes that a hold
    /// with one of the modes `held` keeps out. An empty list ends that. A wake may be spurious.
    ///
    /// Next, and after each wake, call [`Attachment::take_notice`], and then
    /// [`Attachment::is_contended`].
    pub fn want_notices(&self, held: &[Mode]) {
        let kept_out =
            |mode: &Mode| held.iter().any(|&held| mode.conflicts_with(held) || self.shares_the_limit(held, *mode));
        let modes = [Mode::Read, Mode::Upgradable, Mode::Write].into_iter().filter(kept_out);
        self.wanted_modes.set(modes.map(Mode::bit).sum());
        self.store_wishes();
    }

    pub(super) fn store_wishes(&self) {
        let steals = if self.wants_steals.get() { STEAL_NOTICE } else { 0 };
        crash_point!(ask_notices);
        self.slot().waiting.notices.store(self.wanted_modes.get() | steals, SeqCst);
    }

    /// The owner is about to look: a request that comes later wakes it again.
    pub fn take_notice(&self) {
        wake::take_wake(&self.slot().waiting.wake);
    }

    /// Blocks this thread until a request waits that a hold with mode `held` keeps out, or until
    /// `deadline`. Returns whether there is one. Ends the wishes of [`Attachment::want_notices`].
    pub(crate) fn wait_contended(&self, held: Mode, deadline: u64) -> bool {
        let doorbell = self.mute();
        self.want_notices(&[held]);
        let is_contended = loop {
            self.take_notice();
            if self.is_contended(held) {
                break true;
            }
            if park::now() >= deadline {
                break false;
            }
            wake::wait_for_news(&self.slot().waiting.wake, deadline);
        };
        self.want_notices(&[]);
        self.unmute(doorbell);
        is_contended
    }

    /// Wakes the holders that want to know of a request that they keep out: once for each request
    /// that was published, and for each drain.
    pub(super) fn notify_holders(&self, pending: &mut Pending) {
        let waits = match (&pending.drain, pending.published) {
            (Some(drain), _) if drain.claimed => Some((drain.request.ticket, Mode::Write, true)),
            (_, published) => published.map(|(ticket, mode)| (ticket, mode, false)),
        };
        if waits != pending.notified {
            pending.notified = waits;
            if let Some((_, mode, _)) = waits {
                self.segment.queue().notify_holders(self.index, mode, wake::wake);
            }
        }
    }
}
