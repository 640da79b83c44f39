//! Opening and closing an attachment.

use std::cell::{Cell, RefCell};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::limited::LIMITED;
use super::{Attachment, HoldEnd};
use crate::error::{Error, ErrorKind, Result};
use crate::monitor::peer_check::PeerCheck;
use crate::options::{Identity, LockRef, MAX_CAPACITY, MAX_READERS, Options};
use crate::protocol::gate::Gate;
use crate::protocol::slot::{Queued, Reads};
use crate::protocol::wake::NO_DOORBELL;
use crate::shm::location::LockLocation;
use crate::shm::lock_file::slot_byte;
use crate::shm::segment::Segment;
use crate::shm::{named, path, tokens};
use crate::sys::exit_watch::namespace;
use crate::sys::files;

impl Attachment {
    /// Opens the lock, creates it if it does not exist, and takes a slot.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`], [`ErrorKind::Access`], [`ErrorKind::Corrupt`],
    /// [`ErrorKind::Incompatible`], [`ErrorKind::Full`]; [`ErrorKind::Busy`] if another process was
    /// stopped while it created or removed the same file.
    pub fn open(lock: LockRef<'_>, options: &Options) -> Result<Self> {
        if let Some(capacity) = options.capacity
            && !(1..=MAX_CAPACITY).contains(&capacity)
        {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                format!("the capacity must be 1 to {MAX_CAPACITY}, not {capacity}"),
            ));
        }
        if let Some(limit) = options.max_readers
            && !(1..=MAX_READERS).contains(&limit)
        {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                format!("the limit on readers must be 1 to {MAX_READERS}, not {limit}"),
            ));
        }
        let (segment, slot) = match lock {
            LockRef::Name(name) => named::open(name, options)?,
            LockRef::Path(path) => path::open(path, options)?,
        };
        Self::attach(segment, slot, options)
    }

    /// Initializes the slot `index` of `segment`. The lock file must hold the slot's byte.
    pub(crate) fn attach(segment: Segment, index: usize, options: &Options) -> Result<Self> {
        let identity = match &segment.location {
            LockLocation::Named { name, .. } => Identity::Name(name.clone()),
            LockLocation::File { .. } => files::identity(segment.lock.file())
                .map(Identity::of)
                .map_err(|error| segment.location.refused("check", "fstat", error))?,
        };
        let slot = &segment.slots()[index];
        crash_point!(attach_load);
        let generation = Reads(slot.reads.load(SeqCst)).generation().wrapping_add(1);
        crash_point!(attach_reads);
        slot.reads.store(Reads::new(generation, 0).0, SeqCst);
        crash_point!(attach_queued);
        slot.waiting.queued.store(Queued::NONE.0, SeqCst);
        crash_point!(attach_wake);
        slot.waiting.notices.store(0, SeqCst);
        slot.requests.steals.store(0, SeqCst);
        slot.waiting.wake.reset();
        slot.waiting.doorbell.store(NO_DOORBELL, SeqCst);
        // An earlier owner may have registered the slot. Then our first read would not change the
        // gate, and a writer that does not know of this slot would miss it.
        let (reader_bitmap, reader_bit) = segment.reader_bitmap().bit_of(index);
        crash_point!(attach_unregister);
        reader_bitmap.fetch_and(!reader_bit, SeqCst);
        let claim = if segment.is_limited() { segment.first_claim() } else { 0 };
        crash_point!(attach_identity);
        slot.waiting.pending.store(0, Relaxed);
        slot.waiting.skip_count.store(0, Relaxed);
        slot.waiting.in_try.store(0, Relaxed);
        slot.waiting.upgradable.store(0, Relaxed);
        slot.requests.rows.iter().for_each(|row| row.request.store(0, Relaxed));
        segment.free_request_rows(index);
        slot.read_label.store("");
        slot.exclusive_label.store("");
        slot.waiting.label.store(&options.label);
        slot.waiting.thread.store(options.thread, Relaxed);
        slot.waiting.namespace.store(namespace(), Relaxed);
        crash_point!(attach_pid);
        slot.waiting.pid.store(std::process::id(), Relaxed);
        // Before anything can be acquired, because scans end at the high-water mark.
        segment.raise_high_water(index + 1);
        tokens::raise(&segment, index);
        let token_base = segment.gate().last_token.load(Relaxed);
        let (slot, gate) = (NonNull::from(slot), NonNull::from(segment.gate()));
        let reader_bitmap = NonNull::from(reader_bitmap);
        let segment = Arc::new(segment);
        Ok(Self {
            slot,
            gate,
            reader_bitmap,
            reader_bit,
            index,
            generation,
            reads: Cell::new(if segment.is_limited() { LIMITED } else { 0 }),
            claim: Cell::new(claim),
            exclusive: Cell::new(None),
            claimed: Cell::new(Gate(0)),
            pending: RefCell::default(),
            checked_at: Cell::new(0),
            recovers_next: Cell::new(0),
            wanted_modes: Cell::new(0),
            wants_steals: Cell::new(false),
            try_check: RefCell::new(PeerCheck::new(segment.clone(), index)),
            segment,
            identity,
            token_base,
            end: HoldEnd::Consistent,
        })
    }

    /// A write hold that is still held when the attachment is dropped was leaked, not released.
    pub(crate) fn abandoning(mut self) -> Self {
        self.end = HoldEnd::Abandoned;
        self
    }

    /// Ends all waits and holds of this attachment and gives up its slot. The last process that
    /// closes a named lock removes it, unless the death of a writer is still to be reported.
    pub fn close(mut self, end: HoldEnd) {
        self.end = end;
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        if self.segment.is_forked() {
            return; // the slot belongs to the parent
        }
        let _ = self.withdraw_all();
        if self.reads() != 0 {
            self.set_reads(1);
            self.release_read();
        }
        // A corrupt gate cannot be reported here.
        let _ = self.release_exclusive(self.end);
        let segment = &*self.segment;
        crash_point!(close_load);
        if segment.load_gate().died() != Some(self.index) {
            crash_point!(close_pid);
            self.slot().waiting.pid.store(0, Relaxed);
        }
        crash_point!(close_unlock);
        let _ = segment.lock.unlock(slot_byte(self.index));
        named::remove_if_last(segment);
        segment.lower_high_water();
    }
}
