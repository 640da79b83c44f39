//! One thread's place in one lock. [`lifecycle`] opens and closes it; [`read`], [`exclusive`] and [`convert`] take, release and
//! convert holds that need no waiting; [`requests`] waits without blocking, and [`block`] blocks.

mod block;
mod blockers;
mod convert;
mod doorbell;
pub(crate) mod exclusive;
pub(crate) mod lifecycle;
pub(crate) mod locks;
mod pending;
mod read;
pub(crate) mod requests;
pub(crate) mod snapshot;
mod snapshot_text;
#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use self::pending::Pending;
use crate::error::Result;
use crate::monitor::peer_check::PeerCheck;
use crate::options::Identity;
use crate::protocol::gate::Gate;
use crate::protocol::slot::Mode;
use crate::shm::layout::{GateLine, Slot, bytes_of};
use crate::shm::segment::Segment;
use crate::sync::{AtomicU64, InfoU64};
use crate::sys::park;

/// How a hold ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldEnd {
    /// What the lock protects is whole: an earlier writer's death is settled.
    Consistent,
    /// The holder failed: an earlier writer's death stays reported.
    Failed,
    /// The holder went away inside the hold, as if it had been killed there.
    Abandoned,
}

/// One thread's place in one lock. It must stay on one thread; it never blocks, but for [`Attachment::wait`].
///
/// The binding for Node builds on it; Rust programs use [`crate::RwLock`].
pub struct Attachment {
    // These three point into `segment`, for the fast paths.
    slot: NonNull<Slot>,
    gate: NonNull<GateLine>,
    reader_bitmap: NonNull<AtomicU64>,
    /// The slot's bit in `listing`.
    reader_bit: u64,
    pub(crate) segment: Arc<Segment>,
    pub(crate) index: usize,
    pub(crate) generation: u32,
    /// Read holds of this attachment; the slot's word says the same.
    pub(crate) reads: Cell<u32>,
    /// Upgradable or write, if this attachment holds that. A writer that drains does not hold yet.
    pub(crate) exclusive: Cell<Option<Mode>>,
    /// The gate as it was last claimed: most likely it is the same still when the hold ends.
    claimed: Cell<Gate>,
    pending: RefCell<Pending>,
    /// When a failed try last looked who is in the way, and whom it awaits; and the first slot whose owner it probes next though
    /// he may not be in the way.
    checked_at: Cell<u64>,
    recovers_next: Cell<usize>,
    try_check: RefCell<PeerCheck>,
    identity: Identity,
    /// The lock's last token when this attachment was made.
    token_base: u64,
    /// How a hold ends that lasts until the attachment closes.
    end: HoldEnd,
}

// SAFETY: the pointers lead into `segment`, which is `Send`; cells need only be used by one thread at a time.
unsafe impl Send for Attachment {}

impl Attachment {
    pub(crate) fn slot(&self) -> &Slot {
        // SAFETY: points into `self.segment`, mapped as long as `self` lives; a slot consists of atomics.
        unsafe { self.slot.as_ref() }
    }

    fn gate(&self) -> &GateLine {
        // SAFETY: as in `slot`.
        unsafe { self.gate.as_ref() }
    }

    fn reader_bitmap(&self) -> &AtomicU64 {
        // SAFETY: as in `slot`.
        unsafe { self.reader_bitmap.as_ref() }
    }

    fn load_gate(&self) -> Gate {
        self.gate().load()
    }

    /// How many attachments the lock was made for.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.segment.capacity()
    }

    /// The lock's identity.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.identity.clone()
    }

    /// Bytes of the lock's memory, which is mapped while the attachment is open.
    #[must_use]
    pub fn mapped_bytes(&self) -> usize {
        bytes_of(self.capacity())
    }

    /// Fails if the lock was made for another capacity than `asked`.
    ///
    /// # Errors
    /// [`ErrorKind::Incompatible`].
    pub fn check_capacity(&self, asked: Option<u32>) -> Result<()> {
        self.segment.check_capacity(asked)
    }

    /// What the tokens of this attachment's holds count from: constant, and so near that the difference is a small number.
    #[must_use]
    pub fn token_base(&self) -> u64 {
        self.token_base
    }

    /// Read holds of this attachment.
    #[must_use]
    pub fn reads(&self) -> u32 {
        self.reads.get()
    }

    /// The exclusive mode that this attachment holds, if it does.
    #[must_use]
    pub fn exclusive(&self) -> Option<Mode> {
        self.exclusive.get()
    }

    /// Changes what the attachment is called when somebody inspects the lock.
    pub fn set_label(&self, label: &str) {
        crash_point!(label);
        self.slot().waiting.label.store(label);
    }

    /// What the present read hold, or else the exclusive one, is called. Empty: no name of its own.
    pub fn set_hold_label(&self, of_read: bool, label: &str) {
        let slot = self.slot();
        crash_point!(label_hold);
        if of_read { slot.read_label.store(label) } else { slot.exclusive_label.store(label) }
    }

    /// The fencing token of the present hold: a writer's own; for the others that of the last write hold.
    #[must_use]
    pub fn token(&self) -> u64 {
        crash_point!(token_load);
        if self.exclusive.get() == Some(Mode::Write) {
            self.slot().token.load(Relaxed)
        } else {
            self.gate().last_token.load(Relaxed)
        }
    }

    /// Whether an earlier write hold ended without release, and none has ended whole since. Meant for holders.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        crash_point!(poison_load);
        self.load_gate().died().is_some()
    }

    /// Notes when the present read hold began, for whoever inspects the lock. Costs a few ns, so the caller decides.
    #[inline]
    pub fn stamp_read(&self) {
        if self.reads.get() == 1 {
            crash_point!(stamp_read);
            self.slot().read_since.store(park::shared(park::coarse_now()), Relaxed);
        }
    }

    /// Notes when the present exclusive hold began, likewise. What was waited for, upgraded or upgradable is stamped anyway.
    #[inline]
    pub fn stamp_exclusive(&self) {
        if self.exclusive.get().is_some() {
            crash_point!(stamp_exclusive);
            self.slot().exclusive_since.store(park::shared(park::coarse_now()), Relaxed);
        }
    }

    /// Whether this process is a forked child of the one that opened the lock. Then the attachment holds nothing here, every
    /// try fails, every wait is [`ErrorKind::Forked`], and the parent's holds are as they were: open the lock again.
    #[must_use]
    pub fn is_forked(&self) -> bool {
        self.segment.is_forked()
    }
}

/// No earlier hold's time shows. Seldom is there one, and a store that changes nothing costs all the same.
#[inline]
fn unstamp(since: &InfoU64) {
    if since.load(Relaxed) != 0 {
        since.store(0, Relaxed);
    }
}
