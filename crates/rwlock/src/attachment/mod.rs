//! One thread's use of one lock. [`lifecycle`] opens and closes it; [`read`], [`exclusive`] and
//! [`convert`] take, release and convert holds without waiting; [`requests`] waits without
//! blocking, and [`block`] blocks; [`contention`] tells a holder that somebody waits, and [`steal`]
//! that it shall give up what it holds.

mod block;
mod blockers;
pub(crate) mod contention;
mod convert;
mod doorbell;
pub(crate) mod exclusive;
pub(crate) mod lifecycle;
mod limited;
pub(crate) mod locks;
mod pending;
mod read;
mod request_rows;
pub(crate) mod requests;
pub(crate) mod snapshot;
mod snapshot_text;
mod steal;
pub(crate) mod survey;
#[cfg(test)]
mod tests;
mod value;

use std::cell::{Cell, RefCell};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use self::limited::LIMITED;
use self::pending::Pending;
#[cfg(doc)]
use crate::error::ErrorKind;
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
    /// The protected data is consistent: the report of an earlier owner's death is cleared.
    Consistent,
    /// The holder failed: the report of an earlier owner's death stays.
    Failed,
    /// The hold ends without a release, as if its process had been killed.
    Abandoned,
}

/// One thread's use of one lock. It must stay on one thread. Only [`Attachment::wait`] and
/// [`Attachment::wait_upgrade`] block.
///
/// The Node.js binding builds on it; Rust programs use [`crate::RwLock`].
pub struct Attachment {
    // These three point into `segment`, for the fast paths.
    slot: NonNull<Slot>,
    gate: NonNull<GateLine>,
    reader_bitmap: NonNull<AtomicU64>,
    /// The slot's bit in `reader_bitmap`.
    reader_bit: u64,
    pub(crate) segment: Arc<Segment>,
    pub(crate) index: usize,
    pub(crate) generation: u32,
    /// Read holds of this attachment; the slot's word has the same count. With [`LIMITED`] if the
    /// lock limits its readers.
    pub(crate) reads: Cell<u32>,
    /// The number of the next claim, if it does.
    claim: Cell<u32>,
    /// Upgradable or write, if this attachment has such a hold. A draining writer has no hold yet.
    pub(crate) exclusive: Cell<Option<Mode>>,
    /// The gate after the last claim. It is usually unchanged when the hold ends.
    claimed: Cell<Gate>,
    pending: RefCell<Pending>,
    /// When a failed try last checked its blockers, and the next slot to probe although its owner
    /// may not be a blocker.
    checked_at: Cell<u64>,
    recovers_next: Cell<usize>,
    /// What the slot says in `notices`.
    wanted_modes: Cell<u32>,
    wants_steals: Cell<bool>,
    try_check: RefCell<PeerCheck>,
    identity: Identity,
    /// The lock's last token when this attachment was opened.
    token_base: u64,
    /// How a hold ends that is still held when the attachment closes.
    end: HoldEnd,
}

// SAFETY: the pointers lead into `segment`, which is `Send`; cells need only be used by one thread
// at a time.
unsafe impl Send for Attachment {}

impl Attachment {
    pub(crate) fn slot(&self) -> &Slot {
        // SAFETY: points into `self.segment`, mapped while `self` lives; a slot consists of
        // atomics.
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

    /// The number of attachments that the lock was created for.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.segment.capacity()
    }

    /// The lock's identity.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.identity.clone()
    }

    /// The size of the lock's memory in bytes. It is mapped while the attachment is open.
    #[must_use]
    pub fn mapped_bytes(&self) -> usize {
        bytes_of(self.capacity())
    }

    /// Fails if the lock was created with a capacity other than `asked`.
    ///
    /// # Errors
    /// [`ErrorKind::Incompatible`].
    pub fn check_capacity(&self, asked: Option<u32>) -> Result<()> {
        self.segment.check_capacity(asked)
    }

    /// A constant base for this attachment's tokens. It is near enough that the difference is a
    /// small number.
    #[must_use]
    pub fn token_base(&self) -> u64 {
        self.token_base
    }

    /// Read holds of this attachment.
    #[must_use]
    pub fn reads(&self) -> u32 {
        self.reads.get() & !LIMITED
    }

    /// The exclusive mode that this attachment holds, if it does.
    #[must_use]
    pub fn exclusive(&self) -> Option<Mode> {
        self.exclusive.get()
    }

    /// Takes a hold in `mode` if that needs no waiting.
    pub(crate) fn try_mode(&self, mode: Mode) -> bool {
        match mode {
            Mode::Read => self.try_read(),
            Mode::Upgradable => self.try_upgradable(),
            Mode::Write => self.try_write(),
        }
    }

    /// Changes the label that a snapshot of the lock shows for this attachment.
    pub fn set_label(&self, label: &str) {
        crash_point!(label);
        self.slot().waiting.label.store(label);
    }

    /// Labels the current read hold, or the exclusive one. An empty label means none.
    pub fn set_hold_label(&self, of_read: bool, label: &str) {
        let slot = self.slot();
        crash_point!(label_hold);
        if of_read { slot.read_label.store(label) } else { slot.exclusive_label.store(label) }
    }

    /// The fencing token of the current hold: a writer's own, otherwise that of the last write
    /// hold.
    #[must_use]
    pub fn token(&self) -> u64 {
        crash_point!(token_load);
        if self.exclusive.get() == Some(Mode::Write) {
            self.slot().token.load(Relaxed)
        } else {
            self.gate().last_token.load(Relaxed)
        }
    }

    /// Whether a write hold ended without a release, and no later one ended consistent. For
    /// holders.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        crash_point!(poison_load);
        self.load_gate().died().is_some()
    }

    /// Records when the current read hold began, for snapshots. It costs a few ns, so the caller
    /// decides. (A hold of a lock that limits its readers always has it.)
    #[inline]
    pub fn stamp_read(&self) {
        if self.reads.get() == 1 {
            self.stamp_first_read();
        }
    }

    #[inline]
    fn stamp_first_read(&self) {
        crash_point!(stamp_read);
        self.slot().read_since.store(park::shared(park::coarse_now()), Relaxed);
    }

    /// Records when the current exclusive hold began, for snapshots. Holds that were waited for,
    /// upgraded or upgradable are always stamped.
    #[inline]
    pub fn stamp_exclusive(&self) {
        if self.exclusive.get().is_some() {
            crash_point!(stamp_exclusive);
            self.slot().exclusive_since.store(park::shared(park::coarse_now()), Relaxed);
        }
    }

    /// Whether this process is a forked child of the process that opened the lock. In the child,
    /// the attachment holds nothing, each try fails and each wait returns [`ErrorKind::Forked`].
    /// The parent's holds do not change. Open the lock again in the child.
    #[must_use]
    pub fn is_forked(&self) -> bool {
        self.segment.is_forked()
    }
}

/// Clears the time of an earlier hold. There is rarely one, and an unconditional store would cost
/// more than the check.
#[inline]
fn unstamp(since: &InfoU64) {
    if since.load(Relaxed) != 0 {
        since.store(0, Relaxed);
    }
}
