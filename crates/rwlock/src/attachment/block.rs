//! Waits that block their thread, and their errors.

use super::Attachment;
use super::pending::{Outcome, Pending, RequestId};
use super::snapshot::Snapshot;
use crate::error::{Error, ErrorKind, Result};
use crate::options::WaitOptions;
use crate::protocol::recovery::MAX_REPAIRS;
use crate::protocol::slot::Mode;
use crate::protocol::wake;
use crate::sys::park;

impl Attachment {
    /// Takes the lock, blocking this thread, before every other request of this attachment.
    /// `interrupted` is called every few milliseconds; `true` ends the wait.
    ///
    /// # Errors
    /// [`ErrorKind::Deadlock`] if only this thread could release the lock; [`ErrorKind::Timeout`];
    /// [`ErrorKind::Interrupted`]; [`ErrorKind::Corrupt`].
    pub fn wait(&self, mode: Mode, options: WaitOptions, interrupted: impl FnMut() -> bool) -> Result<()> {
        self.wait_labelled(mode, options, None, interrupted)
    }

    /// Like [`Attachment::wait`], with a label of its own, which is shown while it waits.
    ///
    /// # Errors
    /// As [`Attachment::wait`].
    pub fn wait_labelled(
        &self,
        mode: Mode,
        options: WaitOptions,
        label: Option<&str>,
        interrupted: impl FnMut() -> bool,
    ) -> Result<()> {
        self.segment.check_not_forked()?;
        let held = self.exclusive.get();
        let shares = self.reads() != 0;
        let conflicts = match mode {
            Mode::Read => held == Some(Mode::Write),
            Mode::Upgradable => held.is_some(),
            Mode::Write => held.is_some() || shares,
        };
        if conflicts {
            return Err(self.deadlock(mode));
        }
        if mode == Mode::Read && self.has_all_reads() {
            return Err(self.all_reads_are_own());
        }
        if mode == Mode::Read && (shares || held.is_some()) && !options.in_turn {
            // No writer holds the lock. Waiting behind a writer that waits for us would never end.
            self.pause_drain(&mut self.pending.borrow_mut());
            if if shares { self.join_readers() } else { self.read_in_turn() } {
                return Ok(());
            }
            if !self.is_limited() {
                return Err(self.segment.gate_lost_error(self.segment.load_gate()));
            }
        }
        let id = self.request_first(mode, options);
        if let Some(label) = label {
            self.label_request(id, label);
        }
        self.block(id, mode, false, options, interrupted)
    }

    /// Like [`Attachment::request_upgrade`], but blocks this thread.
    ///
    /// # Errors
    /// [`ErrorKind::Deadlock`] if there is no upgradable hold to upgrade, or if this thread also
    /// reads; otherwise as [`Attachment::wait`].
    pub fn wait_upgrade(&self, options: WaitOptions, interrupted: impl FnMut() -> bool) -> Result<()> {
        self.segment.check_not_forked()?;
        if self.reads() != 0 {
            return Err(self.deadlock(Mode::Write));
        }
        let id = self.request_upgrade(options).ok_or_else(|| self.deadlock(Mode::Write))?;
        self.block(id, Mode::Write, true, options, interrupted)
    }

    fn block(
        &self,
        id: RequestId,
        mode: Mode,
        is_upgrade: bool,
        options: WaitOptions,
        interrupted: impl FnMut() -> bool,
    ) -> Result<()> {
        let doorbell = self.mute();
        let end = self.sleep_until_settled(id, (mode, is_upgrade), options, interrupted);
        self.unmute(doorbell);
        end
    }

    fn sleep_until_settled(
        &self,
        id: RequestId,
        (mode, is_upgrade): (Mode, bool),
        options: WaitOptions,
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
                    Outcome::TimedOut => Err(self.timeout(mode, is_upgrade, options.deadline.saturating_sub(start))),
                };
            }
            let may_be_nested = mode == Mode::Upgradable || (mode == Mode::Read && options.in_turn);
            if may_be_nested && self.waits_for_itself() {
                break Err(self.deadlock_in_turn(mode));
            }
            if interrupted() {
                break Err(Error::new(ErrorKind::Interrupted, "the wait was interrupted"));
            }
            let until = self.next_poll(now).min(peer_check.next);
            wake::wait_for_news(&self.slot().waiting.wake, until);
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

    /// Whether what comes before the first request, for which this thread waits, waits for a hold of
    /// this thread. (The request is a read; or for the upgradable hold, by a thread that reads.)
    fn waits_for_itself(&self) -> bool {
        if self.reads() == 0 && self.exclusive.get().is_none() {
            return false;
        }
        let ticket = self.pending.borrow().requests.front().map(|request| request.ticket);
        for _ in 0..MAX_REPAIRS {
            crash_point!(itself_load);
            let gate = self.segment.load_gate();
            let blocker = if self.exclusive.get().is_some() {
                let Some((slot, _)) = self.segment.queue().ahead_of(self.index, Mode::Read, ticket) else {
                    return false;
                };
                slot
            } else if gate.is_drained_by(gate.owner()) && !self.segment.is_in_try(gate.owner()) {
                gate.owner()
            } else {
                return false; // what comes before it does not wait for readers, or comes here soon
            };
            if !self.segment.recovery().recover(blocker) {
                return true;
            }
        }
        false
    }

    pub(super) fn take_outcome(&self, id: RequestId) -> Option<Outcome> {
        let settled = &mut self.pending.borrow_mut().settled;
        let position = settled.iter().position(|(settled, _)| *settled == id)?;
        Some(settled.remove(position).1)
    }

    /// Puts a request before all others of this attachment: its thread blocks, and could not use
    /// what those would get. They give way, a draining writer too, and get their places in the
    /// queue back afterwards. Among the requests of other attachments it has its own place.
    pub(super) fn request_first(&self, mode: Mode, options: WaitOptions) -> RequestId {
        let pending = &mut *self.pending.borrow_mut();
        self.pause_drain(pending);
        let request = self.new_request(pending, mode, options);
        pending.requests.push_front(request);
        pending.sync = Some(request.id);
        request.id
    }

    fn pause_drain(&self, pending: &mut Pending) {
        let Some(mut drain) = pending.drain.take() else { return };
        let claimed = std::mem::take(&mut drain.claimed);
        if drain.upgrade {
            pending.drain = Some(drain);
        } else {
            pending.requests.insert(drain.request);
            // Before the gate is free: a later request of another attachment must not get it.
            self.publish_head(pending);
        }
        if claimed {
            self.abort_drain();
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
                "deadlock: this thread already holds {} for {held} and would block on itself for {}: release it first, \
                 use an upgradable hold, or wait without blocking",
                self.segment.location,
                mode.name()
            ),
        )
    }

    fn deadlock_in_turn(&self, mode: Mode) -> Error {
        let remedy = if mode == Mode::Read { ", or let nested reads in" } else { "" };
        Error::new(
            ErrorKind::Deadlock,
            format!(
                "deadlock: a request for {} comes before this one for {}, and waits for the hold that this thread already \
                 has: release it first, or use the existing guard{remedy}",
                self.segment.location,
                mode.name()
            ),
        )
    }

    fn timeout(&self, mode: Mode, is_upgrade: bool, timeout: u64) -> Error {
        Error::new(ErrorKind::Timeout, self.explain_timeout(mode, is_upgrade, timeout).0)
    }

    /// The message for a request, or an upgrade, that was not granted within `timeout` ns: it names
    /// the blockers. Also the snapshot that the message describes.
    #[must_use]
    pub fn explain_timeout(&self, mode: Mode, is_upgrade: bool, timeout: u64) -> (String, Snapshot) {
        let ms = timeout.saturating_add(500_000) / 1_000_000;
        let in_time = if ms == 0 { "immediately".into() } else { format!("within {ms} ms") };
        let seen = self.inspect();
        let (lock, blockers) = (&self.segment.location, seen.blockers_text(mode, is_upgrade, timeout / 1_000_000));
        let text = if is_upgrade {
            format!("the upgradable hold of {lock} did not become a write hold {in_time}: {blockers}")
        } else {
            format!("{lock} was not granted for {} {in_time}: {blockers}", mode.name())
        };
        (text, seen)
    }
}
