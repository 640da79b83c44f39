//! The shared memory, byte by byte. Every field is an atomic, because other processes can change it
//! at any time. Every value that is read from it is masked or bounded before it is used.
//!
//! ```text
//! offset 0      Header         what the lock is; written once, at creation, the magic last
//! offset 384    Gate           the gate word and the last token; the ticket counter on its own line
//! offset 640    ReaderBitmap   which slots may read
//! offset 1152   ValueArea      the lock's value: stamp, checksums, two buffers
//! offset 3328   Slot 0         reading line, waiting line, request rows (128 bytes each)
//! offset 3712   Slot 1         …
//! ```

use std::mem::{offset_of, size_of};
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use crate::options::{MAX_CAPACITY, MAX_LABEL, MAX_VALUE};
use crate::protocol::gate::Gate;
use crate::sync::{AtomicU32, AtomicU64, InfoU32, InfoU64};
use crate::sys::park::Word;

/// Two cache lines: the unit of adjacent-line prefetchers, and the line size of Apple silicon.
pub(crate) const LINE: usize = 128;

/// The first eight bytes of a valid lock.
pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"PRWLOCK1");
/// Replaces the magic while a file is initialized in place. A process that finds it and gets the
/// setup byte starts again.
pub(crate) const MAGIC_UNFINISHED: u64 = u64::from_le_bytes(*b"PRWLOCK0");

/// Incremented with every change of meaning that does not change [`LAYOUT_HASH`].
pub(crate) const LAYOUT_VERSION: u32 = 5;

/// What the lock is. Constant after creation, except `high_water`, `removal` and [`FRESH`], which
/// change only when an attachment opens or closes.
#[derive(Default)]
#[repr(C, align(128))]
pub(crate) struct Header {
    pub magic: AtomicU64,
    pub layout_hash: AtomicU64,
    pub layout_version: AtomicU32,
    /// The number of attachments that the lock was created for.
    pub capacity: AtomicU32,
    /// The size of the whole segment in bytes.
    pub bytes: AtomicU64,
    /// The Unix time of creation in ns; also the first token.
    pub created: AtomicU64,
    /// [`TRANSIENT`], [`ANONYMOUS`], [`FRESH`] and [`KEEPS_TURNS`].
    pub flags: AtomicU32,
    pub name_bytes: InfoU32,
    pub name: [InfoU64; 32],
    /// See [`crate::protocol::slot::HighWater`].
    pub high_water: AtomicU64,
    /// See [`crate::shm::removal`].
    pub removal: AtomicU64,
    /// The most read holds of all attachments together; 0: no limit.
    pub max_readers: AtomicU32,
}

/// Flag: the last close removes the lock even if the death of a writer was not reported yet.
pub(crate) const TRANSIENT: u32 = 1;
/// Flag: the name is random, so no other process can need the report of a death after all of the
/// lock's processes have died.
pub(crate) const ANONYMOUS: u32 = 2;
/// Flag, until a process has attached: the first token may be too small, because after it was
/// chosen, and before the lock got its name, another lock of that name may have issued greater
/// tokens.
pub(crate) const FRESH: u32 = 4;

/// Flag: a request whose owner lives is never skipped, however long its owner does not come. Such a
/// lock has no value: its buffers show more requests.
pub(crate) const KEEPS_TURNS: u32 = 8;

/// The words that every acquisition of an exclusive mode uses.
#[derive(Default)]
#[repr(C, align(128))]
pub(crate) struct GateLine {
    /// See [`crate::protocol::gate::Gate`].
    pub gate: AtomicU64,
    /// The last fencing token that was issued. Only the owner of the gate stores it.
    pub last_token: AtomicU64,
}

impl GateLine {
    pub fn load(&self) -> Gate {
        Gate(self.gate.load(SeqCst))
    }

    pub fn swap(&self, old: Gate, new: Gate) -> bool {
        self.gate.compare_exchange(old.0, new.0, SeqCst, SeqCst).is_ok()
    }

    /// Changes the gate to what `step` returns, with a retry if another process changes it at the
    /// same time. If `step` returns `None`, the gate stays. Returns the last argument of `step`.
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

/// Used by waiters, and by readers of a lock that limits them; so it is not on the line of the gate.
#[derive(Default)]
#[repr(C, align(128))]
pub(crate) struct TicketLine {
    pub next: AtomicU64,
    /// See [`crate::protocol::admission::Admission`].
    pub admission: AtomicU64,
}

/// One bit for each slot that may read; a writer checks only these slots. The bitmap rarely changes
/// (a slot registers at its first read, and a writer occasionally removes idle slots), so every
/// core keeps a copy in its cache.
#[repr(C, align(128))]
pub(crate) struct ReaderBitmap(pub [AtomicU64; slots_of(MAX_CAPACITY).div_ceil(64)]);

/// The number of slots for each word. Tests under loom use few slots and need more than one word.
pub(crate) const SLOTS_OF_WORD: usize = if cfg!(loom) { 1 } else { 64 };

impl Default for ReaderBitmap {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::default()))
    }
}

impl ReaderBitmap {
    /// The word with the bit of `slot`, and the bit.
    pub fn bit_of(&self, slot: usize) -> (&AtomicU64, u64) {
        (&self.0[slot / SLOTS_OF_WORD], 1 << (slot % SLOTS_OF_WORD))
    }
}

/// The lock's value; see [`crate::protocol::value`]. Used only by processes that set or read it, so
/// it shares no cache line with anything else. It lies within the first page of the memory.
#[repr(C, align(128))]
pub(crate) struct ValueArea {
    /// Which buffer is valid, and how long its value is.
    pub stamp: AtomicU64,
    /// The stamp that each buffer was filled for.
    pub stamps: [AtomicU64; 2],
    pub checksums: [AtomicU64; 2],
    /// The fencing tokens of the write holds that filled them.
    pub tokens: [AtomicU64; 2],
    /// Stays zero: the buffers begin on a line of their own.
    pub reserved: [InfoU64; 9],
    /// In a lock that keeps turns, which has no value: a pool of rows for the requests of all slots
    /// that have none in their slot. A row is as `queued`, with the number of the slot in place of
    /// the generation, for display. 0: none.
    pub buffers: [[AtomicU64; VALUE_WORDS]; 2],
}

/// The words of a buffer. loom would need too long for more.
pub(crate) const VALUE_WORDS: usize = if cfg!(loom) { 2 } else { MAX_VALUE / 8 };
/// The greatest length of a value.
pub(crate) const VALUE_BYTES: usize = 8 * VALUE_WORDS;

impl Default for ValueArea {
    fn default() -> Self {
        Self {
            stamp: AtomicU64::default(),
            stamps: Default::default(),
            checksums: Default::default(),
            tokens: Default::default(),
            reserved: Default::default(),
            buffers: std::array::from_fn(|_| std::array::from_fn(|_| AtomicU64::default())),
        }
    }
}

#[derive(Default)]
#[repr(C)]
pub(crate) struct Preamble {
    pub header: Header,
    pub gate: GateLine,
    pub ticket: TicketLine,
    pub reader_bitmap: ReaderBitmap,
    pub value: ValueArea,
}

/// One attachment: a thread that has the lock open. The reading line is written by its owner only
/// (and by recovery after its death). Other processes wake the owner through the waiting line.
#[derive(Default)]
#[repr(C, align(128))]
pub(crate) struct Slot {
    /// See [`crate::protocol::slot::Reads`].
    pub reads: AtomicU64,
    /// The fencing token of this slot's write hold. If it differs from the lock's last token, no
    /// write hold has begun, or it has ended.
    pub token: AtomicU64,
    /// When the current read hold and the current exclusive hold began, for display; see
    /// [`crate::sys::park::shared`]. 0: unknown.
    pub read_since: InfoU64,
    pub exclusive_since: InfoU64,
    /// The labels of the current holds, if they have their own.
    pub read_label: Label,
    pub exclusive_label: Label,

    pub waiting: WaitLine,

    pub requests: RequestLine,
}

/// The number of requests of a slot that a snapshot shows each by itself.
pub(crate) const REQUEST_ROWS: usize = 3;

/// More about the requests of the slot. Written by the owner only.
#[derive(Default)]
#[repr(C, align(128))]
pub(crate) struct RequestLine {
    /// The first requests, in any order, for display. Written when the owner goes to sleep and when
    /// it wakes.
    pub rows: [RequestRow; REQUEST_ROWS],
    /// Not 0: the published request, or the drain, is a steal; see [`crate::attachment::steal`].
    pub steals: AtomicU32,
}

#[derive(Default)]
#[repr(C)]
pub(crate) struct RequestRow {
    /// As `queued`, but "skipped" means here that the request drains; "followed", that it gives way
    /// to the slot's published one, whatever their tickets. 0: none.
    pub request: InfoU64,
    /// See [`crate::sys::park::shared`].
    pub since: InfoU64,
    /// Empty if the request has no label of its own.
    pub label: Label<3>,
}

#[derive(Default)]
#[repr(C, align(128))]
pub(crate) struct WaitLine {
    /// See [`crate::protocol::slot::Queued`].
    pub queued: AtomicU64,
    /// The word on which the owner sleeps; see [`crate::sys::park`].
    pub wake: Word,
    /// The number of requests that wait in this slot and have no row, for display.
    pub pending: InfoU32,
    /// The PID namespace of `pid`; see [`crate::sys::exit_watch::namespace`].
    pub namespace: InfoU32,
    /// How often the owner was skipped because it did not take the lock after the readers had left.
    /// Each time doubles its grace period.
    pub skip_count: AtomicU32,
    /// Not 0: newcomers have overtaken the published request for long enough, and it wants the
    /// queue closed to them.
    pub overdue: AtomicU32,
    /// Not 0: the owner is in a try. If the gate says that the owner drains, it does not wait for
    /// the readers inside.
    pub in_try: AtomicU32,
    /// When the published request was made; see [`crate::sys::park::shared`].
    pub since: InfoU64,
    /// The process ID, for display. 0: no attachment.
    pub pid: AtomicU32,
    pub thread: InfoU32,
    pub label: Label,
    /// How to wake the owner's event loop; see [`crate::sys::doorbell`]. 0: the owner sleeps on
    /// `wake`.
    pub doorbell: AtomicU64,
    pub doorbell_key: AtomicU64,
    /// Not 0: the owner knows that it has the upgradable hold. If it is 0 although the gate says so
    /// for long, the memory is damaged.
    pub upgradable: AtomicU32,
    /// The modes of the requests of which the owner wants to know while it keeps them out, a bit
    /// each, or of steals; see [`crate::attachment::contention`].
    pub notices: AtomicU32,
}

/// A short text for display, cut at a character boundary. A concurrent write can tear it; no
/// decision depends on it.
#[repr(C)]
pub(crate) struct Label<const WORDS: usize = { MAX_LABEL / 8 }>([InfoU64; WORDS]);

impl<const WORDS: usize> Default for Label<WORDS> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| InfoU64::default()))
    }
}

impl<const WORDS: usize> Label<WORDS> {
    pub const BYTES: usize = 8 * WORDS;

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

/// One slot more than the capacity: the slot of a writer that died keeps its state until its
/// `ownerDied` is cleared, and must not reduce the capacity meanwhile.
pub(crate) const fn slots_of(capacity: u32) -> usize {
    capacity as usize + 1
}

pub(crate) const SLOTS_OFFSET: usize = size_of::<Preamble>();

/// Unused bytes after the last slot. With them, the size of a lock is no multiple of 128, whatever
/// its capacity: so a file of zeros that another program preallocated in whole blocks is not taken
/// for a lock whose creator died.
const TAIL: usize = 64;

pub(crate) const fn bytes_of(capacity: u32) -> usize {
    SLOTS_OFFSET + slots_of(capacity) * size_of::<Slot>() + TAIL
}

/// A fingerprint of the offsets: two builds that disagree on any of them cannot share a lock.
pub(crate) const LAYOUT_HASH: u64 = {
    let offsets = [
        offset_of!(Header, capacity),
        offset_of!(Header, flags),
        offset_of!(Header, name),
        offset_of!(Header, high_water),
        offset_of!(Header, removal),
        offset_of!(Header, max_readers),
        offset_of!(Preamble, gate),
        offset_of!(GateLine, last_token),
        offset_of!(Preamble, ticket),
        offset_of!(TicketLine, admission),
        offset_of!(Preamble, reader_bitmap),
        offset_of!(Preamble, value),
        offset_of!(ValueArea, buffers),
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
        offset_of!(Slot, requests),
        size_of::<RequestRow>(),
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

// The offsets are the same on every target: 32 or 64 bits, any pointer size.
const _: () = {
    assert!(size_of::<Label>() == MAX_LABEL);
    assert!(size_of::<Header>() == 3 * LINE);
    assert!(offset_of!(Preamble, gate) == 3 * LINE);
    assert!(offset_of!(Preamble, reader_bitmap) == 5 * LINE);
    assert!(offset_of!(Preamble, value) == 9 * LINE);
    assert!(cfg!(loom) || offset_of!(ValueArea, buffers) == LINE);
    assert!(cfg!(loom) || SLOTS_OFFSET == 3328);
    assert!(offset_of!(Slot, waiting) == LINE);
    assert!(SLOTS_OFFSET.is_multiple_of(LINE) && size_of::<Slot>().is_multiple_of(LINE) && TAIL < LINE);
    // (The atomics of loom have other sizes.)
    assert!(cfg!(loom) || size_of::<Slot>() == 3 * LINE);
    assert!(cfg!(loom) || LAYOUT_HASH == 0xf7c4_2e59_bc5a_9d21);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_cut_at_a_character_boundary() {
        let label = <Label>::default();
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
