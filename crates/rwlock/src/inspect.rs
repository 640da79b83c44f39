//! Looking at a lock: who holds it, who waits, who died inside. For people; the answer is old when it arrives.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;

use crate::attachment::{Attachment, LockRef};
use crate::error::{Error, ErrorKind, Result};
use crate::gate::{Gate, Hold};
use crate::layout::{Label, Slot};
use crate::park;
use crate::segment::{self, Place, Segment};
use crate::slot::{Mode, Queued, Reads};
use crate::sync::NoteU64;

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
pub struct Party {
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
    pub holders: Vec<Party>,
    /// Who waits for it, longest first.
    pub waiters: Vec<Party>,
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
        step!(died_look);
        self.segment.owner_died(self.segment.load_gate())
    }
}

/// Every named lock of this user.
#[must_use]
pub fn list() -> Vec<Snapshot> {
    segment::named::all().iter().map(|segment| segment.snapshot(usize::MAX)).collect()
}

/// Removes a lock, with what it remembers. `false` if there is none. For a path it removes the file: a symbolic link that leads to
/// it stays, and leads nowhere; other hard links of the file stay, and are the lock still.
///
/// # Errors
/// [`ErrorKind::Busy`] while somebody is attached; the errors of [`Attachment::open`].
pub fn remove(lock: LockRef<'_>) -> Result<bool> {
    let found = match lock {
        LockRef::Name(name) => segment::named::find(name)?,
        LockRef::Path(path) => segment::file::find(path)?,
    };
    let Some(segment) = found else { return Ok(false) };
    step!(remove_look);
    if segment.lock.is_in_use().map_err(|error| segment.place.refused("remove", "fcntl", error))? {
        let users: Vec<String> = segment.attached().map(|slot| slot.waiting.pid.load(Relaxed).to_string()).collect();
        return Err(Error::new(
            ErrorKind::Busy,
            format!("{} is open in process {}: close it there first", segment.place, users.join(", ")),
        ));
    }
    match segment.place.clone() {
        Place::Named { .. } => segment::named::retire(&segment),
        ref place @ Place::File { ref path } => {
            segment::file::remove(segment, path).map_err(|error| place.not_removed("unlink", error))?;
        }
    }
    Ok(true)
}

impl Segment {
    fn attached(&self) -> impl Iterator<Item = &Slot> {
        let slots = self.used_slots().iter().enumerate();
        slots.filter(|(index, slot)| slot.waiting.pid.load(Relaxed) != 0 && self.is_alive(*index)).map(|(_, slot)| slot)
    }

    fn snapshot(&self, me: usize) -> Snapshot {
        self.recover_all(me);
        let now = park::now();
        step!(inspect_gate);
        let gate = self.load_gate();
        let (mut holders, mut waiters) = (Vec::new(), Vec::new());
        for (index, slot) in self.used_slots().iter().enumerate() {
            step!(inspect_reads);
            let count = Reads(slot.reads.load(Relaxed)).count();
            if count != 0 {
                holders.push(holder(slot, Mode::Read, count, now));
            }
            let pending = slot.waiting.pending.load(Relaxed).max(1);
            if gate.is_owned_by(index) {
                match gate.hold() {
                    Some(Hold::Writing) => holders.push(holder(slot, Mode::Write, 1, now)),
                    Some(Hold::Upgradable) => holders.push(holder(slot, Mode::Upgradable, 1, now)),
                    Some(Hold::Upgrading) => {
                        holders.push(holder(slot, Mode::Upgradable, 1, now));
                        waiters.push((0, waiter(slot, Mode::Write, 1, &slot.waiting.since, now)));
                    }
                    Some(Hold::Draining) => {
                        waiters.push((0, waiter(slot, Mode::Write, pending, &slot.exclusive_since, now)));
                        continue;
                    }
                    _ => {}
                }
            }
            step!(inspect_queued);
            let queued = Queued(slot.waiting.queued.load(Relaxed));
            if let Some(mode) = queued.mode() {
                waiters.push((queued.ticket(), waiter(slot, mode, pending, &slot.waiting.since, now)));
            }
        }
        waiters.sort_by_key(|(ticket, _)| *ticket);
        let (name, path) = match &self.place {
            Place::Named { name, .. } => (Some(name.clone()), None),
            Place::File { path } => (None, Some(path.clone())),
        };
        Snapshot {
            name,
            path,
            capacity: self.capacity(),
            token: self.gate().fence.load(Relaxed),
            holders,
            waiters: waiters.into_iter().map(|(_, waiter)| waiter).collect(),
            owner_died: self.owner_died(gate),
        }
    }

    fn owner_died(&self, gate: Gate) -> Option<OwnerDied> {
        let slot = self.slots().get(gate.died()?)?;
        step!(inspect_died);
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

fn holder(slot: &Slot, mode: Mode, count: u32, now: u64) -> Party {
    let (since, of_hold) = match mode {
        Mode::Read => (&slot.read_since, &slot.read_label),
        _ => (&slot.exclusive_since, &slot.exclusive_label),
    };
    party(slot, mode, count, label(slot, of_hold), since.load(Relaxed), now)
}

fn waiter(slot: &Slot, mode: Mode, count: u32, since: &NoteU64, now: u64) -> Party {
    party(slot, mode, count, slot.waiting.label.load(), since.load(Relaxed), now)
}

fn party(slot: &Slot, mode: Mode, count: u32, label: String, since: u64, now: u64) -> Party {
    step!(inspect_identity);
    Party {
        pid: slot.waiting.pid.load(Relaxed),
        thread: slot.waiting.thread.load(Relaxed),
        mode,
        count,
        label,
        ms: if since == 0 { 0 } else { (now.saturating_sub(since) / 1_000_000).max(1) },
    }
}

impl Mode {
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

impl Snapshot {
    /// Who is in the way, in words: "held for write by pid 4711 ('rebuild') for 42 s".
    #[must_use]
    pub fn holders_text(&self) -> String {
        let Some(longest) = self.holders.iter().max_by_key(|holder| holder.ms) else {
            return match self.waiters.first() {
                Some(first) => format!("nobody holds it, but pid {} is first in the queue", first.pid),
                None => "nobody holds it now".into(),
            };
        };
        let mut text = format!("held for {} by pid {}", longest.mode.name(), longest.pid);
        if !longest.label.is_empty() {
            let _ = write!(text, " ('{}')", longest.label.escape_debug());
        }
        let _ = match longest.ms {
            0 => Ok(()),
            ms @ 1..1000 => write!(text, " for {ms} ms"),
            ms => write!(text, " for {} s", ms / 1000),
        };
        match self.holders.len() {
            1 => {}
            2 => text.push_str(" and one other"),
            count => {
                let _ = write!(text, " and {} others", count - 1);
            }
        }
        text
    }
}
