//! The words that all processes share: the gate, the reader bitmap, the tickets and the slots.

use std::ptr::NonNull;
use std::sync::atomic::Ordering::{Acquire, Relaxed, SeqCst};

use super::gate::{Gate, Hold};
use super::reader_bitmap::Readers;
use super::slot::{HighWater, Queued};
use super::value::Value;
use super::wait_queue::WaitQueue;
use crate::shm::layout::{GateLine, Header, KEEPS_TURNS, Preamble, ReaderBitmap, SLOTS_OFFSET, Slot, TicketLine};
use crate::sync::AtomicU64;

/// The mapped words of a lock.
pub(crate) struct SharedState {
    base: NonNull<u8>,
    slots: usize,
    /// The most read holds; 0: no limit.
    limit: u32,
}

/// The gate is impossible.
#[derive(Debug)]
pub(crate) struct CorruptGate;

impl SharedState {
    /// # Safety
    /// At `base` there must be a preamble and `slots` slots, aligned, while the value lives.
    pub unsafe fn over(base: NonNull<u8>, slots: usize, limit: u32) -> Self {
        Self { base, slots, limit }
    }

    fn preamble(&self) -> &Preamble {
        // SAFETY: see `over`; it consists of atomics, for which every bit pattern is valid and
        // every concurrent change is allowed.
        unsafe { self.base.cast::<Preamble>().as_ref() }
    }

    pub fn header(&self) -> &Header {
        &self.preamble().header
    }

    pub fn gate(&self) -> &GateLine {
        &self.preamble().gate
    }

    pub fn reader_bitmap(&self) -> &ReaderBitmap {
        &self.preamble().reader_bitmap
    }

    pub fn tickets(&self) -> &TicketLine {
        &self.preamble().ticket
    }

    /// All slots, used or not.
    pub fn slots(&self) -> &[Slot] {
        // SAFETY: within the mapping, see `over`.
        let first = unsafe { self.base.add(SLOTS_OFFSET) };
        // SAFETY: as in `preamble`; `slots` of them fit, and the offset is a multiple of their alignment.
        unsafe { std::slice::from_raw_parts(first.cast::<Slot>().as_ptr(), self.slots) }
    }

    /// The number of attachments that the lock was created for.
    pub fn capacity(&self) -> u32 {
        self.slots as u32 - 1
    }

    pub fn is_limited(&self) -> bool {
        self.limit != 0
    }

    /// The most read holds, of a lock that has a limit.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// The most read holds.
    pub fn max_readers(&self) -> Option<u32> {
        self.is_limited().then_some(self.limit)
    }

    /// The readers.
    #[inline]
    pub fn readers(&self) -> Readers<'_> {
        Readers::new(self)
    }

    /// The waiters.
    #[inline]
    pub fn queue(&self) -> WaitQueue<'_> {
        WaitQueue::new(self)
    }

    /// The value.
    pub fn value(&self) -> Value<'_> {
        Value::new(&self.preamble().value)
    }

    /// Whether a request whose owner lives is never skipped.
    pub fn keeps_turns(&self) -> bool {
        crash_point!(flags_load);
        self.header().flags.load(Relaxed) & KEEPS_TURNS != 0
    }

    /// The rows for requests that have none in their slot. None, if the lock has no such rows.
    pub fn request_pool(&self) -> &[AtomicU64] {
        if self.keeps_turns() { self.preamble().value.buffers.as_flattened() } else { &[] }
    }

    /// Frees the rows of a slot without a living owner.
    pub fn free_request_rows(&self, slot: usize) {
        for row in self.request_pool() {
            let shown = row.load(Relaxed);
            if shown != 0 && Queued(shown).is_of(slot as u32) {
                crash_point!(hide_request);
                let _ = row.compare_exchange(shown, Queued::NONE.0, Relaxed, Relaxed);
            }
        }
    }

    // ---- the gate

    pub fn load_gate(&self) -> Gate {
        self.gate().load()
    }

    pub fn swap_gate(&self, old: Gate, new: Gate) -> bool {
        self.gate().swap(old, new)
    }

    /// Changes the gate to what `step` returns, however others change it meanwhile. `None` leaves
    /// it. Returns the last argument of `step`.
    pub fn change_gate(&self, step: impl Fn(Gate) -> Option<Gate>) -> Gate {
        self.gate().change(step)
    }

    /// The slot that owns the gate, if there is one.
    pub fn gate_owner(&self, gate: Gate) -> Result<Option<usize>, CorruptGate> {
        match gate.hold() {
            Some(Hold::Free) => Ok(None),
            Some(_) if gate.owner() < self.slots().len() => Ok(Some(gate.owner())),
            _ => Err(CorruptGate),
        }
    }

    /// The owner of a phantom hold: its hold has not begun yet, has ended, or never existed.
    pub fn phantom_owner(&self, gate: Gate) -> Option<usize> {
        let slot = self.slots().get(gate.owner())?;
        crash_point!(owner_knows_load);
        let knows = match gate.hold()? {
            Hold::Writing => slot.token.load(Relaxed) == self.gate().last_token.load(Relaxed),
            Hold::Upgradable => slot.waiting.upgradable.load(Relaxed) != 0,
            // No process waits for these without limit.
            Hold::Free | Hold::Draining | Hold::Upgrading => true,
        };
        (!knows).then_some(gate.owner())
    }

    /// No death is left to be reported, and the gate has no owner, dead or alive.
    pub fn is_clean(&self) -> bool {
        crash_point!(clean_load);
        let gate = Gate(self.gate().gate.load(Acquire));
        gate.is_free() && gate.died().is_none()
    }

    // ---- the slots in use

    pub fn high_water(&self) -> usize {
        crash_point!(scan_bound);
        HighWater(self.header().high_water.load(SeqCst)).count()
    }

    /// The slots in use, and perhaps some that are not.
    pub fn used_slots(&self) -> &[Slot] {
        let slots = self.slots();
        &slots[..self.high_water().min(slots.len())]
    }

    pub fn raise_high_water(&self, count: usize) {
        let word = &self.header().high_water;
        loop {
            crash_point!(attach_high_water_load);
            let seen = HighWater(word.load(SeqCst));
            crash_point!(attach_high_water);
            if word.compare_exchange(seen.0, seen.changed_to(seen.count().max(count)).0, SeqCst, SeqCst).is_ok() {
                return;
            }
        }
    }

    /// After a slot was given up: scans need not visit slots above the last one in use. Does
    /// nothing if a process attached meanwhile.
    pub fn lower_high_water(&self) {
        let word = &self.header().high_water;
        crash_point!(lower_high_water_load);
        let seen = HighWater(word.load(SeqCst));
        crash_point!(lower_high_water_scan);
        let used = &self.slots()[..seen.count().min(self.slots().len())];
        // A process that raised the mark had already stored its pid in its slot.
        let top = used.iter().rposition(|slot| slot.waiting.pid.load(Relaxed) != 0).map_or(0, |index| index + 1);
        if top < seen.count() {
            crash_point!(lower_high_water);
            let _ = word.compare_exchange(seen.0, seen.changed_to(top).0, SeqCst, SeqCst);
        }
    }

    /// Whether the first request of `slot`, or its drain, is a steal.
    pub fn steals(&self, slot: usize) -> bool {
        crash_point!(steal_load);
        self.slots().get(slot).is_some_and(|slot| slot.requests.steals.load(SeqCst) != 0)
    }

    /// Whether the owner of `slot`, if it drains, does not wait for readers.
    pub fn is_in_try(&self, slot: usize) -> bool {
        crash_point!(skip_load_in_try);
        self.slots().get(slot).is_some_and(|slot| slot.waiting.in_try.load(Relaxed) != 0)
    }
}
