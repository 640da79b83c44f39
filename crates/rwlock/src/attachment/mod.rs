//! One thread's place in one lock: opening, closing, and the acquisitions that need no waiting.

pub(crate) mod requests;
pub(crate) mod snapshot;

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::Duration;

use crate::attachment::requests::Pending;
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::gate::{Gate, Hold};
use crate::protocol::recovery::{MAX_REPAIRS, PeerCheck};
use crate::protocol::slot::{HighWater, Mode, Queued, Reads};
use crate::shm::layout::{GateLine, MAX_CAPACITY, Slot, bytes_of};
use crate::shm::{self, LockLocation, Segment};
use crate::sync::{AtomicU32, AtomicU64, InfoU64};
use crate::sys::byte_lock::slot_byte;
use crate::sys::exit_watch;
use crate::sys::park;
use crate::sys::park::doorbell;

/// How long [`Attachment::open`] waits for another process that lays out or removes the same file, unless said otherwise. That
/// takes well under a millisecond, unless the process is stopped in the middle of it.
const SETUP_TIMEOUT: Duration = Duration::from_secs(5);

/// How often to look for a free slot while others come and go.
const CLAIM_ROUNDS: u32 = 16;

/// Each writer whose token is a multiple of this takes out of the listing who does not read: often enough that idle readers
/// do not cost writers much, seldom enough that listing them anew costs readers nothing.
pub(crate) const PRUNE_INTERVAL: u64 = 1024;

/// What a lock is called.
#[derive(Clone, Copy, Debug)]
pub enum LockRef<'a> {
    /// Shared memory, per user and machine.
    Name(&'a str),
    /// A file: whoever can map it shares the lock.
    Path(&'a Path),
}

/// What tells one lock from another: two references with the same identity lead to the same lock.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identity {
    /// A named lock.
    Name(String),
    /// A file: its device and its number there.
    File(u64, u128),
}

impl LockRef<'_> {
    /// The identity of the lock that this leads to now; `None` for a path where there is no file yet.
    #[must_use]
    pub fn identity(&self) -> Option<Identity> {
        match self {
            Self::Name(name) => Some(Identity::Name((*name).into())),
            Self::Path(path) => shm::disk::identity_at(path).ok(),
        }
    }
}

/// How the opener wants the lock.
#[derive(Clone, Debug)]
pub struct Options {
    /// Attachments the lock can hold at once, 1 to 4095; `None`: 128, or what an existing lock was made for.
    pub capacity: Option<u32>,
    /// Shown to whoever inspects the lock.
    pub label: String,
    /// The caller's own number for its thread, shown likewise.
    pub thread: u32,
    /// Of a named lock: its last close removes it even if a writer died, whose death nobody can learn of then. The creator's wins.
    pub transient: bool,
    /// The name is random, so only the processes that have the lock open know it: once they are dead, what they left is removed,
    /// with the death of a writer. The creator's wins.
    pub anonymous: bool,
    /// How long to wait, at most, for another process that lays out or removes the same file. 5 s by default. (Opening waits for
    /// nothing else.)
    pub setup_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            capacity: None,
            label: String::new(),
            thread: 0,
            transient: false,
            anonymous: false,
            setup_timeout: SETUP_TIMEOUT,
        }
    }
}

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
    listed: u64,
    pub(crate) segment: Arc<Segment>,
    pub(crate) index: usize,
    pub(crate) generation: u32,
    /// Read holds of this attachment; the slot's word says the same.
    pub(crate) reads: Cell<u32>,
    /// Upgradable or write, if this attachment holds that. A writer that drains does not hold yet.
    pub(crate) exclusive: Cell<Option<Mode>>,
    /// The gate as it was last claimed: most likely it is the same still when the hold ends.
    claimed: Cell<Gate>,
    pub(crate) pending: RefCell<Pending>,
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
    /// Opens the lock, making it if it does not exist, and takes a slot of it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`], [`ErrorKind::Access`], [`ErrorKind::Corrupt`], [`ErrorKind::Incompatible`],
    /// [`ErrorKind::Full`]; [`ErrorKind::Busy`] if another process was stopped while it laid out or removed the same file.
    pub fn open(lock: LockRef<'_>, options: &Options) -> Result<Self> {
        if let Some(capacity) = options.capacity
            && !(1..=MAX_CAPACITY).contains(&capacity)
        {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                format!("the capacity must be 1 to {MAX_CAPACITY}, not {capacity}"),
            ));
        }
        let (segment, slot) = match lock {
            LockRef::Name(name) => shm::named::open(name, options)?,
            LockRef::Path(path) => shm::file::open(path, options)?,
        };
        Self::attach(segment, slot, options)
    }

    /// Settles in the slot `index` of `segment`, whose byte its lock file has.
    pub(crate) fn attach(segment: Segment, index: usize, options: &Options) -> Result<Self> {
        let identity = match &segment.location {
            LockLocation::Named { name, .. } => Identity::Name(name.clone()),
            LockLocation::File { .. } => shm::disk::identity(segment.lock.file())
                .map_err(|error| segment.location.refused("look at", "fstat", error))?,
        };
        let slot = &segment.slots()[index];
        crash_point!(attach_load);
        let generation = Reads(slot.reads.load(SeqCst)).generation().wrapping_add(1);
        crash_point!(attach_reads);
        slot.reads.store(Reads::new(generation, 0).0, SeqCst);
        crash_point!(attach_queued);
        slot.waiting.queued.store(Queued::NONE.0, SeqCst);
        crash_point!(attach_wake);
        slot.waiting.wake.reset();
        slot.waiting.doorbell.store(doorbell::NONE, SeqCst);
        // Listed by an earlier owner: as such its first read would change nothing that a writer notices who does not know yet
        // that the slot is in use.
        let (reader_bitmap, listed) = segment.reader_bitmap().place_of(index);
        crash_point!(attach_unregister);
        reader_bitmap.fetch_and(!listed, SeqCst);
        crash_point!(attach_identity);
        slot.waiting.pending.store(0, Relaxed);
        slot.waiting.skip_count.store(0, Relaxed);
        slot.waiting.in_try.store(0, Relaxed);
        slot.waiting.upgradable.store(0, Relaxed);
        slot.read_label.store("");
        slot.exclusive_label.store("");
        slot.waiting.label.store(&options.label);
        slot.waiting.thread.store(options.thread, Relaxed);
        slot.waiting.namespace.store(exit_watch::namespace(), Relaxed);
        crash_point!(attach_pid);
        slot.waiting.pid.store(std::process::id(), Relaxed);
        // Before anything can be acquired: scans end there.
        segment.raise_high_water(index + 1);
        segment.raise_tokens(index);
        let token_base = segment.gate().last_token.load(Relaxed);
        let (slot, gate) = (NonNull::from(slot), NonNull::from(segment.gate()));
        let reader_bitmap = NonNull::from(reader_bitmap);
        let segment = Arc::new(segment);
        Ok(Self {
            slot,
            gate,
            reader_bitmap,
            listed,
            index,
            generation,
            reads: Cell::new(0),
            exclusive: Cell::new(None),
            claimed: Cell::new(Gate(0)),
            pending: RefCell::default(),
            checked_at: Cell::new(0),
            recovers_next: Cell::new(0),
            try_check: RefCell::new(PeerCheck::new(segment.clone(), index)),
            segment,
            identity,
            token_base,
            end: HoldEnd::Consistent,
        })
    }

    /// A write hold that is still there when the attachment is dropped was leaked, not released.
    pub(crate) fn abandoning(mut self) -> Self {
        self.end = HoldEnd::Abandoned;
        self
    }

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

    // ---- read

    /// Takes a read hold if that needs no waiting.
    #[inline]
    pub fn try_read(&self) -> bool {
        self.read_now() || (self.clear_blockers(Mode::Read) && self.read_now())
    }

    #[inline]
    fn read_now(&self) -> bool {
        self.read_while(Gate::admits_reader)
    }

    /// A read hold whatever the queue says; not beside a writer.
    pub(crate) fn read_in_turn(&self) -> bool {
        self.read_while(|gate| !gate.excludes_readers())
    }

    #[inline]
    fn read_while(&self, open: fn(Gate) -> bool) -> bool {
        if self.reads.get() != 0 {
            crash_point!(join_load);
            return open(self.load_gate()) && self.join_readers();
        }
        crash_point!(read_publish);
        unstamp(&self.slot().read_since);
        // SeqCst swap, then SeqCst load: whoever takes the gate meanwhile sees this read, or we see him.
        self.slot().reads.swap(Reads::new(self.generation, 1).0, SeqCst);
        crash_point!(read_load);
        if open(self.load_gate()) && (self.is_registered() || self.register_reader_while(open)) {
            self.reads.set(1);
            return true;
        }
        self.retract_read();
        false
    }

    /// Whether a writer looks at our slot. Asked after the look at an open gate: so whoever took us out of the listing before
    /// is seen to have done so, and who takes the gate from then on sees what we read, and leaves us in it.
    #[inline]
    fn is_registered(&self) -> bool {
        crash_point!(registered_load);
        self.reader_bitmap().load(Relaxed) & self.listed != 0
    }

    /// Who took the gate before we were listed did not look at our slot. So the gate is looked at again: Dekker's scheme
    /// once more, with our bit in the place of our read. And it is changed: so who has looked at the listing before, and
    /// found nobody, does not get the gate after it.
    #[cold]
    fn register_reader_while(&self, open: fn(Gate) -> bool) -> bool {
        self.register_reader();
        loop {
            crash_point!(register_load);
            let gate = self.load_gate();
            if !open(gate) {
                return false;
            }
            crash_point!(register_gate);
            if self.gate().swap(gate, gate.with_next_sequence()) {
                return true;
            }
        }
    }

    fn register_reader(&self) {
        crash_point!(register_reader);
        self.reader_bitmap().fetch_or(self.listed, SeqCst);
    }

    /// One read hold more, where there already is one: no writer can be inside, nor come in before all have left.
    pub(crate) fn join_readers(&self) -> bool {
        let reads = self.reads.get() + 1;
        self.reads.set(reads);
        crash_point!(join_readers);
        self.slot().reads.store(Reads::new(self.generation, reads).0, Relaxed);
        true
    }

    #[cold]
    fn retract_read(&self) {
        crash_point!(retract_read);
        self.slot().reads.swap(Reads::new(self.generation, 0).0, SeqCst);
        crash_point!(retract_load);
        let gate = self.load_gate();
        // Our own writer does not wait for this. To wake it would be to try again at once, for as long as it drains.
        if !gate.is_owned_by(self.index) {
            self.segment.wake_writer(gate);
        }
    }

    /// Ends one read hold. Nothing happens if there is none.
    #[inline]
    pub fn release_read(&self) {
        let reads = self.reads.get();
        if reads > 1 {
            self.reads.set(reads - 1);
            crash_point!(leave_readers);
            self.slot().reads.store(Reads::new(self.generation, reads - 1).0, Relaxed);
        } else if reads == 1 {
            self.reads.set(0);
            crash_point!(release_read);
            self.slot().reads.swap(Reads::new(self.generation, 0).0, SeqCst);
            crash_point!(release_load);
            let gate = self.load_gate();
            if gate.excludes_readers() {
                self.segment.wake_writer(gate);
            }
        }
    }

    // ---- upgradable and write

    /// Takes the lock for upgradable reading if that needs no waiting.
    pub fn try_upgradable(&self) -> bool {
        let granted = self.claim_gate(Hold::Upgradable, Gate::admits_exclusive)
            || (self.clear_blockers(Mode::Upgradable) && self.claim_gate(Hold::Upgradable, Gate::admits_exclusive));
        if granted {
            self.begin_upgradable();
        }
        granted
    }

    /// Takes the lock for writing if that needs no waiting. Leaves no trace if it does.
    #[inline]
    pub fn try_write(&self) -> bool {
        self.write_now() || (self.clear_blockers(Mode::Write) && self.write_now())
    }

    /// The gate says "writing" only for whoever has the lock, since nobody takes it from him who stops there. Where no other
    /// slot is listed nobody else reads, and the claim fails if somebody lists itself meanwhile.
    #[inline]
    fn write_now(&self) -> bool {
        if self.reads.get() != 0 {
            return false;
        }
        loop {
            crash_point!(claim_load);
            let gate = self.load_gate();
            if !gate.admits_exclusive() {
                return false;
            }
            if self.segment.has_other_registered(self.index) {
                return self.write_with_others_registered();
            }
            let claimed = gate.acquired(Hold::Writing, self.index);
            crash_point!(claim_gate);
            if self.gate().swap(gate, claimed) {
                self.claimed.set(claimed);
                break;
            }
        }
        if self.segment.has_other_registered(self.index) && self.is_read_after_all() {
            return false;
        }
        self.begin_write();
        crash_point!(stamp_write);
        unstamp(&self.slot().exclusive_since); // the caller may stamp it: the clock would cost a third of all this
        true
    }

    /// That the claim fails where somebody has listed itself meanwhile rests on the gate's sequence, which may wrap while a process
    /// is stopped. Exclusion does not: whoever is found here reads, or has listed itself too late and will see our claim.
    #[cold]
    fn is_read_after_all(&self) -> bool {
        let is_read = self.has_other_readers();
        if is_read {
            self.abort_claim();
        }
        is_read
    }

    /// Some slots may read. The readers are looked at before, so that a loop of failing tries does not turn newcomers away each
    /// time; and again when none can come in any more.
    #[cold]
    fn write_with_others_registered(&self) -> bool {
        if self.has_other_readers() {
            return false;
        }
        let _trying = TryMark::of(self.slot());
        let writes = self.claim_gate(Hold::Draining, Gate::admits_exclusive) && self.write_drained();
        if writes {
            crash_point!(stamp_write);
            unstamp(&self.slot().exclusive_since);
        }
        writes
    }

    /// The gate says that we drain, and the try ends here: it writes if nobody else reads.
    fn write_drained(&self) -> bool {
        if self.has_other_readers() {
            self.abort_claim();
            return false;
        }
        if !self.claim_drained() {
            return false;
        }
        if self.reads.take() != 0 {
            crash_point!(end_read_in_place);
            self.slot().reads.store(Reads::new(self.generation, 0).0, SeqCst);
        }
        self.begin_write();
        true
    }

    #[inline]
    fn has_other_readers(&self) -> bool {
        self.segment.find_other_reader(self.index).is_some()
    }

    /// Makes the gate ours while it is `open`. SeqCst, so that the scan of the readers that follows cannot miss one who
    /// missed this.
    #[inline]
    pub(crate) fn claim_gate(&self, hold: Hold, open: fn(Gate) -> bool) -> bool {
        loop {
            crash_point!(claim_load);
            let gate = self.load_gate();
            if !open(gate) {
                return false;
            }
            let claimed = gate.acquired(hold, self.index);
            crash_point!(claim_gate);
            if self.gate().swap(gate, claimed) {
                self.claimed.set(claimed);
                return true;
            }
        }
    }

    /// The gate from a writer that does not write yet: back to free, or to upgradable. Nothing if others went past and took
    /// it: then it is theirs, or upgradable already.
    pub(crate) fn abort_claim(&self) {
        self.free_gate_if(|gate| gate.is_owned_by(self.index) && gate.excludes_readers());
    }

    /// Of a writer to be. It may have been passed over, and the gate be a later hold's.
    pub(crate) fn abort_drain(&self) {
        self.free_gate_if(|gate| gate.is_drained_by(self.index));
    }

    fn free_gate_if(&self, ours: impl Fn(Gate) -> bool) {
        crash_point!(abort_drain);
        self.segment.change_gate(|gate| ours(gate).then(|| gate.with_drain_aborted()));
        self.segment.wake_next(Some(self.index));
    }

    pub(crate) fn begin_upgradable(&self) {
        self.mark_upgradable(true);
        self.exclusive.set(Some(Mode::Upgradable));
        self.stamp_exclusive();
    }

    /// The readers have left: from draining to writing. `false` if the gate was taken away, since this took too long.
    pub(crate) fn claim_drained(&self) -> bool {
        crash_point!(claim_drained);
        let turned = |gate: Gate| gate.is_drained_by(self.index).then(|| gate.turned(Hold::Writing));
        let claimed = turned(self.segment.change_gate(turned));
        let Some(claimed) = claimed else { return false };
        self.claimed.set(claimed);
        if self.exclusive.get() == Some(Mode::Upgradable) {
            self.mark_upgradable(false);
        }
        true
    }

    /// The gate says that we write, and nobody reads. Only now is the last token ours; a death before the store skips nothing,
    /// one after it a token that nobody saw. The hold has begun when the slot has the token: who dies earlier changed nothing.
    #[inline]
    pub(crate) fn begin_write(&self) {
        let slot = self.slot();
        crash_point!(last_token_load);
        let token = self.gate().last_token.load(Relaxed).wrapping_add(1);
        if token.is_multiple_of(PRUNE_INTERVAL) {
            self.segment.prune_idle_readers();
        }
        crash_point!(last_token_store);
        self.gate().last_token.store(token, Relaxed);
        crash_point!(token_store);
        slot.token.store(token, Relaxed);
        self.exclusive.set(Some(Mode::Write));
    }

    /// For whoever finds that the gate says so: it is no damage.
    fn mark_upgradable(&self, held: bool) {
        crash_point!(mark_upgradable);
        self.slot().waiting.upgradable.store(held.into(), Relaxed);
    }

    /// What the lock protects is whole again, or said not to be: a death from here on is no death inside.
    fn end_write(&self) {
        crash_point!(end_write);
        self.slot().token.store(0, Relaxed);
    }

    /// Ends the exclusive hold. Nothing happens if there is none.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if something else took the gate away: others may have been inside at the same time.
    #[inline]
    pub fn release_exclusive(&self, end: HoldEnd) -> Result<()> {
        let Some(mode) = self.exclusive.take() else { return Ok(()) };
        match mode {
            Mode::Write if end == HoldEnd::Abandoned => {}
            Mode::Write => self.end_write(),
            _ => self.mark_upgradable(false),
        }
        let free = |gate: Gate| {
            gate.is_owned_by(self.index).then(|| match end {
                HoldEnd::Consistent if mode == Mode::Write => gate.freed().poison_cleared(),
                HoldEnd::Abandoned if mode == Mode::Write => gate.freed().poisoned_by(self.index),
                _ => gate.freed(),
            })
        };
        let claimed = self.claimed.get();
        crash_point!(release_exclusive);
        // Without a look before: the exchange would have to wait for it. It fails if somebody has joined the queue meanwhile.
        let gate = match free(claimed) {
            Some(freed) if self.gate().swap(claimed, freed) => claimed,
            _ => self.segment.change_gate(free),
        };
        if !gate.is_owned_by(self.index) {
            return Err(self.gate_lost_error(gate));
        }
        if gate.is_waiting() {
            self.segment.wake_next(Some(self.index));
        }
        Ok(())
    }

    #[cold]
    pub(crate) fn gate_lost_error(&self, gate: Gate) -> Error {
        if self.segment.is_forked() {
            return self.segment.forked();
        }
        Error::corrupt(format!(
            "{} was held exclusively, but its gate says {:#x} now: something else wrote into its memory, and what the lock \
             protects may have been changed by two at once",
            self.segment.location, gate.0
        ))
    }

    /// From an upgradable hold, or from a read hold that is this attachment's only one, to a write hold, if that needs no
    /// waiting. Otherwise the hold stays what it was.
    pub fn try_upgrade(&self) -> bool {
        self.upgrade_now() || (self.clear_blockers(Mode::Write) && self.upgrade_now())
    }

    fn upgrade_now(&self) -> bool {
        if self.has_other_readers() {
            return false;
        }
        let _trying = TryMark::of(self.slot());
        match (self.exclusive.get(), self.reads.get()) {
            (Some(Mode::Upgradable), 0) => self.claim_upgrade(),
            (None, 1) if self.claim_gate(Hold::Draining, Gate::admits_exclusive) => {}
            _ => return false,
        }
        let writes = self.write_drained();
        if writes {
            self.stamp_exclusive();
        }
        writes
    }

    /// The gate from upgradable on the way to write: newcomers stay out, readers inside may finish.
    pub(crate) fn claim_upgrade(&self) {
        crash_point!(claim_upgrade);
        self.segment
            .change_gate(|gate| gate.is_owned_by(self.index).then(|| gate.acquired(Hold::Upgrading, self.index)));
    }

    /// From write or upgradable to read: no writer gets in between.
    ///
    /// # Errors
    /// As [`Attachment::release_exclusive`].
    pub fn downgrade_to_read(&self) -> Result<()> {
        if self.exclusive.get().is_none() {
            return Ok(());
        }
        if self.reads.get() == 0 {
            self.reads.set(1);
            crash_point!(downgrade_publish);
            // Before the gate is freed, so that there is no moment without a hold.
            self.slot().reads.swap(Reads::new(self.generation, 1).0, SeqCst);
            // The same holds for the listing, from which only who has the gate takes anybody.
            if !self.is_registered() {
                self.register_reader();
            }
        } else {
            self.join_readers();
        }
        self.stamp_read();
        // If the gate was lost, so is the hold.
        self.release_exclusive(HoldEnd::Consistent).inspect_err(|_| self.release_read())
    }

    /// From write to upgradable: readers may come in, nobody else.
    ///
    /// # Errors
    /// As [`Attachment::release_exclusive`].
    pub fn downgrade_to_upgradable(&self) -> Result<()> {
        self.turn_upgradable(Gate::poison_cleared)
    }

    /// Takes back an upgrade that nothing has used: the hold is upgradable again, and an earlier writer's death stays reported.
    ///
    /// # Errors
    /// As [`Attachment::release_exclusive`].
    pub fn undo_upgrade(&self) -> Result<()> {
        self.turn_upgradable(|gate| gate)
    }

    fn turn_upgradable(&self, end: fn(Gate) -> Gate) -> Result<()> {
        if self.exclusive.get() != Some(Mode::Write) {
            return Ok(());
        }
        self.end_write();
        self.mark_upgradable(true);
        crash_point!(downgrade_gate);
        let gate =
            self.segment.change_gate(|gate| gate.is_owned_by(self.index).then(|| end(gate.turned(Hold::Upgradable))));
        if !gate.is_owned_by(self.index) {
            self.exclusive.set(None);
            self.mark_upgradable(false);
            return Err(self.gate_lost_error(gate));
        }
        self.exclusive.set(Some(Mode::Upgradable));
        if gate.is_waiting() {
            self.segment.wake_next(Some(self.index));
        }
        Ok(())
    }

    /// A try failed: perhaps only because of somebody dead or stopped. Looks every few milliseconds at most, since failing is
    /// often part of somebody's loop. Returns whether it is worth another try.
    #[cold]
    fn clear_blockers(&self, mode: Mode) -> bool {
        let now = park::coarse_now();
        now != self.checked_at.replace(now) && !self.segment.is_forked() && {
            let (repaired, next) = self.segment.recover_some(self.index, self.recovers_next.get());
            self.recovers_next.set(next);
            // As the last in the queue would.
            let free = self.try_check.borrow_mut().check_for(mode, now);
            if free {
                self.segment.wake_next(Some(self.index)); // which reopens a queue that need not be closed
            }
            let bereft = mode == Mode::Write && self.recover_readers();
            repaired || free || bereft
        }
    }

    /// Repairs what the dead left behind of whom a writer finds that they read, up to the first who lives: he is in the way.
    fn recover_readers(&self) -> bool {
        let mut repaired = false;
        for _ in 0..MAX_REPAIRS {
            match self.segment.find_other_reader(self.index) {
                Some(reader) if self.segment.recover(reader) => repaired = true,
                _ => break,
            }
        }
        repaired
    }

    // ---- closing

    /// Ends every wait and hold of this attachment, and gives the slot up. The last to leave a named lock removes it,
    /// unless a writer's death is still to be told.
    pub fn close(mut self, end: HoldEnd) {
        self.end = end;
    }

    /// Whether this process is a forked child of the one that opened the lock. Then the attachment holds nothing here, every
    /// try fails, every wait is [`ErrorKind::Forked`], and the parent's holds are as they were: open the lock again.
    #[must_use]
    pub fn is_forked(&self) -> bool {
        self.segment.is_forked()
    }

    pub(crate) fn peer_check(&self) -> PeerCheck {
        self.try_check.borrow().another()
    }

    /// Whether one who waits here has found that nobody holds the gate, although it says so.
    pub(crate) fn has_found_damage(&self, gate: Gate) -> bool {
        self.try_check.borrow().has_found_damage(gate)
    }
}

/// While it lives, where the gate says that the owner of the slot drains, it does not wait for the readers inside: who finds
/// it so for long need not wait for them either.
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

/// No earlier hold's time shows. Seldom is there one, and a store that changes nothing costs all the same.
#[inline]
fn unstamp(since: &InfoU64) {
    if since.load(Relaxed) != 0 {
        since.store(0, Relaxed);
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        if self.segment.is_forked() {
            return; // the slot is the parent's
        }
        let _ = self.withdraw_all();
        if self.reads.get() != 0 {
            self.reads.set(1);
            self.release_read();
        }
        // A damaged gate cannot be told to anybody here.
        let _ = self.release_exclusive(self.end);
        let segment = &*self.segment;
        crash_point!(close_load);
        if segment.load_gate().died() != Some(self.index) {
            crash_point!(close_pid);
            self.slot().waiting.pid.store(0, Relaxed);
        }
        crash_point!(close_unlock);
        let _ = segment.lock.unlock(slot_byte(self.index));
        segment.remove_if_last();
        segment.lower_high_water();
    }
}

impl Segment {
    /// Takes the byte of a slot that nobody lives in, and cleans up what its last owner left. `None`: they are all in use.
    pub(crate) fn claim_slot(&self) -> Result<Option<usize>> {
        for _ in 0..CLAIM_ROUNDS {
            crash_point!(attach_begin);
            let seen = self.header().high_water.load(SeqCst);
            if let Some(slot) = self.try_claim_slot()? {
                return Ok(Some(slot));
            }
            // Whoever attached meanwhile may have left one slot behind us for one before us.
            crash_point!(attach_again);
            if self.header().high_water.load(SeqCst) == seen {
                break;
            }
        }
        Ok(None)
    }

    fn try_claim_slot(&self) -> Result<Option<usize>> {
        let cannot = |error| shm::cannot_lock(&self.location, error);
        let is_vacant = |index: &usize| {
            crash_point!(attach_vacant);
            self.slots()[*index].waiting.pid.load(Relaxed) == 0
        };
        let spare = self.capacity() as usize;
        // Vacant ones first, so that the dead need only be looked for when there is no other. The spare one last: it is for
        // when one of the others cannot be used.
        let candidates =
            || (0..spare).filter(is_vacant).chain((0..spare).filter(|index| !is_vacant(index))).chain([spare]);
        // Twice if one had to be kept, since a death found later may have settled that. (Where all are in use each question takes
        // the kernel a time that grows with their number.)
        let kept = Cell::new(false);
        for index in candidates().chain(candidates().take_while(|_| kept.get())) {
            crash_point!(attach_lock);
            if (index == spare && self.load_gate().died().is_none())
                || !self.lock.try_lock(slot_byte(index)).map_err(cannot)?
            {
                continue;
            }
            self.repair(index, || true);
            crash_point!(attach_died_load);
            if self.load_gate().died() != Some(index) {
                return Ok(Some(index));
            }
            // Its last owner died inside a write hold: who that was is written here, until it is settled.
            kept.set(true);
            crash_point!(attach_unlock);
            self.lock.unlock(slot_byte(index)).map_err(cannot)?;
        }
        Ok(None)
    }

    #[cold]
    pub(crate) fn full(&self) -> Error {
        Error::new(
            ErrorKind::Full,
            format!(
                "{} has all of its {} attachments in use: close some, or make it with a larger capacity",
                self.location,
                self.capacity()
            ),
        )
    }

    fn raise_high_water(&self, count: usize) {
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

    /// After a slot was given up: scans need not visit those above the last one in use. Nothing if somebody attached meanwhile.
    fn lower_high_water(&self) {
        let word = &self.header().high_water;
        crash_point!(lower_high_water_load);
        let seen = HighWater(word.load(SeqCst));
        crash_point!(lower_high_water_scan);
        let used = &self.slots()[..seen.count().min(self.slots().len())];
        // Who had raised the mark before had also left its pid in its slot.
        let top = used.iter().rposition(|slot| slot.waiting.pid.load(Relaxed) != 0).map_or(0, |index| index + 1);
        if top < seen.count() {
            crash_point!(lower_high_water);
            let _ = word.compare_exchange(seen.0, seen.changed_to(top).0, SeqCst, SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attachment::requests::{Outcome, WaitOptions};

    #[test]
    fn an_upgrader_that_was_passed_over_before_it_gives_up_stays_upgradable() {
        let path = std::env::temp_dir().join(format!("passed-upgrader-{}", std::process::id()));
        let open = || Attachment::open(LockRef::Path(&path), &Options::default()).unwrap();
        let (upgrader, other) = (open(), open());
        assert!(upgrader.try_upgradable());
        upgrader.claim_upgrade();
        // What somebody does who waited too long for the upgrader, while that was stopped.
        other.segment.change_gate(|gate| Some(gate.with_drain_aborted()));
        assert!(other.try_read());
        upgrader.abort_drain();
        let granted_to_both = other.try_upgradable();
        drop((upgrader, other));
        std::fs::remove_file(&path).unwrap();
        assert!(!granted_to_both, "two upgradable holds at once");
    }

    /// A writer that was passed over and does not know yet, and another task of its thread that takes the lock meanwhile.
    #[test]
    fn an_upgrade_can_be_asked_for_where_a_write_was_passed_over() {
        let path = std::env::temp_dir().join(format!("passed-writer-{}", std::process::id()));
        let open = || Attachment::open(LockRef::Path(&path), &Options::default()).unwrap();
        let (late, reader) = (open(), open());
        let options = WaitOptions { deadline: u64::MAX, fairness: u64::MAX };
        assert!(reader.try_read());
        let write = late.request(Mode::Write, options);
        late.poll(park::now()).unwrap();
        reader.segment.change_gate(|gate| Some(gate.with_drain_aborted()));
        assert!(late.try_upgradable());
        let upgrade = late.request_upgrade(options);
        reader.release_read();
        late.poll(park::now()).unwrap();
        let first = late.take_settled();
        late.release_exclusive(HoldEnd::Consistent).unwrap();
        late.poll(park::now()).unwrap();
        let second = late.take_settled();
        drop((late, reader));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(first, [(upgrade.expect("it is upgradable"), Outcome::Granted)]);
        assert_eq!(second, [(write, Outcome::Granted)]);
    }

    /// The same, when that one ends its wait.
    #[test]
    fn a_hold_outlasts_the_wait_of_a_write_that_was_passed_over() {
        let path = std::env::temp_dir().join(format!("passed-wait-{}", std::process::id()));
        let open = || Attachment::open(LockRef::Path(&path), &Options::default()).unwrap();
        let beside = [Mode::Write, Mode::Upgradable].map(|mode| {
            let (late, reader) = (open(), open());
            assert!(reader.try_read());
            let write = late.request(Mode::Write, WaitOptions { deadline: u64::MAX, fairness: u64::MAX });
            late.poll(park::now()).unwrap();
            reader.segment.change_gate(|gate| Some(gate.with_drain_aborted()));
            reader.release_read();
            assert!(if mode == Mode::Write { late.try_write() } else { late.try_upgradable() });
            assert!(late.cancel(write));
            let beside = reader.try_upgradable();
            late.release_exclusive(HoldEnd::Consistent).unwrap();
            beside
        });
        std::fs::remove_file(&path).unwrap();
        assert_eq!(beside, [false, false], "two exclusive holds at once");
    }

    #[test]
    fn a_try_that_is_refused_by_a_reader_leaves_the_gate_alone() {
        let path = std::env::temp_dir().join(format!("refused-try-{}", std::process::id()));
        let open = || Attachment::open(LockRef::Path(&path), &Options::default()).unwrap();
        let (reader, tries) = (open(), open());
        assert!(reader.try_read());
        let gate = tries.load_gate();
        let refused = !tries.try_write() && !tries.try_write();
        let untouched = tries.load_gate() == gate;
        drop((reader, tries));
        std::fs::remove_file(&path).unwrap();
        assert!(refused && untouched);
    }

    /// What a process leaves that is stopped in a try, between its claim of the gate and its second look at the readers.
    #[test]
    fn a_stopped_try_is_passed_over_though_somebody_reads() {
        let path = std::env::temp_dir().join(format!("stopped-try-{}", std::process::id()));
        let open = || Attachment::open(LockRef::Path(&path), &Options::default()).unwrap();
        let (reader, stopped, other) = (open(), open(), open());
        assert!(reader.try_read() && stopped.try_read());
        stopped.release_read();
        let options = || WaitOptions { deadline: park::now() + 5_000_000_000, fairness: 0 };
        let mut let_in = Vec::new();
        std::mem::forget(TryMark::of(stopped.slot()));
        assert!(stopped.claim_gate(Hold::Draining, Gate::admits_exclusive));
        let_in.push(other.wait(Mode::Read, options(), || false).is_ok());
        other.release_read();
        assert!(stopped.try_upgradable());
        stopped.claim_upgrade();
        let_in.push(other.wait(Mode::Read, options(), || false).is_ok());
        other.release_read();
        let upgradable = stopped.release_exclusive(HoldEnd::Consistent).is_ok();
        drop((reader, stopped, other));
        std::fs::remove_file(&path).unwrap();
        assert_eq!((let_in, upgradable), (vec![true, true], true));
    }

    /// What a claim for writing rests on that finds nobody listed.
    #[test]
    fn the_first_read_of_an_attachment_changes_the_gate() {
        let path = std::env::temp_dir().join(format!("first-read-{}", std::process::id()));
        let open = || Attachment::open(LockRef::Path(&path), &Options::default()).unwrap();
        let other = open();
        let changes = |reader: &Attachment| {
            let seen = other.load_gate();
            assert!(reader.try_read());
            reader.release_read();
            other.load_gate() != seen
        };
        let first = open();
        let mut seen = vec![changes(&first), changes(&first)];
        drop(first); // and stays listed
        seen.push(changes(&open()));
        drop(other);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(seen, [true, false, true]);
    }

    /// What others find who die between the claim of the gate and their hold, or between their release and its effect.
    #[test]
    fn a_writer_that_died_before_or_after_its_hold_is_not_reported() {
        let path = std::env::temp_dir().join(format!("died-beside-hold-{}", std::process::id()));
        let open = || Attachment::open(LockRef::Path(&path), &Options::default()).unwrap();
        let (victim, other) = (open(), open());
        let dies = || {
            other.segment.repair(victim.index, || true);
            other.owner_died().is_some()
        };
        let mut reported = Vec::new();
        for _ in 0..2 {
            assert!(victim.claim_gate(Hold::Writing, Gate::admits_exclusive));
            reported.push(dies());
            // The second time its last token is the lock's last token, too.
            assert!(victim.try_write() && victim.release_exclusive(HoldEnd::Consistent).is_ok());
        }
        assert!(victim.try_write() && victim.downgrade_to_upgradable().is_ok());
        victim.claim_upgrade();
        assert!(victim.claim_drained());
        reported.push(dies());
        victim.exclusive.set(None);
        assert!(victim.try_write());
        victim.end_write();
        reported.push(dies());
        victim.exclusive.set(None);
        assert!(victim.try_write());
        let inside = dies();
        drop((victim, other));
        std::fs::remove_file(&path).unwrap();
        assert_eq!((reported, inside), (vec![false; 4], true));
    }
}
