//! Waiting: the requests of one attachment, in order. Only the first is published; the others follow it.
//!
//! Nothing here blocks but [`Attachment::wait`]. Whoever drives an attachment calls [`Attachment::poll`] when its wake word
//! was set or the time of [`Attachment::next_poll`] has come, and takes what was settled.

use std::collections::VecDeque;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use crate::attachment::Attachment;
use crate::attachment::snapshot::Snapshot;
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::gate::{Gate, Hold};
use crate::protocol::slot::{Mode, Queued};
use crate::sys::park;

/// A read asked for while this attachment reads already may be part of that very read ("nested"), which a queued writer
/// would then wait for in vain. So it is let in after this time (ns), and the next one after double that: a nested read
/// always goes on, and a stream of independent ones cannot keep a writer out.
const NESTED_READ_GRACE: u64 = 100_000_000;

/// Names a request of an attachment.
pub type RequestId = u32;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The attachment holds the lock in the mode asked for.
    Granted,
    /// The deadline passed.
    TimedOut,
}

/// What the requester allows. Times are those of [`now`].
#[derive(Clone, Copy, Debug)]
pub struct WaitOptions {
    /// When to give up (monotonic ns); `u64::MAX`: never.
    pub deadline: u64,
    /// How long newcomers may overtake it, in ns.
    pub fairness: u64,
}

/// The monotonic time in ns that deadlines are given in.
#[must_use]
pub fn now() -> u64 {
    park::now()
}

#[derive(Clone, Copy)]
struct Request {
    id: RequestId,
    mode: Mode,
    ticket: u64,
    since: u64,
    deadline: u64,
    close_at: u64,
}

/// A writer that owns the gate, or an upgradable holder on its way to write, until the last reader has left.
struct Drain {
    request: Request,
    /// An upgradable holder, who stays that if it gives up.
    upgrade: bool,
    /// The gate says so. (Not while a synchronous call of the same thread goes first.)
    claimed: bool,
}

pub(crate) struct Pending {
    requests: VecDeque<Request>,
    drain: Option<Drain>,
    /// The synchronous request that goes before all others: its thread can do nothing else meanwhile.
    sync: Option<RequestId>,
    /// What the slot's word says.
    published: Option<(u64, Mode)>,
    /// The queue was closed for it since it was published.
    closed: bool,
    settled: Vec<(RequestId, Outcome)>,
    last_id: RequestId,
    /// No deadline lies before this.
    next_deadline: u64,
    /// When the reads that may be nested are let in, and the patience with the next ones.
    nested_at: Option<u64>,
    nested_grace: u64,
}

impl Default for Pending {
    fn default() -> Self {
        Self {
            requests: VecDeque::new(),
            drain: None,
            sync: None,
            published: None,
            closed: false,
            settled: Vec::new(),
            last_id: 0,
            next_deadline: u64::MAX,
            nested_at: None,
            nested_grace: NESTED_READ_GRACE,
        }
    }
}

impl Attachment {
    /// Asks for the lock. Follow it with [`Attachment::poll`].
    pub fn request(&self, mode: Mode, options: WaitOptions) -> RequestId {
        let pending = &mut *self.pending.borrow_mut();
        let request = self.new_request(pending, mode, options);
        pending.requests.push_back(request);
        self.store_pending(pending);
        request.id
    }

    /// Asks for the upgradable hold of this attachment to become a write hold. Readers may still leave; none comes in.
    /// Follow it with [`Attachment::poll`]. `None` if there is no such hold, or it is being upgraded already.
    pub fn request_upgrade(&self, options: WaitOptions) -> Option<RequestId> {
        let pending = &mut *self.pending.borrow_mut();
        if self.exclusive.get() != Some(Mode::Upgradable) {
            return None;
        }
        match pending.drain.take_if(|drain| !drain.upgrade) {
            // A writer that was passed over, and does not know: else the hold would not be ours.
            Some(passed) => pending.requests.push_front(passed.request),
            None if pending.drain.is_some() => return None,
            None => {}
        }
        let request = self.new_request(pending, Mode::Write, options);
        pending.drain = Some(Drain { request, upgrade: true, claimed: false });
        Some(request.id)
    }

    fn new_request(&self, pending: &mut Pending, mode: Mode, options: WaitOptions) -> Request {
        let since = park::now();
        pending.last_id = pending.last_id.wrapping_add(1).max(1);
        pending.next_deadline = pending.next_deadline.min(options.deadline);
        crash_point!(take_ticket);
        let ticket = self.segment.tickets().next.fetch_add(1, SeqCst);
        Request {
            id: pending.last_id,
            mode,
            ticket: Queued::new(mode, 0, ticket).ticket(), // cut to what the word holds
            since,
            deadline: options.deadline,
            close_at: since.saturating_add(options.fairness),
        }
    }

    /// Withdraws a request, wherever it is. Returns whether it was still waiting. Follow it with [`Attachment::poll`].
    pub fn cancel(&self, id: RequestId) -> bool {
        let pending = &mut *self.pending.borrow_mut();
        if pending.drain.as_ref().is_some_and(|drain| drain.request.id == id) {
            self.cancel_drain(pending);
            return true;
        }
        let Some(place) = pending.requests.iter().position(|request| request.id == id) else { return false };
        pending.requests.remove(place);
        self.store_pending(pending);
        true
    }

    /// Withdraws every request, and says which there were.
    #[must_use]
    pub fn withdraw_all(&self) -> Vec<RequestId> {
        let pending = &mut *self.pending.borrow_mut();
        let mut withdrawn: Vec<_> = pending.drain.iter().map(|drain| drain.request.id).collect();
        self.cancel_drain(pending);
        withdrawn.extend(pending.requests.drain(..).map(|request| request.id));
        self.publish_head(pending);
        self.store_pending(pending);
        withdrawn
    }

    /// Requests of this attachment that wait.
    #[must_use]
    pub fn pending(&self) -> usize {
        let pending = self.pending.borrow();
        pending.requests.len() + usize::from(pending.drain.is_some())
    }

    /// Takes what was settled since the last call, in order.
    #[must_use]
    pub fn take_settled(&self) -> Vec<(RequestId, Outcome)> {
        std::mem::take(&mut self.pending.borrow_mut().settled)
    }

    /// When [`Attachment::poll`] is due at the latest; `u64::MAX`: only when woken.
    #[must_use]
    pub fn next_poll(&self, now: u64) -> u64 {
        let pending = self.pending.borrow();
        let head = pending.requests.front().map_or(u64::MAX, |head| head.close_at);
        let close_at = if head > now { head } else { u64::MAX };
        pending.next_deadline.min(close_at).min(pending.nested_at.unwrap_or(u64::MAX))
    }

    /// Takes every step that can be taken now, without waiting.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`]: something else wrote into the lock's memory. The requests stay.
    pub fn poll(&self, now: u64) -> Result<()> {
        let pending = &mut *self.pending.borrow_mut();
        self.check_gate(pending)?;
        park::take_wake(&self.slot().waiting.wake);
        let mut put_back = 0;
        loop {
            self.continue_drain(pending)?;
            while let Some(head) = pending.requests.pop_front() {
                if pending.sync.is_some_and(|id| id != head.id) || !self.grant_in_turn(pending, head)? {
                    pending.requests.push_front(head);
                    break;
                }
            }
            self.expire(pending, now);
            self.admit_nested(pending, now);
            // What was released before the publication was not told to us: look once more. But who overwrites our word all the
            // time does not keep us here.
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
        self.store_pending(pending);
        Ok(())
    }

    /// Fails if the gate says what cannot be. That we have it and do not know is such a thing: nobody would ever free it.
    fn check_gate(&self, pending: &Pending) -> Result<()> {
        crash_point!(poll_load);
        let gate = self.segment.load_gate();
        match self.segment.gate_owner(gate)? {
            Some(owner) if owner == self.index => {}
            // (Who has died meanwhile leaves it to whoever comes.)
            Some(owner) if self.has_found_damage(gate) && !self.segment.recover(owner) => {
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
        pending.settled.push((id, outcome));
    }

    /// Grants `head` if it is its turn and the lock is free for it; a writer then still has to drain.
    fn grant_in_turn(&self, pending: &mut Pending, head: Request) -> Result<bool> {
        if self.segment.ahead_of(self.index, head.mode, Some(head.ticket)).is_some() {
            return Ok(false);
        }
        let granted = match head.mode {
            Mode::Read => self.read_in_turn(),
            Mode::Upgradable => self.claim_gate(Hold::Upgradable, Gate::is_free),
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
                self.slot().exclusive_since.store(park::shared(head.since), Relaxed); // it waits still
                pending.drain = Some(Drain { request: head, upgrade: false, claimed: true });
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
            return Err(self.gate_lost_error(gate));
        }
        if drain.claimed && !gate.is_drained_by(self.index) {
            // It took us too long to come, and the others went past.
            drain.claimed = false;
            if !drain.upgrade {
                pending.drain = None;
                pending.requests.push_front(request);
                return Ok(());
            }
        }
        if !drain.claimed {
            drain.claimed = true;
            crash_point!(drain_since);
            self.slot().waiting.since.store(park::shared(request.since), Relaxed);
            self.claim_upgrade();
        }
        if self.reads.get() == 0 && self.segment.find_other_reader(self.index).is_none() && self.claim_drained() {
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
        if pending.drain.take().is_some_and(|drain| drain.claimed) {
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
        let mut late = Vec::new();
        pending.requests.retain(|request| {
            let keep = request.deadline > now;
            if keep {
                next = next.min(request.deadline);
            } else {
                late.push(request.id);
            }
            keep
        });
        for id in late {
            Self::settle(pending, id, Outcome::TimedOut);
        }
        pending.next_deadline = next;
    }

    /// See [`NESTED_READ_GRACE`].
    fn admit_nested(&self, pending: &mut Pending, now: u64) {
        let shares =
            self.reads.get() != 0 || (self.exclusive.get() == Some(Mode::Upgradable) && pending.drain.is_none());
        if !shares {
            pending.nested_grace = NESTED_READ_GRACE;
        }
        if !shares || !pending.requests.iter().any(|request| request.mode == Mode::Read) {
            pending.nested_at = None;
            return;
        }
        if now < *pending.nested_at.get_or_insert(now.saturating_add(pending.nested_grace)) {
            return;
        }
        pending.nested_at = None;
        pending.nested_grace = pending.nested_grace.saturating_mul(2);
        let mut admitted = Vec::new();
        pending.requests.retain(|request| {
            // Where this attachment reads, no writer is inside, nor can one come in: one reader more changes nothing.
            let admit = request.mode == Mode::Read
                && (if self.reads.get() != 0 { self.join_readers() } else { self.read_in_turn() });
            if admit {
                admitted.push(request.id);
            }
            !admit
        });
        for id in admitted {
            Self::settle(pending, id, Outcome::Granted);
        }
    }

    /// Makes the published request the first of ours. Returns whether that publishes one anew.
    fn publish_head(&self, pending: &mut Pending) -> bool {
        let word = &self.slot().waiting;
        let head = pending.requests.front().copied();
        let publish = head.map(|head| (head.ticket, head.mode));
        if publish == pending.published {
            crash_point!(publish_load);
            let published = Queued(word.queued.load(SeqCst));
            let own = head.map_or(Queued::NONE, |head| Queued::new(head.mode, self.generation, head.ticket));
            if published == own.with_skips_of(published) {
                return false;
            }
            pending.closed = false;
            crash_point!(publish_back);
            // We were passed over and are here after all, or something else wrote here.
            word.queued.store(own.with_skips_of(published).0, SeqCst);
            return true;
        }
        pending.published = publish;
        pending.closed = false;
        if let Some(head) = head {
            crash_point!(publish_times);
            word.overdue.store(0, Relaxed);
            word.since.store(park::shared(head.since), Relaxed);
            crash_point!(publish);
            word.queued.store(Queued::new(head.mode, self.generation, head.ticket).0, SeqCst);
            crash_point!(join_queue);
            // After the publication: a clearing of the queue that missed it fails on the new sequence.
            self.segment.change_gate(|gate| Some(gate.with_waiting()));
        } else {
            crash_point!(leave_queue);
            word.queued.store(Queued::NONE.0, SeqCst);
        }
        self.segment.wake_next(Some(self.index));
        head.is_some()
    }

    /// Closes the queue to newcomers if they have overtaken our first request for long enough. Also if somebody is ahead of
    /// it: he may be stopped, and as long as newcomers keep the lock busy nobody sees that he does not come.
    ///
    /// That its time has come is said in its slot: clocks differ from process to process. Who has not seen that, and is about to
    /// reopen the queue, fails since the gate is changed.
    fn close_queue(&self, pending: &mut Pending, now: u64) {
        if let Some(head) = pending.requests.front()
            && now >= head.close_at
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

    fn store_pending(&self, pending: &Pending) {
        let count = pending.requests.len() + usize::from(pending.drain.is_some());
        crash_point!(store_pending);
        self.slot().waiting.pending.store(count as u32, Relaxed);
    }

    /// Takes the lock, blocking this thread, before every other request of this attachment. `interrupted` is asked every
    /// few milliseconds whether to give up.
    ///
    /// # Errors
    /// [`ErrorKind::Deadlock`] if only this thread could make way; [`ErrorKind::Timeout`]; [`ErrorKind::Interrupted`];
    /// [`ErrorKind::Corrupt`].
    pub fn wait(&self, mode: Mode, options: WaitOptions, interrupted: impl FnMut() -> bool) -> Result<()> {
        self.segment.check_not_forked()?;
        let held = self.exclusive.get();
        let shares = self.reads.get() != 0;
        let conflicts = match mode {
            Mode::Read => held == Some(Mode::Write),
            Mode::Upgradable => held.is_some(),
            Mode::Write => held.is_some() || shares,
        };
        if conflicts {
            return Err(self.deadlock(mode));
        }
        if mode == Mode::Read && (shares || held.is_some()) {
            // No writer is inside; waiting behind one who waits for us would last for good.
            self.pause_drain(&mut self.pending.borrow_mut());
            return if shares { self.join_readers() } else { self.read_in_turn() }
                .then_some(())
                .ok_or_else(|| self.gate_lost_error(self.segment.load_gate()));
        }
        let id = self.request_first(mode, options);
        self.block(id, mode, false, options.deadline, interrupted)
    }

    /// As [`Attachment::request_upgrade`], blocking this thread.
    ///
    /// # Errors
    /// [`ErrorKind::Deadlock`] if there is no upgradable hold to upgrade, or this thread also reads; else as
    /// [`Attachment::wait`].
    pub fn wait_upgrade(&self, options: WaitOptions, interrupted: impl FnMut() -> bool) -> Result<()> {
        self.segment.check_not_forked()?;
        if self.reads.get() != 0 {
            return Err(self.deadlock(Mode::Write));
        }
        let id = self.request_upgrade(options).ok_or_else(|| self.deadlock(Mode::Write))?;
        self.block(id, Mode::Write, true, options.deadline, interrupted)
    }

    fn block(
        &self,
        id: RequestId,
        mode: Mode,
        is_upgrade: bool,
        deadline: u64,
        interrupted: impl FnMut() -> bool,
    ) -> Result<()> {
        let doorbell = self.mute();
        let end = self.sleep_until_settled(id, (mode, is_upgrade), deadline, interrupted);
        self.unmute(doorbell);
        end
    }

    fn sleep_until_settled(
        &self,
        id: RequestId,
        (mode, is_upgrade): (Mode, bool),
        deadline: u64,
        mut interrupted: impl FnMut() -> bool,
    ) -> Result<()> {
        let mut peer_check = self.peer_check();
        let start = park::now();
        peer_check.begin(start);
        let end = loop {
            let now = park::now();
            if let Err(error) = self.poll(now) {
                break Err(error);
            }
            if let Some(outcome) = self.take_outcome(id) {
                return match outcome {
                    Outcome::Granted => Ok(()),
                    Outcome::TimedOut => Err(self.timeout(mode, is_upgrade, deadline.saturating_sub(start))),
                };
            }
            if interrupted() {
                break Err(Error::new(ErrorKind::Interrupted, "the wait was interrupted"));
            }
            let until = self.next_poll(now).min(peer_check.next);
            park::wait_for_news(&self.slot().waiting.wake, until);
            let now = park::now();
            if now >= peer_check.next {
                peer_check.check(now, 1);
            }
        };
        self.pending.borrow_mut().sync = None;
        self.cancel(id);
        self.poll(park::now())?;
        end
    }

    fn take_outcome(&self, id: RequestId) -> Option<Outcome> {
        let settled = &mut self.pending.borrow_mut().settled;
        let place = settled.iter().position(|(settled, _)| *settled == id)?;
        Some(settled.remove(place).1)
    }

    /// Puts a request before all others of this attachment. A writer of ours that drains gives way: its thread is here.
    fn request_first(&self, mode: Mode, options: WaitOptions) -> RequestId {
        let pending = &mut *self.pending.borrow_mut();
        self.pause_drain(pending);
        let mut request = self.new_request(pending, mode, options);
        if let Some(first) = pending.requests.front() {
            request.ticket = first.ticket; // it takes that one's place
        }
        pending.requests.push_front(request);
        pending.sync = Some(request.id);
        request.id
    }

    fn pause_drain(&self, pending: &mut Pending) {
        let Some(mut drain) = pending.drain.take() else { return };
        if std::mem::take(&mut drain.claimed) {
            self.abort_drain();
        }
        if drain.upgrade {
            pending.drain = Some(drain);
        } else {
            pending.requests.push_front(drain.request);
        }
    }

    fn deadlock(&self, mode: Mode) -> Error {
        let held = match self.exclusive.get() {
            Some(held) => held.name(),
            None => Mode::Read.name(),
        };
        Error::new(
            ErrorKind::Deadlock,
            format!(
                "deadlock: this very thread already holds {} for {held} and would block on itself for {}: release first, use \
                 an upgradable hold, or wait without blocking",
                self.segment.location,
                mode.name()
            ),
        )
    }

    fn timeout(&self, mode: Mode, is_upgrade: bool, timeout: u64) -> Error {
        Error::new(ErrorKind::Timeout, self.explain_timeout(mode, is_upgrade, timeout).0)
    }

    /// What to say if a request, or the upgrade of a hold, was not granted in `timeout` ns: what is in the way. With it what
    /// the lock looked like when that was found out.
    #[must_use]
    pub fn explain_timeout(&self, mode: Mode, is_upgrade: bool, timeout: u64) -> (String, Snapshot) {
        let ms = timeout.saturating_add(500_000) / 1_000_000;
        let in_time = if ms == 0 { "at once".into() } else { format!("within {ms} ms") };
        let seen = self.inspect();
        let (place, blockers) = (&self.segment.location, seen.blockers_text(mode, is_upgrade, timeout / 1_000_000));
        let text = if is_upgrade {
            format!("the upgradable hold of {place} did not become a write hold {in_time}: {blockers}")
        } else {
            format!("{place} was not granted for {} {in_time}: {blockers}", mode.name())
        };
        (text, seen)
    }
}
