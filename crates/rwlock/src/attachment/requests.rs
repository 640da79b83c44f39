//! Waiting without blocking: the requests of one attachment, in order. Only the first is published.
//!
//! The driver of an attachment calls [`Attachment::poll`] when its wake word was set, or when the
//! time of [`Attachment::next_poll`] has come, and then takes the settled requests.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::Attachment;
use super::pending::{Drain, NESTED_READ_GRACE, Pending, Request};
pub use super::pending::{Outcome, RequestId};
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::options::WaitOptions;
use crate::protocol::gate::{Gate, Hold};
use crate::protocol::slot::{Mode, Queued};
use crate::protocol::wake;
use crate::shm::layout::REQUEST_ROWS;
use crate::sys::park;

/// The monotonic clock of deadlines, in ns.
#[must_use]
pub fn now() -> u64 {
    park::now()
}

impl Attachment {
    /// Requests the lock. Call [`Attachment::poll`] next.
    pub fn request(&self, mode: Mode, options: WaitOptions) -> RequestId {
        let pending = &mut *self.pending.borrow_mut();
        let request = self.new_request(pending, mode, options);
        pending.requests.push_back(request);
        request.id
    }

    /// As [`Attachment::request`], for a write request that comes behind so many of this attachment
    /// that only their number changes: then no [`Attachment::poll`] is needed. `None` otherwise.
    pub fn request_behind(&self, mode: Mode, options: WaitOptions) -> Option<RequestId> {
        let pending = &mut *self.pending.borrow_mut();
        let is_plain = mode == Mode::Write && options.deadline == u64::MAX && options.fairness != 0;
        if !is_plain || pending.requests.len() < REQUEST_ROWS {
            return None;
        }
        let request = self.new_request(pending, mode, options);
        pending.requests.push_back(request);
        self.show_number(pending);
        Some(request.id)
    }

    /// Requests that the upgradable hold of this attachment becomes a write hold. Current readers
    /// may finish; no new reader enters. Call [`Attachment::poll`] next. `None` if there is no such
    /// hold, or if it is already being upgraded.
    pub fn request_upgrade(&self, options: WaitOptions) -> Option<RequestId> {
        let pending = &mut *self.pending.borrow_mut();
        if self.exclusive.get() != Some(Mode::Upgradable) {
            return None;
        }
        match pending.drain.take_if(|drain| !drain.upgrade) {
            // A writer that was skipped and does not know it yet: otherwise the hold would not be
            // ours.
            Some(passed) => pending.requests.insert(passed.request),
            None if pending.drain.is_some() => return None,
            None => {}
        }
        let request = self.new_request(pending, Mode::Write, options);
        pending.drain = Some(Drain { request, upgrade: true, claimed: false });
        Some(request.id)
    }

    pub(super) fn new_request(&self, pending: &mut Pending, mode: Mode, options: WaitOptions) -> Request {
        let since = park::now();
        pending.last_id = pending.last_id.wrapping_add(1).max(1);
        pending.next_deadline = pending.next_deadline.min(options.deadline);
        crash_point!(take_ticket);
        let ticket = self.segment.tickets().next.fetch_add(1, SeqCst);
        Request {
            id: pending.last_id,
            mode,
            ticket: Queued::new(mode, 0, ticket).ticket(), // cut to the bits that the word holds
            since,
            deadline: options.deadline,
            close_at: since.saturating_add(options.fairness),
            strict: options.fairness == 0,
            in_turn: options.in_turn,
            steal: false,
        }
    }

    /// Withdraws a request. Returns whether it was still waiting. Call [`Attachment::poll`] next.
    pub fn cancel(&self, id: RequestId) -> bool {
        let pending = &mut *self.pending.borrow_mut();
        if pending.drain.as_ref().is_some_and(|drain| drain.request.id == id) {
            self.cancel_drain(pending);
            pending.labels.remove(&id);
            return true;
        }
        let Some(position) = pending.requests.iter().position(|request| request.id == id) else { return false };
        pending.requests.remove(position);
        self.mark_steal(pending);
        pending.labels.remove(&id);
        true
    }

    /// Withdraws every request and returns their ids.
    #[must_use]
    pub fn withdraw_all(&self) -> Vec<RequestId> {
        let pending = &mut *self.pending.borrow_mut();
        let mut withdrawn: Vec<_> = pending.drain.iter().map(|drain| drain.request.id).collect();
        self.cancel_drain(pending);
        withdrawn.extend(pending.requests.take_all().into_iter().map(|request| request.id));
        pending.labels.clear();
        self.publish_head(pending);
        self.show_requests(pending);
        withdrawn
    }

    /// The number of requests of this attachment that wait.
    #[must_use]
    pub fn pending(&self) -> usize {
        let pending = self.pending.borrow();
        pending.requests.len() + usize::from(pending.drain.is_some())
    }

    /// Takes the requests that were settled after the last call, in order.
    #[must_use]
    pub fn take_settled(&self) -> Vec<(RequestId, Outcome)> {
        std::mem::take(&mut self.pending.borrow_mut().settled)
    }

    /// When [`Attachment::poll`] is due at the latest; `u64::MAX` means only when woken.
    #[must_use]
    pub fn next_poll(&self, now: u64) -> u64 {
        let pending = self.pending.borrow();
        let head = pending.requests.front().map_or(u64::MAX, |head| head.close_at);
        let close_at = if head > now { head } else { u64::MAX };
        pending.next_deadline.min(close_at).min(pending.nested_at.unwrap_or(u64::MAX))
    }

    /// Makes all progress that is possible now, without waiting.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`]: the lock's memory was modified externally. The requests stay.
    pub fn poll(&self, now: u64) -> Result<()> {
        let pending = &mut *self.pending.borrow_mut();
        self.check_gate(pending)?;
        wake::take_wake(&self.slot().waiting.wake);
        let mut put_back = 0;
        loop {
            self.continue_drain(pending)?;
            while let Some(&head) = pending.requests.front() {
                if pending.sync.is_some_and(|id| id != head.id) || !self.is_next(&head) {
                    break;
                }
                pending.requests.pop_front();
                if !self.grant_in_turn(pending, head)? {
                    pending.requests.unpop_front(head);
                    break;
                }
            }
            self.expire(pending, now);
            self.admit_nested(pending, now);
            // A release before we published did not wake us: recheck. A process that keeps
            // overwriting our word must not keep us here.
            let published = pending.published;
            if !self.publish_head(pending) {
                break;
            }
            if pending.published == published {
                put_back += 1;
                if put_back > self.segment.slots().len() {
                    break;
                }
            }
        }
        self.close_queue(pending, now);
        self.notify_holders(pending);
        self.show_requests(pending);
        Ok(())
    }

    /// Fails if the gate is impossible. A gate that names us although we have no hold is impossible
    /// too: it would never be freed.
    fn check_gate(&self, pending: &Pending) -> Result<()> {
        crash_point!(poll_load);
        let gate = self.segment.load_gate();
        match self.segment.gate_owner(gate).map_err(|_| self.segment.damaged(gate))? {
            Some(owner) if owner == self.index => {}
            // (If the owner died meanwhile, the caller recovers it.)
            Some(owner) if self.has_found_damage(gate) && !self.segment.recovery().recover(owner) => {
                return Err(self.segment.phantom_hold_error(gate));
            }
            _ => return Ok(()),
        }
        let drains = pending.drain.as_ref().is_some_and(|drain| drain.claimed);
        let ours = match self.exclusive.get() {
            None => drains && gate.hold() == Some(Hold::Draining),
            Some(Mode::Upgradable) if drains && gate.hold() == Some(Hold::Upgrading) => true,
            Some(Mode::Upgradable) => gate.hold() == Some(Hold::Upgradable),
            Some(_) => gate.hold() == Some(Hold::Writing),
        };
        if ours { Ok(()) } else { Err(self.segment.damaged(gate)) }
    }

    fn settle(pending: &mut Pending, id: RequestId, outcome: Outcome) {
        if pending.sync == Some(id) {
            pending.sync = None;
        }
        if !pending.labels.is_empty() {
            pending.labels.remove(&id);
        }
        pending.settled.push((id, outcome));
    }

    fn is_next(&self, head: &Request) -> bool {
        self.segment.queue().ahead_of(self.index, head.mode, Some(head.ticket)).is_none()
    }

    /// Grants `head`, whose turn it is, if the lock is free for it. A writer must still drain.
    fn grant_in_turn(&self, pending: &mut Pending, head: Request) -> Result<bool> {
        let granted = match head.mode {
            Mode::Read => self.read_in_turn(),
            Mode::Upgradable => self.claim_gate(Hold::Upgradable, Gate::is_free),
            Mode::Write if head.steal => {
                self.claim_for_steal(head.ticket, pending.drain.as_ref().map(|drain| drain.request.steal))
            }
            Mode::Write => self.claim_gate(Hold::Draining, Gate::is_free),
        };
        if !granted {
            return Ok(false);
        }
        match head.mode {
            Mode::Read => self.stamp_read(),
            Mode::Upgradable => self.begin_upgradable(),
            Mode::Write => {
                crash_point!(stamp_drain);
                self.slot().exclusive_since.store(park::shared(head.since), Relaxed); // it still waits
                let drain = Drain { request: head, upgrade: false, claimed: true };
                if let Some(evicted) = pending.drain.replace(drain) {
                    pending.requests.insert(evicted.request);
                }
                self.continue_drain(pending)?;
                return Ok(true);
            }
        }
        Self::settle(pending, head.id, Outcome::Granted);
        Ok(true)
    }

    fn continue_drain(&self, pending: &mut Pending) -> Result<()> {
        let Some(drain) = &mut pending.drain else { return Ok(()) };
        let request = drain.request;
        if pending.sync.is_some_and(|id| id != request.id) {
            return Ok(());
        }
        crash_point!(drain_load);
        let gate = self.segment.load_gate();
        if drain.upgrade && !gate.is_owned_by(self.index) {
            return Err(self.segment.gate_lost_error(gate));
        }
        if drain.claimed && !gate.is_drained_by(self.index) {
            // It took us too long, and others went ahead.
            drain.claimed = false;
            pending.notified = None; // readers that came meanwhile do not know of us
            if !drain.upgrade {
                pending.drain = None;
                pending.put_back(request);
                return Ok(());
            }
        }
        if !drain.claimed {
            drain.claimed = true;
            pending.notified = None;
            crash_point!(drain_since);
            self.slot().waiting.since.store(park::shared(request.since), Relaxed);
            self.claim_upgrade();
        }
        if self.reads() == 0 && self.segment.readers().find_other_reader(self.index).is_none() && self.claim_drained() {
            pending.drain = None;
            crash_point!(drain_skip_count);
            self.slot().waiting.skip_count.store(0, Relaxed);
            self.begin_write();
            self.stamp_exclusive();
            Self::settle(pending, request.id, Outcome::Granted);
        }
        Ok(())
    }

    fn cancel_drain(&self, pending: &mut Pending) {
        let drain = pending.drain.take();
        self.mark_steal(pending);
        if drain.is_some_and(|drain| drain.claimed) {
            self.abort_drain();
        }
    }

    fn expire(&self, pending: &mut Pending, now: u64) {
        if now < pending.next_deadline {
            return;
        }
        if let Some(drain) = &pending.drain
            && drain.request.deadline <= now
        {
            let id = drain.request.id;
            self.cancel_drain(pending);
            Self::settle(pending, id, Outcome::TimedOut);
        }
        let mut next = pending.drain.as_ref().map_or(u64::MAX, |drain| drain.request.deadline);
        let late = pending.requests.extract(|request| {
            let is_late = request.deadline <= now;
            if !is_late {
                next = next.min(request.deadline);
            }
            is_late
        });
        for request in late {
            Self::settle(pending, request.id, Outcome::TimedOut);
        }
        pending.next_deadline = next;
    }

    /// See [`NESTED_READ_GRACE`].
    fn admit_nested(&self, pending: &mut Pending, now: u64) {
        let shares = self.reads() != 0 || (self.exclusive.get() == Some(Mode::Upgradable) && pending.drain.is_none());
        if !shares {
            pending.nested_grace = NESTED_READ_GRACE;
        }
        if !shares || !pending.requests.may_be_nested() {
            pending.nested_at = None;
            return;
        }
        if now < *pending.nested_at.get_or_insert(now.saturating_add(pending.nested_grace)) {
            return;
        }
        let admitted = pending.requests.extract(|request| {
            // While this attachment reads, no writer holds the lock or can get it: one more reader
            // changes nothing, unless the limit is reached.
            request.mode == Mode::Read
                && !request.in_turn
                && (if self.reads() != 0 { self.join_readers() } else { self.read_in_turn() })
        });
        if admitted.is_empty() {
            pending.nested_at = Some(now.saturating_add(pending.nested_grace));
        } else {
            pending.nested_at = None;
            pending.nested_grace = pending.nested_grace.saturating_mul(2);
        }
        for request in admitted {
            Self::settle(pending, request.id, Outcome::Granted);
        }
    }

    /// Publishes the first of our requests. Returns whether a request was published by this call.
    pub(super) fn publish_head(&self, pending: &mut Pending) -> bool {
        self.mark_steal(pending);
        let word = &self.slot().waiting;
        let head = pending.requests.front().copied();
        let publish = head.map(|head| (head.ticket, head.mode));
        let followed = pending.requests.have_exclusive_in_order();
        let word_of = |head: Request| {
            let word = Queued::new(head.mode, self.generation, head.ticket);
            word.followed(followed && head.mode == Mode::Read)
        };
        if publish == pending.published {
            crash_point!(publish_load);
            let published = Queued(word.queued.load(SeqCst));
            let own = head.map_or(Queued::NONE, word_of);
            if published == own.with_skips_of(published) {
                return false;
            }
            pending.closed = false;
            pending.notified = None; // nobody was asked to make way for a skipped request
            crash_point!(publish_back);
            // We were skipped and came back; or an exclusive request came behind the first one, or
            // left; or the word was modified externally.
            word.queued.store(own.with_skips_of(published).0, SeqCst);
            if head.is_none() {
                self.segment.queue().wake_next(Some(self.index)); // others may wait for what was there
            }
            return true;
        }
        pending.published = publish;
        pending.closed = false;
        if let Some(head) = head {
            self.prepare_rows(pending);
            // In strict order, the queue is never open: neither from here to `close_queue`, nor when
            // the next request follows one that was granted.
            let strict = pending.requests.are_strict();
            crash_point!(publish_times);
            word.overdue.store(strict.into(), Relaxed);
            word.since.store(park::shared(head.since), Relaxed);
            crash_point!(publish);
            word.queued.store(word_of(head).0, SeqCst);
            crash_point!(join_queue);
            // After the publication: a clearing of the queue that missed it fails because of the
            // new sequence.
            self.segment.change_gate(|gate| {
                let gate = gate.with_waiting();
                Some(if strict { gate.with_closed() } else { gate })
            });
            pending.closed = strict;
        } else {
            crash_point!(leave_queue);
            word.queued.store(Queued::NONE.0, SeqCst);
        }
        self.segment.queue().wake_next(Some(self.index));
        head.is_some()
    }

    /// Closes the queue to newcomers if they have overtaken our first request for long enough. This
    /// also happens if another request is ahead: its owner may be stopped, and no process notices
    /// that while newcomers keep the lock busy.
    ///
    /// The slot says that its time has come, because clocks differ between processes. A process
    /// that did not see that, and is about to reopen the queue, fails because the gate has changed.
    fn close_queue(&self, pending: &mut Pending, now: u64) {
        if let Some(head) = pending.requests.front()
            && (now >= head.close_at || pending.requests.are_strict())
        {
            crash_point!(mark_overdue);
            self.slot().waiting.overdue.store(1, Relaxed);
            crash_point!(close_queue);
            let again = pending.closed;
            self.segment
                .change_gate(|gate| (!gate.is_closed() || !again).then(|| gate.with_next_sequence().with_closed()));
            pending.closed = true;
        }
    }
}
