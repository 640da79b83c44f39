//! The shared memory, byte by byte. Every field is an atomic: other processes change it at any time, and nothing read
//! from it is trusted before it was masked or bounded.
//!
//! ```text
//! offset 0      Header   what the lock is: written once, at creation, the magic last
//! offset 384    Gate     the gate word and the last token; the ticket counter on its own line
//! offset 640    ReaderBitmap  which slots may read
//! offset 1152   Slot 0   reading line, waiting line (128 bytes each)
//! offset 1408   Slot 1   …
//! ```

use std::mem::{offset_of, size_of};
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use crate::options::{MAX_CAPACITY, MAX_LABEL};
use crate::protocol::gate::Gate;
use crate::sync::{AtomicU32, AtomicU64, InfoU32, InfoU64};
use crate::sys::park::Word;

/// Two cache lines: the unit that adjacent-line prefetchers move, and the line size of Apple silicon.
const LINE: usize = 128;

/// The first eight bytes of a valid lock.
pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"PRWLOCK1");
/// In the magic's place while a file is laid out in place; whoever finds it and gets the setup byte starts afresh.
pub(crate) const MAGIC_UNFINISHED: u64 = u64::from_le_bytes(*b"PRWLOCK0");

/// Raised with every change of meaning that [`LAYOUT_HASH`] cannot see.
pub(crate) const LAYOUT_VERSION: u32 = 3;

/// What the lock is. Constant after creation, except `high_water`, `removal` and a flag, which only openers and closers change.
#[derive(Default)]
#[repr(C, align(128))]
pub(crate) struct Header {
    pub magic: AtomicU64,
    pub layout_hash: AtomicU64,
    pub layout_version: AtomicU32,
    /// Attachments the lock was made for.
    pub capacity: AtomicU32,
    /// Bytes of the whole segment.
    pub bytes: AtomicU64,
    /// Unix time of creation in ns; also the seed of the last token.
    pub created: AtomicU64,
    /// What its creator asked for, see [`TRANSIENT`] and [`ANONYMOUS`]; and [`FRESH`].
    pub flags: AtomicU32,
    pub name_bytes: InfoU32,
    pub name: [InfoU64; 32],
    /// See [`crate::protocol::slot::HighWater`].
    pub high_water: AtomicU64,
    /// See [`crate::shm::removal`].
    pub removal: AtomicU64,
}

/// In `flags`: the last close removes the lock even if it has the death of a writer to report.
pub(crate) const TRANSIENT: u32 = 1;
/// In `flags`: the name is random, so once all of its processes are dead nobody needs its report.
pub(crate) const ANONYMOUS: u32 = 2;
/// In `flags`, until somebody has attached: since its tokens were given their beginning, and before it had its name, another lock
/// may have had that name, and have handed out greater ones.
pub(crate) const FRESH: u32 = 4;

/// The words every acquisition of an exclusive mode goes through.
#[derive(Default)]
#[repr(C, align(128))]
pub(crate) struct GateLine {
    /// See [`crate::protocol::gate::Gate`].
    pub gate: AtomicU64,
    /// The last fencing token handed out. Stored by the gate's owner alone.
    pub last_token: AtomicU64,
}

impl GateLine {
    pub fn load(&self) -> Gate {
        Gate(self.gate.load(SeqCst))
    }

    pub fn swap(&self, old: Gate, new: Gate) -> bool {
        self.gate.compare_exchange(old.0, new.0, SeqCst, SeqCst).is_ok()
    }

    /// Changes the gate as `step` says, however others change it meanwhile. `None` from `step` leaves it. Returns what the
    /// last `step` was given.
    pub fn change(&self, step: impl Fn(Gate) -> Option<Gate>) -> Gate {
        loop {
            crash_point!(gate_load);
            let gate = self.load();
            let Some(new) = step(gate) else { return gate };
            crash_point!(gate_swap);
            if self.swap(gate, new) {
                return gate;
            }
        }
    }
}

/// Only waiters touch it: kept off the gate's line.
#[derive(Default)]
#[repr(C, align(128))]
pub(crate) struct TicketLine {
    pub next: AtomicU64,
}

/// A bit for each slot that may read, so that a writer need not look at the others. Changed seldom: who reads for the first
/// time lists its slot, and now and then a writer takes out those that do not read. So every core keeps a copy.
#[repr(C, align(128))]
pub(crate) struct ReaderBitmap(pub [AtomicU64; slots_of(MAX_CAPACITY).div_ceil(64)]);

/// Slots that one word lists. The checks under loom have few, and want more than one word for them.
pub(crate) const SLOTS_OF_WORD: usize = if cfg!(loom) { 1 } else { 64 };

impl Default for ReaderBitmap {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::default()))
    }
}

impl ReaderBitmap {
    /// The word that lists `slot`, and its bit there.
    pub fn bit_of(&self, slot: usize) -> (&AtomicU64, u64) {
        (&self.0[slot / SLOTS_OF_WORD], 1 << (slot % SLOTS_OF_WORD))
    }
}

#[derive(Default)]
#[repr(C)]
pub(crate) struct Preamble {
    pub header: Header,
    pub gate: GateLine,
    pub ticket: TicketLine,
    pub reader_bitmap: ReaderBitmap,
}

/// One attachment: a thread that has the lock open. The reading line is written by its owner alone (and by recovery
/// after its death); others wake it through the waiting line.
#[derive(Default)]
#[repr(C, align(128))]
pub(crate) struct Slot {
    /// See [`crate::protocol::slot::Reads`].
    pub reads: AtomicU64,
    /// The fencing token of this slot's write hold. Not that of the lock: no write hold has begun, or it has ended.
    pub token: AtomicU64,
    /// When the present read hold and the present exclusive hold began, for people; see [`crate::sys::park::shared`]. 0: not known.
    pub read_since: InfoU64,
    pub exclusive_since: InfoU64,
    /// What the present holds are called, if they were given names of their own.
    pub read_label: Label,
    pub exclusive_label: Label,

    pub waiting: WaitLine,
}

#[derive(Default)]
#[repr(C, align(128))]
pub(crate) struct WaitLine {
    /// See [`crate::protocol::slot::Queued`].
    pub queued: AtomicU64,
    /// The word the owner sleeps on; see [`crate::sys::park`].
    pub wake: Word,
    /// How many requests wait behind this slot, for people.
    pub pending: InfoU32,
    /// Where `pid` is a number of; see [`crate::sys::exit_watch::namespace`].
    pub namespace: InfoU32,
    /// How often the owner did not come when the readers it drained had left; doubles the patience it is given.
    pub skip_count: AtomicU32,
    /// Not 0: the published request has been overtaken for long enough, and wants the queue closed to newcomers.
    pub overdue: AtomicU32,
    /// Not 0: the owner tries for the gate, and where this says that it drains, it does not wait for the readers inside.
    pub in_try: AtomicU32,
    /// When the published request was made; see [`crate::sys::park::shared`].
    pub since: InfoU64,
    /// Identity, for people. `pid` 0: nobody attached.
    pub pid: AtomicU32,
    pub thread: InfoU32,
    pub label: Label,
    /// Where the owner's event loop is woken, and what is said there; see [`crate::sys::park::doorbell`]. 0: it sleeps on `wake`.
    pub doorbell: AtomicU64,
    pub doorbell_key: AtomicU64,
    /// Not 0: the owner knows of its upgradable hold. Where the gate says otherwise for long, something else wrote there.
    pub upgradable: AtomicU32,
}

/// A short text for people, cut at a character boundary. May be torn by a concurrent writer; is never acted on.
#[derive(Default)]
#[repr(C)]
pub(crate) struct Label([InfoU64; MAX_LABEL / 8]);

impl Label {
    pub const BYTES: usize = MAX_LABEL;

    pub fn store(&self, text: &str) {
        store_bytes(&self.0, &text.as_bytes()[..text.floor_char_boundary(Self::BYTES)]);
    }

    pub fn load(&self) -> String {
        let mut bytes = load_bytes(&self.0);
        bytes.truncate(bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len()));
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

pub(crate) fn store_bytes(words: &[InfoU64], bytes: &[u8]) {
    for (index, word) in words.iter().enumerate() {
        let mut chunk = [0; 8];
        let rest = bytes.get(index * 8..).unwrap_or(&[]);
        let length = rest.len().min(8);
        chunk[..length].copy_from_slice(&rest[..length]);
        word.store(u64::from_le_bytes(chunk), Relaxed);
    }
}

pub(crate) fn load_bytes(words: &[InfoU64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.load(Relaxed).to_le_bytes()).collect()
}

/// One more slot than the capacity: the slot of a writer that died stays as it is until its `ownerDied` is settled, and
/// must not cost an attachment meanwhile.
pub(crate) const fn slots_of(capacity: u32) -> usize {
    capacity as usize + 1
}

pub(crate) const SLOTS_OFFSET: usize = 1152;

pub(crate) const fn bytes_of(capacity: u32) -> usize {
    SLOTS_OFFSET + slots_of(capacity) * size_of::<Slot>()
}

/// Fingerprint of the offsets: two builds that disagree on one cannot share a lock.
pub(crate) const LAYOUT_HASH: u64 = {
    let offsets = [
        offset_of!(Header, capacity),
        offset_of!(Header, flags),
        offset_of!(Header, name),
        offset_of!(Header, high_water),
        offset_of!(Header, removal),
        offset_of!(Preamble, gate),
        offset_of!(GateLine, last_token),
        offset_of!(Preamble, ticket),
        offset_of!(Preamble, reader_bitmap),
        SLOTS_OFFSET,
        offset_of!(Slot, token),
        offset_of!(Slot, read_label),
        offset_of!(Slot, exclusive_label),
        offset_of!(Slot, waiting),
        offset_of!(WaitLine, wake),
        offset_of!(WaitLine, overdue),
        offset_of!(WaitLine, pid),
        offset_of!(WaitLine, label),
        offset_of!(WaitLine, doorbell),
        size_of::<Slot>(),
    ];
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325; // FNV-1a, 64 bits
    let mut index = 0;
    while index < offsets.len() {
        hash = (hash ^ offsets[index] as u64).wrapping_mul(0x0100_0000_01b3);
        index += 1;
    }
    hash
};

// The same on every target: 32 or 64 bits, any pointer size.
const _: () = {
    assert!(size_of::<Label>() == Label::BYTES);
    assert!(size_of::<Header>() == 3 * LINE);
    assert!(offset_of!(Preamble, gate) == 3 * LINE);
    assert!(offset_of!(Preamble, reader_bitmap) == 5 * LINE);
    assert!(size_of::<Preamble>() == SLOTS_OFFSET);
    assert!(offset_of!(Slot, waiting) == LINE);
    assert!(SLOTS_OFFSET.is_multiple_of(LINE));
    // (loom's atomics are of other sizes.)
    assert!(cfg!(loom) || size_of::<Slot>() == 2 * LINE);
    assert!(cfg!(loom) || LAYOUT_HASH == 0xbcad_1506_40b6_7e69);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_cut_at_a_character_boundary() {
        let label = Label(Default::default());
        label.store(&"é".repeat(60));
        assert_eq!(label.load(), "é".repeat(24));
        label.store(&"x€".repeat(30));
        assert_eq!(label.load(), "x€".repeat(12));
        label.store("short");
        assert_eq!(label.load(), "short");
        label.store("");
        assert_eq!(label.load(), "");
    }
}
