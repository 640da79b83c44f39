//! The attachments of a handle. Each thread that uses the handle has its own *seat*, which it takes
//! at its first use.
//!
//! The first seat is made when the lock is opened, so that errors appear there, and so that the lock
//! exists as long as the handle. It belongs to the first thread that uses the handle. A thread that
//! ends leaves the first seat to another thread, and closes any other seat. A seat with a hold whose
//! guard was leaked stays until the handle is dropped.

use std::cell::{Cell, RefCell, UnsafeCell};
use std::collections::BTreeMap;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64 as Counter;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::attachment::snapshot::Snapshot;
use crate::attachment::{Attachment, HoldEnd};
use crate::error::Result;
use crate::opening::Opening;
use crate::protocol::slot::Mode;
use crate::shm::segment::Segment;
use crate::sync::AtomicU64;
use crate::sys::fork;

/// The seats of a handle.
pub(crate) struct Seats {
    first: Seat,
    /// Distinguishes this handle from every other one of the process, also later ones.
    serial: u64,
    others: Arc<Others>,
    /// That of the attachment that opened the lock, for any thread.
    segment: Arc<Segment>,
    /// The slot of that attachment.
    index: usize,
}

// SAFETY: `own` and `take` give a seat only to the thread that it belongs to, and a seat can be used
// by another thread only after that thread has left it, or when the handle is no longer borrowed.
unsafe impl Sync for Seats {}

/// An attachment, and the thread that it belongs to. Not `Sync`, so no reference to it leaves that
/// thread.
pub(crate) struct Seat {
    owner: Owner,
    attachment: UnsafeCell<Attachment>,
    opening: Arc<Opening>,
    /// The write hold began while a panic was already unwinding this thread. Only kept if panics
    /// poison the lock.
    began_in_panic: Cell<bool>,
}

/// The thread that a seat belongs to. Release and acquire order what a thread did with the seat
/// before what the next thread does with it.
pub(crate) struct Owner(AtomicU64);

const NOBODY: u64 = u64::MAX;
/// Added to the number of a thread that [`Seats::own`] should not find.
const NOT_FAST: u64 = 1 << 63;

impl Owner {
    pub fn nobody() -> Self {
        Self(AtomicU64::new(NOBODY))
    }

    /// Relaxed, because a thread that finds itself here has stored that.
    #[inline]
    pub fn is(&self, thread: u64) -> bool {
        self.0.load(Relaxed) == thread
    }

    pub fn claim(&self, thread: u64) -> bool {
        self.0.compare_exchange(NOBODY, thread, Acquire, Relaxed).is_ok()
    }

    pub fn leave(&self) {
        self.0.store(NOBODY, Release);
    }
}

impl Seat {
    fn new(attachment: Attachment, opening: Arc<Opening>) -> Self {
        let (owner, attachment) = (Owner::nobody(), UnsafeCell::new(attachment));
        Self { owner, attachment, opening, began_in_panic: Cell::new(false) }
    }

    #[inline]
    pub fn attachment(&self) -> &Attachment {
        // SAFETY: only the thread that the seat belongs to gets here, and only `fail` changes the
        // value, when nothing else refers to it.
        unsafe { &*self.attachment.get() }
    }

    pub fn opening(&self) -> &Opening {
        &self.opening
    }

    fn is_idle(&self) -> bool {
        let own = self.attachment();
        own.reads() == 0 && own.exclusive().is_none() && own.pending() == 0
    }

    /// A hold in `mode` has begun. (A thread whose seat [`Seats::own`] returned need not call this.)
    pub fn began(&self, mode: Mode) {
        if self.opening.poison_on_panic && mode == Mode::Write {
            self.began_in_panic.set(std::thread::panicking());
        }
    }

    /// Ends an exclusive hold when its guard is dropped.
    #[inline]
    pub fn end_exclusive(&self) {
        if std::thread::panicking() {
            self.fail();
        } else {
            // The next acquisition reports a damaged gate.
            let _ = self.attachment().release_exclusive(HoldEnd::Consistent);
        }
    }

    /// Ends an exclusive hold in a panic. At least, this does not clear the report of an earlier
    /// writer's death. If panics poison the lock, it is reported like a death.
    #[cold]
    fn fail(&self) {
        let own = self.attachment();
        let poisons = self.opening.poison_on_panic && !self.began_in_panic.get();
        if !poisons || own.exclusive() != Some(Mode::Write) {
            let _ = own.release_exclusive(HoldEnd::Failed);
            return;
        }
        if own.release_exclusive(HoldEnd::Abandoned).is_err() {
            return;
        }
        // The slot has to keep the report, so the thread continues with another one. If there is
        // none, the report changes with the next write hold of this thread.
        if let Ok(another) = self.opening.attach_beside(&own.segment) {
            // SAFETY: the caller is the drop of the only guard, and `own` is not used any more.
            drop(unsafe { self.attachment.get().replace(another) });
        }
    }
}

impl Seats {
    /// Opens the lock.
    pub fn open(opening: Opening) -> Result<Box<Self>> {
        static SERIAL: Counter = Counter::new(1);
        let attachment = opening.attach()?;
        let (segment, index) = (attachment.segment.clone(), attachment.index);
        let serial = SERIAL.fetch_add(1, Relaxed);
        let others = Arc::new(Others(Mutex::new(Some(BTreeMap::new()))));
        Ok(Box::new(Self { first: Seat::new(attachment, Arc::new(opening)), serial, others, segment, index }))
    }

    /// The seat of this thread. `None`: it may have none, so call [`Seats::take`]. Always `None` if
    /// panics poison the lock: the fast paths then need no test for that.
    #[inline]
    pub fn own(&self) -> Option<&Seat> {
        if self.first.owner.is(THREAD.get()) {
            return Some(&self.first);
        }
        let last = LAST.get();
        if last.serial != self.serial {
            return None;
        }
        // SAFETY: it belongs to this thread and to this handle, which is not dropped. Only the end of
        // the thread closes it, and that changes `LAST`.
        Some(unsafe { last.seat.as_ref() })
    }

    /// The seat of this thread, if it has one.
    pub fn find(&self) -> Option<&Seat> {
        self.own().or_else(|| match taken(self.serial) {
            // SAFETY: as in `own`. The end of the thread removes it.
            Ok(seat) => seat.map(|seat| unsafe { seat.as_ref() }),
            Err(Ending) if self.is_forked() => None, // nobody may unlock the others
            Err(Ending) => self.others.find(THREAD.get()).map(|seat| {
                // SAFETY: as in `own`. No later end of the thread closes it.
                unsafe { seat.as_ref() }
            }),
        })
    }

    /// The seat of this thread, which takes one if it has none.
    ///
    /// # Errors
    /// Those of [`Attachment::open`], and that the lock was opened before a fork.
    #[cold]
    pub fn take(&self) -> Result<&Seat> {
        self.segment.check_not_forked()?;
        let seat = match self.find() {
            Some(seat) => seat,
            None => self.take_new(number_of_thread())?,
        };
        if !seat.opening.poison_on_panic {
            LAST.set(Last { serial: self.serial, seat: NonNull::from(seat) });
        }
        Ok(seat)
    }

    fn take_new(&self, thread: u64) -> Result<&Seat> {
        let is_ending = taken(self.serial).is_err();
        // A thread that is ending will not leave its seat, and the first seat should not be lost.
        let owner = if self.first.opening.poison_on_panic { thread | NOT_FAST } else { thread };
        if !is_ending && self.first.owner.claim(owner) {
            remember(self.serial, Taken::by(&self.others, &self.first));
            return Ok(&self.first);
        }
        let opening = &self.first.opening;
        let seat = Box::new(Seat::new(opening.attach_beside(&self.segment)?, opening.clone()));
        let seat = self.others.add(thread, seat);
        // SAFETY: as in `own`.
        let seat = unsafe { seat.as_ref() };
        if !is_ending {
            remember(self.serial, Taken::by(&self.others, seat));
        }
        Ok(seat)
    }

    /// Whether this process was forked after it opened the lock.
    pub fn is_forked(&self) -> bool {
        self.segment.is_forked()
    }

    /// The holders and the waiters. It takes no seat.
    pub fn inspect(&self) -> Snapshot {
        match self.find() {
            Some(seat) => seat.attachment().inspect(),
            None => Snapshot::by_another(&self.segment, self.index),
        }
    }

    /// The limit on readers.
    pub fn max_readers(&self) -> Option<u32> {
        self.segment.max_readers()
    }

    /// The lock's value. It takes no seat.
    pub fn value(&self) -> Option<Vec<u8>> {
        self.segment.value().get().map(|(value, _)| value)
    }
}

impl Drop for Seats {
    fn drop(&mut self) {
        // In a forked child, a thread that does not exist there may have locked them.
        if !self.is_forked() {
            drop(self.others.lock().take());
        }
    }
}

/// All seats but the first, by thread. `None`: the handle is dropped.
struct Others(Mutex<Option<BTreeMap<u64, Box<Seat>>>>);

impl Others {
    fn lock(&self) -> MutexGuard<'_, Option<BTreeMap<u64, Box<Seat>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, thread: u64) -> Option<NonNull<Seat>> {
        self.lock().as_ref()?.get(&thread).map(|seat| NonNull::from(&**seat))
    }

    fn add(&self, thread: u64, seat: Box<Seat>) -> NonNull<Seat> {
        seat.owner.claim(thread);
        let mut seats = self.lock();
        NonNull::from(&**seats.get_or_insert_default().entry(thread).or_insert(seat))
    }

    /// For a `thread` that ends: leaves its `seat`.
    fn leave(&self, thread: u64, seat: NonNull<Seat>) {
        // Held until the seat is closed, so that a drop of the handle waits for that.
        let mut seats = self.lock();
        let Some(seats) = &mut *seats else { return };
        // SAFETY: the handle is not dropped: before it frees its seats, its drop waits for the lock.
        let seat = unsafe { seat.as_ref() };
        if seat.is_idle() && seats.remove(&thread).is_none() {
            seat.owner.leave(); // the first one
        }
    }
}

// ---- this thread

/// A thread that ends and has no thread-local values any more.
struct Ending;

/// The seat of another handle than the first that this thread used last.
#[derive(Clone, Copy)]
struct Last {
    serial: u64,
    seat: NonNull<Seat>,
}

impl Last {
    const NONE: Self = Self { serial: 0, seat: NonNull::dangling() };
}

/// A seat that this thread has taken.
struct Taken {
    seat: NonNull<Seat>,
    others: Weak<Others>,
    /// See [`fork::generation`].
    generation: u32,
}

impl Taken {
    fn by(others: &Arc<Others>, seat: &Seat) -> Self {
        Self { seat: NonNull::from(seat), others: Arc::downgrade(others), generation: fork::generation() }
    }
}

/// The seats of this thread, by the serial number of their handle.
#[derive(Default)]
struct OfThread(RefCell<BTreeMap<u64, Taken>>);

thread_local! {
    /// Which thread this is, unlike any other of the process, also later ones. 0: not yet chosen.
    static THREAD: Cell<u64> = const { Cell::new(0) };
    static LAST: Cell<Last> = const { Cell::new(Last::NONE) };
    static OF_THREAD: OfThread = OfThread::default();
}

impl Drop for OfThread {
    fn drop(&mut self) {
        LAST.set(Last::NONE);
        for taken in std::mem::take(self.0.get_mut()).into_values() {
            // A forked child must not touch what its parent has, nor wait for its threads.
            if taken.generation == fork::generation()
                && let Some(others) = taken.others.upgrade()
            {
                others.leave(THREAD.get(), taken.seat);
            }
        }
    }
}

fn number_of_thread() -> u64 {
    static NEXT: Counter = Counter::new(1);
    if THREAD.get() == 0 {
        THREAD.set(NEXT.fetch_add(1, Relaxed));
    }
    THREAD.get()
}

fn taken(serial: u64) -> std::result::Result<Option<NonNull<Seat>>, Ending> {
    OF_THREAD.try_with(|seats| seats.0.borrow().get(&serial).map(|taken| taken.seat)).map_err(|_| Ending)
}

fn remember(serial: u64, taken: Taken) {
    let _ = OF_THREAD.try_with(|seats| {
        let seats = &mut *seats.0.borrow_mut();
        // From time to time, forgets the handles that were dropped.
        if seats.len() >= 16 && seats.len().is_power_of_two() {
            seats.retain(|_, taken| taken.others.strong_count() != 0);
        }
        seats.insert(serial, taken);
    });
}
