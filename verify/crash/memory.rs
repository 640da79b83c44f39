//! A lock's memory, read as bytes and not by the code under test. The format is that of `layout.rs`.

use std::fs;
use std::path::PathBuf;

const NAME: usize = 48;
const GATE: usize = 384;
const FENCE: usize = 392;
const SLOTS: usize = 3328;
const SLOT: usize = 384;
const TOKEN: usize = 8;
const QUEUED: usize = 128;
const PID: usize = 176;
const REMOVAL: usize = 312;
/// Of the word there: the lock is removed.
const REMOVED: u64 = 2;

/// The location of the lock of the cases.
#[derive(Clone, Debug)]
pub enum LockLocation {
    Named(String),
    Path(PathBuf),
}

pub struct Memory(Vec<u8>);

impl Memory {
    /// `None` if there is no lock, or one that is removed but not deleted yet.
    pub fn read(location: &LockLocation) -> Option<Self> {
        let is_lock = |memory: &Self| {
            memory.0.len() > SLOTS + SLOT && memory.0.starts_with(b"PRWLOCK1") && memory.word(REMOVAL) & 3 != REMOVED
        };
        match location {
            LockLocation::Path(path) => Some(Self(fs::read(path).ok()?)).filter(is_lock),
            // If a stopped creator left several unpublished records, other processes use the first.
            LockLocation::Named(name) => fs::read_dir("/dev/shm")
                .ok()?
                .filter_map(|entry| Some(Self(fs::read(entry.ok()?.path()).ok()?)))
                .filter(is_lock)
                .filter(|memory| memory.0.get(NAME..).is_some_and(|rest| rest.starts_with(name.as_bytes())))
                .max_by_key(Self::attachments),
        }
    }

    /// The offset of each slot; behind the last one there are some unused bytes.
    fn slots(&self) -> impl Iterator<Item = usize> + use<> {
        (SLOTS..(self.0.len() + 1).saturating_sub(SLOT)).step_by(SLOT)
    }

    fn attachments(&self) -> usize {
        self.slots().filter(|slot| self.word(slot + PID) as u32 != 0).count()
    }

    fn word(&self, offset: usize) -> u64 {
        u64::from_le_bytes(self.0[offset..offset + 8].try_into().unwrap())
    }

    fn gate(&self) -> u64 {
        self.word(GATE)
    }

    /// Of the attachments of `pid`: the slots' offsets.
    fn slots_of(&self, pid: u32) -> impl Iterator<Item = usize> {
        self.slots().filter(move |&slot| self.word(slot + PID) as u32 == pid)
    }

    fn has_gate(&self, pid: u32, modes: &[u64]) -> bool {
        let (mode, owner) = (self.gate() & 7, (self.gate() >> 6 & 0xfff) as usize);
        modes.contains(&mode) && self.slots_of(pid).any(|slot| slot == SLOTS + owner * SLOT)
    }

    /// If the gate says that `pid` writes: the pid of the writer whose death must be reported if it died now (0: none).
    /// That is its own if its slot has the lock's token, for then its write hold has begun, and not ended.
    pub fn told_after(&self, pid: u32) -> Option<u32> {
        let inside = self.slots_of(pid).any(|slot| self.word(slot + TOKEN) == self.word(FENCE));
        self.has_gate(pid, &[4]).then(|| if inside { pid } else { self.told() })
    }

    fn told(&self) -> u32 {
        let (poisoned, died) = (self.gate() >> 5 & 1 != 0, (self.gate() >> 18 & 0xfff) as usize);
        if poisoned { self.word(SLOTS + died * SLOT + PID) as u32 } else { 0 }
    }

    /// Other processes must wait for `pid`: it reads, or owns the gate and does not only wait for readers to leave.
    pub fn is_held_by(&self, pid: u32) -> bool {
        self.has_gate(pid, &[1, 3, 4]) || self.slots_of(pid).any(|slot| self.word(slot) as u32 != 0)
    }

    /// What is wrong if no process holds the lock or waits, and no death is left to report.
    pub fn remains(&self) -> Option<String> {
        let gate = self.gate();
        if gate & 0b11_1111 != 0 {
            return Some(format!("the gate is {gate:#x}"));
        }
        self.slots().find_map(|slot| {
            let (reads, queued) = (self.word(slot) as u32, self.word(slot + QUEUED));
            (reads != 0 || queued != 0)
                .then(|| format!("slot {} has {reads} reads, queued {queued:#x}", (slot - SLOTS) / SLOT))
        })
    }
}
