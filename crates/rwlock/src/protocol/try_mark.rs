//! The mark of a draining owner that does not wait for readers.

use std::sync::atomic::Ordering::Relaxed;

use crate::shm::layout::Slot;
use crate::sync::AtomicU32;

/// While it lives, the owner of the slot does not wait for readers if the gate says that it drains.
/// So a process that finds this state for long need not wait for those readers either.
pub(crate) struct TryMark<'a>(&'a AtomicU32);

impl<'a> TryMark<'a> {
    pub fn of(slot: &'a Slot) -> Self {
        crash_point!(try_mark);
        slot.waiting.in_try.store(1, Relaxed);
        Self(&slot.waiting.in_try)
    }
}

impl Drop for TryMark<'_> {
    fn drop(&mut self) {
        crash_point!(try_unmark);
        self.0.store(0, Relaxed);
    }
}
