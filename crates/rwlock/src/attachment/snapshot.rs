//! Looking at a lock: who holds it, who waits, who died inside. For people; the answer is old when it arrives.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;

use crate::attachment::{Attachment, LockRef};
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::gate::{Gate, Hold};
use crate::protocol::slot::{Mode, Queued, Reads, place_of};
use crate::shm::layout::{Label, Slot};
use crate::shm::{self, LockLocation, Segment};
use crate::sync::InfoU64;
use crate::sys::park;

/// A writer whose hold ended without release: what the lock protects may be half-written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerDied {
    /// Process id, as its own pid namespace counts.
    pub pid: u32,
    /// The number its thread gave itself.
    pub thread: u32,
    /// What its hold was called, or else its attachment.
    pub label: String,
    /// The fencing token of the hold.
    pub token: u64,
}

/// One attachment that holds the lock, or waits for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participant {
    /// Process id, as its own pid namespace counts.
    pub pid: u32,
    /// The number its thread gave itself.
    pub thread: u32,
    /// What it holds or waits for.
    pub mode: Mode,
    /// How many holds, or waiting requests.
    pub count: u32,
    /// What the hold is called, or else the attachment.
    pub label: String,
    /// How long it has held or waited, in ms, 1 at least. 0: not known, since the hold was not stamped.
    pub ms: u64,
    /// Whether it is the attachment that looked.
    pub is_own: bool,
}

/// What a lock looks like at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The lock's name, if it was opened by name.
    pub name: Option<String>,
    /// Its path, if it was opened by path.
    pub path: Option<PathBuf>,
    /// Attachments it can hold.
    pub capacity: u32,
    /// The last fencing token handed out.
    pub token: u64,
    /// Who holds it.
    pub holders: Vec<Participant>,
    /// Who waits for it, longest first.
    pub waiters: Vec<Participant>,
    /// The writer whose hold ended without release, until one ends whole.
    pub owner_died: Option<OwnerDied>,
}

impl Attachment {
    /// Who holds the lock, who waits, who died inside.
    #[must_use]
    pub fn inspect(&self) -> Snapshot {
        self.segment.snapshot(self.index)
    }

    /// The writer whose hold ended without release, if none has ended whole since. Meant for holders.
    #[must_use]
    pub fn owner_died(&self) -> Option<OwnerDied> {
        crash_point!(died_load);
        self.segment.owner_died(self.segment.load_gate())
    }
}

/// Every named lock of this user, each as it was at one moment. What is no valid lock, since something else wrote into its record
/// or its memory, is left out, and so are locks of other versions of this crate.
///
/// # Errors
/// [`ErrorKind::Access`] if one of them cannot be looked at: too many open files, no memory. There is no list then, rather than one
/// that lacks some.
pub fn list() -> Result<Vec<Snapshot>> {
    shm::named::each(|segment| segment.snapshot(usize::MAX))
}

/// Removes a lock, with what it remembers. `false` if there is none. For a path it removes the file: a symbolic link that leads to
/// it stays, and leads nowhere; other hard links of the file stay, and are the lock still.
///
/// # Errors
/// [`ErrorKind::Busy`] while somebody is attached, or if another process was stopped while it removed the same file; the errors of
/// [`Attachment::open`].
pub fn remove(lock: LockRef<'_>) -> Result<bool> {
    match lock {
        LockRef::Name(name) => shm::named::remove(name),
        LockRef::Path(path) => shm::file::remove(path),
    }
}

/// Removes the named locks of this user that dead processes left and nobody has open, and returns how many those were. The first
/// lock that a process opens does so too, for a few milliseconds.
///
/// Those whose writer died stay, to report that to whoever opens them next, unless `owner_died` is set. Locks with a random name
/// (see [`crate::Options::anonymous`]) do not stay either way.
///
/// # Errors
/// [`ErrorKind::Access`] if one of them cannot be looked at or removed.
pub fn prune(owner_died: bool) -> Result<usize> {
    shm::sweep::prune(owner_died)
}

impl Segment {
    /// It cannot be removed now.
    pub(crate) fn in_use(&self) -> Error {
        crash_point!(in_use_load);
        let users: Vec<String> = self.attached().map(|slot| slot.waiting.pid.load(Relaxed).to_string()).collect();
        let users = if users.is_empty() { "another process".into() } else { format!("process {}", users.join(", ")) };
        Error::new(ErrorKind::Busy, format!("{} is open in {users}: close it there first", self.location))
    }

    fn attached(&self) -> impl Iterator<Item = &Slot> {
        let slots = self.used_slots().iter().enumerate();
        slots.filter(|(index, slot)| slot.waiting.pid.load(Relaxed) != 0 && self.is_alive(*index)).map(|(_, slot)| slot)
    }

    fn snapshot(&self, me: usize) -> Snapshot {
        self.recover_for_inspection(me);
        let now = park::shared(park::now());
        let next = self.tickets().next.load(Relaxed);
        crash_point!(inspect_gate);
        let gate = self.load_gate();
        let (mut holders, mut waiters) = (Vec::new(), Vec::new());
        for (index, slot) in self.used_slots().iter().enumerate() {
            crash_point!(inspect_reads);
            let count = Reads(slot.reads.load(Relaxed)).count();
            if count != 0 {
                holders.push(Participant { is_own: index == me, ..holder(slot, Mode::Read, count, now) });
            }
            let pending = slot.waiting.pending.load(Relaxed).max(1);
            let own = |party| Participant { is_own: index == me, ..party };
            if gate.is_owned_by(index) {
                match gate.hold() {
                    Some(Hold::Writing) => holders.push(own(holder(slot, Mode::Write, 1, now))),
                    Some(Hold::Upgradable) => holders.push(own(holder(slot, Mode::Upgradable, 1, now))),
                    Some(Hold::Upgrading) => {
                        holders.push(own(holder(slot, Mode::Upgradable, 1, now)));
                        waiters.push((0, own(waiter(slot, Mode::Write, 1, &slot.waiting.since, now))));
                    }
                    Some(Hold::Draining) => {
                        waiters.push((0, own(waiter(slot, Mode::Write, pending, &slot.exclusive_since, now))));
                        continue;
                    }
                    _ => {}
                }
            }
            crash_point!(inspect_queued);
            let queued = Queued(slot.waiting.queued.load(Relaxed));
            if let Some(mode) = queued.mode() {
                let place = place_of(queued.ticket(), next);
                waiters.push((place, own(waiter(slot, mode, pending, &slot.waiting.since, now))));
            }
        }
        waiters.sort_by_key(|(place, _)| *place);
        let (name, path) = match &self.location {
            LockLocation::Named { name, .. } => (Some(name.clone()), None),
            LockLocation::File { path } => (None, Some(path.clone())),
        };
        Snapshot {
            name,
            path,
            capacity: self.capacity(),
            token: self.gate().last_token.load(Relaxed),
            holders,
            waiters: waiters.into_iter().map(|(_, waiter)| waiter).collect(),
            owner_died: self.owner_died(gate),
        }
    }

    fn owner_died(&self, gate: Gate) -> Option<OwnerDied> {
        let slot = self.slots().get(gate.died()?)?;
        crash_point!(inspect_died);
        Some(OwnerDied {
            pid: slot.waiting.pid.load(Relaxed),
            thread: slot.waiting.thread.load(Relaxed),
            label: label(slot, &slot.exclusive_label),
            token: slot.token.load(Relaxed),
        })
    }
}

/// What a hold is called, or else its attachment.
fn label(slot: &Slot, of_hold: &Label) -> String {
    Some(of_hold.load()).filter(|label| !label.is_empty()).unwrap_or_else(|| slot.waiting.label.load())
}

fn holder(slot: &Slot, mode: Mode, count: u32, now: u64) -> Participant {
    let (since, of_hold) = match mode {
        Mode::Read => (&slot.read_since, &slot.read_label),
        _ => (&slot.exclusive_since, &slot.exclusive_label),
    };
    party(slot, mode, count, label(slot, of_hold), since.load(Relaxed), now)
}

fn waiter(slot: &Slot, mode: Mode, count: u32, since: &InfoU64, now: u64) -> Participant {
    party(slot, mode, count, slot.waiting.label.load(), since.load(Relaxed), now)
}

fn party(slot: &Slot, mode: Mode, count: u32, label: String, since: u64, now: u64) -> Participant {
    crash_point!(inspect_identity);
    Participant {
        pid: slot.waiting.pid.load(Relaxed),
        thread: slot.waiting.thread.load(Relaxed),
        mode,
        count,
        label,
        ms: if since == 0 || now == 0 { 0 } else { (now.saturating_sub(since) / 1_000_000).max(1) },
        is_own: false,
    }
}

impl Mode {
    /// Whether a request with this mode cannot be granted beside a hold with `held`.
    fn conflicts_with(self, held: Self) -> bool {
        match self {
            Self::Read => held == Self::Write,
            Self::Upgradable => held != Self::Read,
            Self::Write => true,
        }
    }

    /// The mode's name in messages and in the Node API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Upgradable => "upgradable",
            Self::Write => "write",
        }
    }
}

/// Holders that a message names; of more it gives the number.
const MAX_NAMED: usize = 5;

impl Snapshot {
    /// Who holds the lock, in words: "held for write by pid 4711 ('rebuild') for 42 s". Names a few, the longest first.
    #[must_use]
    pub fn holders_text(&self) -> String {
        held_text(&self.holders.iter().collect::<Vec<_>>()).unwrap_or_else(|| match self.waiters.first() {
            Some(first) => format!("nobody holds it, but {} is first in the queue", process_text(first)),
            None => "nobody holds it now".into(),
        })
    }

    /// What keeps a request of the attachment that looked from being granted, in words, and what to do if it is that
    /// attachment itself. `waited`: for how long it has waited, in ms.
    pub(crate) fn blockers_text(&self, wanted: Mode, is_upgrade: bool, waited: u64) -> String {
        let upgrades = |holder: &Participant| is_upgrade && holder.is_own && holder.mode == Mode::Upgradable;
        let others: Vec<_> = self.holders.iter().filter(|holder| !upgrades(holder)).collect();
        let blockers: Vec<_> = others.iter().copied().filter(|holder| wanted.conflicts_with(holder.mode)).collect();
        if let Some(held) = held_text(&blockers) {
            return held + own_hold_text(&blockers, wanted, is_upgrade);
        }
        let ahead: Vec<_> = self
            .waiters
            .iter()
            .filter(|waiter| {
                !waiter.is_own && waiter.ms >= waited && (wanted != Mode::Read || waiter.mode != Mode::Read)
            })
            .collect();
        let Some(mut text) = parties_text(&ahead, |mode| format!("{} is waited for first by", mode.name())) else {
            return self.holders_text();
        };
        if let Some(held) = held_text(&others) {
            let _ = write!(text, "; {held}{}", own_hold_text(&others, wanted, is_upgrade));
        }
        text
    }
}

/// The advice if one of `holders` is the attachment that waits.
fn own_hold_text(holders: &[&Participant], wanted: Mode, is_upgrade: bool) -> &'static str {
    let Some(own) = holders.iter().find(|holder| holder.is_own) else { return "" };
    match own.mode {
        _ if is_upgrade => {
            ". The read hold of this very thread cannot be released while the code that has it waits for the upgrade: \
             release it first"
        }
        Mode::Read if wanted == Mode::Write => {
            ". The hold of this very thread cannot be released while the code that has it waits here: release it first, or \
             take an upgradable hold instead and upgrade it"
        }
        _ => {
            ". The hold of this very thread cannot be released while the code that has it waits here: release it first, or \
             use the guard that is there already"
        }
    }
}

fn held_text(holders: &[&Participant]) -> Option<String> {
    parties_text(holders, |mode| format!("held for {} by", mode.name()))
}

/// Each of `parties` after what `says` of its mode; the asking attachment first, then the longest. `None`: there is none.
fn parties_text(parties: &[&Participant], says: impl Fn(Mode) -> String) -> Option<String> {
    let mut parties = parties.to_vec();
    parties.sort_by_key(|party| (!party.is_own, std::cmp::Reverse(party.ms)));
    let mut text = String::new();
    let mut said = None;
    for party in parties.iter().take(MAX_NAMED) {
        if !text.is_empty() {
            text.push_str(", ");
        }
        if said != Some(party.mode) {
            said = Some(party.mode);
            text += &says(party.mode);
            text.push(' ');
        }
        text += &party_text(party);
    }
    match parties.len().saturating_sub(MAX_NAMED) {
        0 => {}
        1 => text.push_str(" and one other"),
        more => _ = write!(text, " and {more} others"),
    }
    said.map(|_| text)
}

fn party_text(party: &Participant) -> String {
    let mut text = if party.is_own { "this very thread, ".into() } else { String::new() };
    text += &process_text(party);
    if !party.label.is_empty() {
        let _ = write!(text, " ('{}')", party.label.escape_debug());
    }
    let _ = match party.ms {
        0 => Ok(()),
        ms @ 1..1000 => write!(text, " for {ms} ms"),
        ms => write!(text, " for {} s", ms / 1000),
    };
    text
}

fn process_text(party: &Participant) -> String {
    match party.thread {
        0 => format!("pid {}", party.pid),
        thread => format!("pid {} thread {thread}", party.pid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn party(pid: u32, mode: Mode, ms: u64) -> Participant {
        Participant { pid, thread: 0, mode, count: 1, label: String::new(), ms, is_own: pid == 1 }
    }

    fn seen(holders: Vec<Participant>, waiters: Vec<Participant>) -> Snapshot {
        Snapshot { name: None, path: None, capacity: 9, token: 0, holders, waiters, owner_died: None }
    }

    #[test]
    fn every_blocker_is_named_and_of_many_the_number() {
        let read = |pid| party(pid, Mode::Read, u64::from(pid));
        let text = |count: u32| seen((2..2 + count).map(read).collect(), vec![]).blockers_text(Mode::Write, false, 0);
        assert_eq!(text(1), "held for read by pid 2 for 2 ms");
        assert_eq!(text(2), "held for read by pid 3 for 3 ms, pid 2 for 2 ms");
        assert!(text(6).ends_with("pid 3 for 3 ms and one other"), "{}", text(6));
        assert!(text(9).ends_with("pid 6 for 6 ms and 4 others"), "{}", text(9));
    }

    #[test]
    fn only_what_is_in_the_way_is_named_and_the_own_hold_first() {
        let seen = seen(
            vec![party(1, Mode::Upgradable, 1), party(2, Mode::Read, 7), party(1, Mode::Read, 2)],
            vec![party(3, Mode::Write, 50)],
        );
        let upgrade = seen.blockers_text(Mode::Write, true, 0);
        assert!(
            upgrade.starts_with("held for read by this very thread, pid 1 for 2 ms, pid 2 for 7 ms. The read hold of"),
            "{upgrade}"
        );
        let upgradable = seen.blockers_text(Mode::Upgradable, false, 0);
        assert!(
            upgradable.starts_with("held for upgradable by this very thread, pid 1 for 1 ms. The hold"),
            "{upgradable}"
        );
        let read = seen.blockers_text(Mode::Read, false, 20);
        assert!(
            read.starts_with("write is waited for first by pid 3 for 50 ms; held for read by this very thread, pid 1"),
            "{read}"
        );
        // It came later.
        assert!(seen.blockers_text(Mode::Read, false, 60).starts_with("held for "), "{read}");
    }
}
