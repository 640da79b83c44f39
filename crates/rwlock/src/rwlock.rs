//! The lock for Rust programs: blocking, timed and try acquisition, with guards.

use std::path::Path;
use std::time::Duration;

use crate::attachment::Attachment;
use crate::attachment::snapshot::{OwnerDied, Snapshot};
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::{Error, Result};
use crate::opening::Opening;
use crate::options::{DEFAULT_FAIRNESS, LockRef, Options};
use crate::protocol::slot::Mode;
use crate::seats::{Seat, Seats};

/// A reader-writer lock shared with other processes, and by the threads of this one.
///
/// Each thread that uses the value takes part like a process of its own: holds and waits belong to
/// it. At its first use it *attaches*, which takes one of the lock's slots
/// ([`OpenOptions::capacity`]) and a file descriptor, until the thread ends or the value is dropped.
/// The first thread that uses the value gets the attachment that opened the lock. A guard stays in
/// its thread. The methods that wait return an error if the thread cannot attach, for example
/// because all slots are in use; the `try_` methods return `None`.
///
/// ```compile_fail,E0277
/// fn is_send(_: impl Send) {}
///
/// is_send(process_rwlock::RwLock::open("my-app/cache").unwrap().read().unwrap());
/// ```
///
/// A guard that is leaked keeps its hold, also when its thread ends, until the value is dropped or
/// the process ends; a write hold is then reported as if the process had died.
///
/// If one thread opens a lock twice, a wait of one value for the other is a deadlock that is not
/// detected.
///
/// # Examples
///
/// ```no_run
/// use std::sync::LazyLock;
/// use std::thread;
///
/// use process_rwlock::RwLock;
///
/// static CACHE: LazyLock<RwLock> = LazyLock::new(|| RwLock::open("my-app/cache").unwrap());
///
/// thread::scope(|scope| {
///     for _ in 0..4 {
///         scope.spawn(|| {
///             let _writing = CACHE.write().unwrap(); // no other thread or process is here
///         });
///     }
/// });
/// ```
pub struct RwLock {
    seats: Box<Seats>,
}

/// How to open a lock.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    options: Options,
    fairness: Duration,
    in_turn: bool,
    poison_on_panic: bool,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { options: Options::default(), fairness: DEFAULT_FAIRNESS, in_turn: false, poison_on_panic: false }
    }
}

impl OpenOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The capacity in attachments, 1 to 4095. An existing lock keeps its capacity, and requesting
    /// a different one is an error.
    #[must_use]
    pub fn capacity(mut self, capacity: u32) -> Self {
        self.options.capacity = Some(capacity);
        self
    }

    /// The most read holds of all processes together, 1 to 65,535; nested reads count each, and
    /// upgradable and write holds do not count. The creator's limit applies: see
    /// [`RwLock::max_readers`].
    #[must_use]
    pub fn max_readers(mut self, limit: u32) -> Self {
        self.options.max_readers = Some(limit);
        self
    }

    /// How long newcomers may overtake a waiter. Zero: strictly first come, first served.
    #[must_use]
    pub fn fairness(mut self, fairness: Duration) -> Self {
        self.fairness = fairness;
        self
    }

    /// Whether a read of a thread that already reads, or that has the upgradable hold, waits in turn
    /// like any other. It fails with [`ErrorKind::Deadlock`] if a writer that comes before it waits
    /// for that thread. False by default: such a read is granted past the writer.
    #[must_use]
    pub fn nested_reads_in_turn(mut self, in_turn: bool) -> Self {
        self.in_turn = in_turn;
        self
    }

    /// Whether a panic inside a write hold is reported to later holders like the death of the
    /// writer, by [`WriteGuard::owner_died`], until a write hold ends normally: as the locks of
    /// [`std::sync`] are poisoned, but seen by every process. A panic that is already unwinding when
    /// the hold begins does not count. False by default: a panic then releases like a return, except
    /// that it leaves an earlier report in place.
    ///
    /// ```no_run
    /// use process_rwlock::OpenOptions;
    ///
    /// let lock = OpenOptions::new().poison_on_panic(true).open("my-app/cache")?;
    /// let writing = lock.write()?;
    /// if writing.owner_died().is_some() {
    ///     // A writer panicked or died: repair what it left.
    /// }
    /// # Ok::<(), process_rwlock::Error>(())
    /// ```
    #[must_use]
    pub fn poison_on_panic(mut self, poison: bool) -> Self {
        self.poison_on_panic = poison;
        self
    }

    /// The label that [`RwLock::inspect`] shows.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.options.label = label.into();
        self
    }

    /// Whether a named lock whose writer died is kept after its last close, so that the death is
    /// reported to the next process that opens it. True by default. The creator's choice applies.
    #[must_use]
    pub fn durable(mut self, durable: bool) -> Self {
        self.options.transient = !durable;
        self
    }

    /// The maximum wait for another process that initializes or removes the same file; 5 s by
    /// default. Opening waits for nothing else.
    #[must_use]
    pub fn setup_timeout(mut self, timeout: Duration) -> Self {
        self.options.setup_timeout = timeout;
        self
    }

    /// Opens the lock `name` in shared memory, one for each user and machine.
    ///
    /// # Errors
    /// As [`Attachment::open`].
    pub fn open(&self, name: &str) -> Result<RwLock> {
        self.attach(LockRef::Name(name))
    }

    /// Opens the lock in the file at `path`.
    ///
    /// # Errors
    /// As [`Attachment::open`].
    pub fn open_path(&self, path: impl AsRef<Path>) -> Result<RwLock> {
        self.attach(LockRef::Path(path.as_ref()))
    }

    fn attach(&self, lock: LockRef<'_>) -> Result<RwLock> {
        let opening = Opening::new(lock, self.options.clone(), self.fairness, self.in_turn, self.poison_on_panic);
        Ok(RwLock { seats: Seats::open(opening)? })
    }
}

impl RwLock {
    /// Opens the lock `name` in shared memory, one for each user and machine.
    ///
    /// # Errors
    /// As [`Attachment::open`].
    pub fn open(name: &str) -> Result<Self> {
        OpenOptions::new().open(name)
    }

    /// Opens the lock in the file at `path`.
    ///
    /// # Errors
    /// As [`Attachment::open`].
    pub fn open_path(path: impl AsRef<Path>) -> Result<Self> {
        OpenOptions::new().open_path(path)
    }

    /// Waits for a read hold. A thread that already reads gets another one immediately.
    ///
    /// # Errors
    /// [`ErrorKind::Deadlock`] if this thread holds the lock for write; [`ErrorKind::Corrupt`].
    #[inline]
    pub fn read(&self) -> Result<ReadGuard<'_>> {
        self.acquire(Attachment::try_read, Mode::Read, None).map(ReadGuard)
    }

    /// Like [`RwLock::read`], but waits for `timeout` at most.
    ///
    /// # Errors
    /// Also [`ErrorKind::Timeout`].
    pub fn read_timeout(&self, timeout: Duration) -> Result<ReadGuard<'_>> {
        self.acquire(Attachment::try_read, Mode::Read, Some(timeout)).map(ReadGuard)
    }

    /// A read hold, if it is available without waiting.
    #[inline]
    #[must_use]
    pub fn try_read(&self) -> Option<ReadGuard<'_>> {
        match self.seats.own() {
            Some(seat) => seat.attachment().try_read().then(|| ReadGuard(seat)),
            None => self.try_elsewhere(Mode::Read).ok()?.map(ReadGuard),
        }
    }

    /// Waits for the write hold.
    ///
    /// # Errors
    /// [`ErrorKind::Deadlock`] if this thread holds the lock in any mode; [`ErrorKind::Corrupt`].
    #[inline]
    pub fn write(&self) -> Result<WriteGuard<'_>> {
        self.acquire(Attachment::try_write, Mode::Write, None).map(WriteGuard)
    }

    /// Like [`RwLock::write`], but waits for `timeout` at most.
    ///
    /// # Errors
    /// Also [`ErrorKind::Timeout`].
    pub fn write_timeout(&self, timeout: Duration) -> Result<WriteGuard<'_>> {
        self.acquire(Attachment::try_write, Mode::Write, Some(timeout)).map(WriteGuard)
    }

    /// The write hold, if it is available without waiting.
    #[inline]
    #[must_use]
    pub fn try_write(&self) -> Option<WriteGuard<'_>> {
        match self.seats.own() {
            Some(seat) => seat.attachment().try_write().then(|| WriteGuard(seat)),
            None => self.try_elsewhere(Mode::Write).ok()?.map(WriteGuard),
        }
    }

    /// Waits for the upgradable hold, which is shared with readers and can become the write hold.
    ///
    /// # Errors
    /// [`ErrorKind::Deadlock`] if this thread holds the lock upgradable or for write;
    /// [`ErrorKind::Corrupt`].
    pub fn upgradable(&self) -> Result<UpgradableGuard<'_>> {
        self.acquire(Attachment::try_upgradable, Mode::Upgradable, None).map(UpgradableGuard)
    }

    /// Like [`RwLock::upgradable`], but waits for `timeout` at most.
    ///
    /// # Errors
    /// Also [`ErrorKind::Timeout`].
    pub fn upgradable_timeout(&self, timeout: Duration) -> Result<UpgradableGuard<'_>> {
        self.acquire(Attachment::try_upgradable, Mode::Upgradable, Some(timeout)).map(UpgradableGuard)
    }

    /// The upgradable hold, if it is available without waiting.
    #[must_use]
    pub fn try_upgradable(&self) -> Option<UpgradableGuard<'_>> {
        match self.seats.own() {
            Some(seat) => seat.attachment().try_upgradable().then(|| UpgradableGuard(seat)),
            None => self.try_elsewhere(Mode::Upgradable).ok()?.map(UpgradableGuard),
        }
    }

    /// Whether this process was forked after it opened the lock. A forked child inherits no lock:
    /// every try returns `None`, every wait returns [`ErrorKind::Forked`], [`RwLock::inspect`]
    /// shows no holder, and a guard that was held at the time of the fork releases nothing. The
    /// parent keeps its holds. Open the lock again in the child.
    ///
    /// A child of `vfork`, `posix_spawn` or a raw `clone` must not use the lock. If the parent
    /// dies, its holds are not freed until that child calls `exec`.
    #[must_use]
    pub fn is_forked(&self) -> bool {
        self.seats.is_forked()
    }

    /// The holders, the waiters, and the writer that died inside its hold. Does not attach.
    #[must_use]
    pub fn inspect(&self) -> Snapshot {
        self.seats.inspect()
    }

    /// The most read holds of all processes together, if the lock was created with a limit.
    #[must_use]
    pub fn max_readers(&self) -> Option<u32> {
        self.seats.max_readers()
    }

    /// The lock's value, as it was set last; `None` if there is none. Needs no hold, and does not
    /// attach.
    #[must_use]
    pub fn value(&self) -> Option<Vec<u8>> {
        self.seats.value()
    }

    /// A new lock that no other process knows.
    #[cfg(feature = "lock_api")]
    pub(crate) fn open_anonymous() -> Result<Self> {
        let random = || getrandom::u64().map_err(|error| Error::access("cannot name a lock", error.into()));
        let mut options = OpenOptions::new();
        options.options.anonymous = true;
        options.open(&format!("anonymous-{:016x}{:016x}", random()?, random()?))
    }

    /// The seat of this thread, if it has one.
    #[cfg(feature = "lock_api")]
    pub(crate) fn seat(&self) -> Option<&Seat> {
        self.seats.find()
    }

    /// The seat of this thread, with a hold in `mode`.
    #[inline]
    fn acquire(&self, try_now: fn(&Attachment) -> bool, mode: Mode, timeout: Option<Duration>) -> Result<&Seat> {
        if let Some(seat) = self.seats.own()
            && try_now(seat.attachment())
        {
            return Ok(seat);
        }
        // It returns no seat, because the compiler keeps the result in registers then.
        self.wait(mode, timeout)?;
        Ok(self.seats.find().expect("a wait takes a seat"))
    }

    #[cold]
    fn wait(&self, mode: Mode, timeout: Option<Duration>) -> Result<()> {
        if self.seats.own().is_none() && self.try_elsewhere(mode)?.is_some() {
            return Ok(());
        }
        let seat = self.seats.take()?;
        seat.attachment().wait(mode, seat.opening().wait_options(timeout), || false)?;
        seat.began(mode);
        Ok(())
    }

    /// Tries with a seat that this thread has to take or to find first.
    #[cold]
    fn try_elsewhere(&self, mode: Mode) -> Result<Option<&Seat>> {
        let seat = self.seats.take()?;
        let granted = seat.attachment().try_mode(mode);
        if granted {
            seat.began(mode);
        }
        Ok(granted.then_some(seat))
    }
}

/// A read hold; released on drop.
#[must_use = "dropping the guard releases the lock"]
pub struct ReadGuard<'a>(&'a Seat);

/// The write hold; released on drop.
#[must_use = "dropping the guard releases the lock"]
pub struct WriteGuard<'a>(&'a Seat);

/// The upgradable hold; released on drop.
#[must_use = "dropping the guard releases the lock"]
pub struct UpgradableGuard<'a>(&'a Seat);

impl<'a> ReadGuard<'a> {
    /// Changes to the write hold, if it is available without waiting and this thread has no other
    /// read hold.
    ///
    /// # Errors
    /// Returns the guard otherwise.
    pub fn try_upgrade(self) -> std::result::Result<WriteGuard<'a>, Self> {
        if self.0.attachment().try_upgrade() { Ok(WriteGuard::of(self.into_seat())) } else { Err(self) }
    }
}

impl<'a> WriteGuard<'a> {
    /// The hold that an upgrade became.
    fn of(seat: &'a Seat) -> Self {
        seat.began(Mode::Write);
        Self(seat)
    }

    /// The fencing token of this hold: greater than that of every earlier write hold.
    #[must_use]
    pub fn token(&self) -> u64 {
        self.0.attachment().token()
    }

    /// Replaces the lock's value, of up to [`crate::MAX_VALUE`] bytes; `None` removes it. Other
    /// processes see the new value at once, by [`RwLock::value`]. If this process dies, they see
    /// the old value or the new one.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if it is longer; [`ErrorKind::Forked`].
    pub fn set_value(&self, value: Option<&[u8]>) -> Result<()> {
        self.0.attachment().set_value(value)
    }

    /// Changes to a read hold; no writer gets in between.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`]: the lock's memory was modified externally.
    pub fn downgrade(self) -> Result<ReadGuard<'a>> {
        let seat = self.into_seat();
        seat.attachment().downgrade_to_read().map(|()| ReadGuard(seat))
    }

    /// Changes to an upgradable hold.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`]: the lock's memory was modified externally.
    pub fn downgrade_to_upgradable(self) -> Result<UpgradableGuard<'a>> {
        let seat = self.into_seat();
        seat.attachment().downgrade_to_upgradable().map(|()| UpgradableGuard(seat))
    }
}

impl<'a> UpgradableGuard<'a> {
    /// Changes to the write hold after the readers have left.
    ///
    /// # Errors
    /// Returns the guard, with [`ErrorKind::Timeout`] after `timeout`, [`ErrorKind::Deadlock`] if
    /// this thread also reads, or [`ErrorKind::Corrupt`].
    pub fn upgrade(self, timeout: Option<Duration>) -> std::result::Result<WriteGuard<'a>, (Self, Error)> {
        let seat = self.0;
        match seat.attachment().wait_upgrade(seat.opening().wait_options(timeout), || false) {
            Ok(()) => Ok(WriteGuard::of(self.into_seat())),
            Err(error) => Err((self, error)),
        }
    }

    /// Changes to the write hold, if it is available without waiting.
    ///
    /// # Errors
    /// Returns the guard otherwise.
    pub fn try_upgrade(self) -> std::result::Result<WriteGuard<'a>, Self> {
        if self.0.attachment().try_upgrade() { Ok(WriteGuard::of(self.into_seat())) } else { Err(self) }
    }

    /// Changes to a read hold.
    ///
    /// # Errors
    /// Returns the guard, with [`ErrorKind::Busy`] if the limit on readers is reached, or
    /// [`ErrorKind::Corrupt`] if the lock's memory was modified externally.
    pub fn downgrade(self) -> std::result::Result<ReadGuard<'a>, (Self, Error)> {
        match self.0.attachment().downgrade_to_read() {
            Ok(()) => Ok(ReadGuard(self.into_seat())),
            Err(error) => Err((self, error)),
        }
    }
}

macro_rules! guard {
    ($guard:ident, $mode:ident, $($release:tt)+) => {
        impl<'a> $guard<'a> {
            /// The writer whose hold ended without release, until a write hold ends consistent. The
            /// protected data may be half-written.
            #[must_use]
            pub fn owner_died(&self) -> Option<OwnerDied> {
                self.0.attachment().owner_died()
            }

            /// The lock's value, as the last writer left it; `None` if there is none.
            #[must_use]
            pub fn value(&self) -> Option<Vec<u8>> {
                self.0.attachment().value()
            }

            /// Whether a request waits that this hold keeps out. A hint.
            #[must_use]
            pub fn is_contended(&self) -> bool {
                self.0.attachment().is_contended(Mode::$mode)
            }

            /// Blocks this thread until a request waits that this hold keeps out, or until `timeout` has
            /// passed. Returns whether there is one. So a thread can keep the lock until another one
            /// wants it:
            ///
            /// ```
            /// # fn main() -> process_rwlock::Result<()> {
            /// # use process_rwlock::RwLock;
            /// # use std::time::Duration;
            /// # let lock = RwLock::open(&format!("doc/contended/{}", std::process::id()))?;
            /// let guard = lock.write()?;
            /// if guard.wait_contended(Some(Duration::from_millis(1))) {
            ///     // Write back what is only in memory.
            ///     drop(guard);
            /// }
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// A hint, too: the request may have ended its wait when this returns.
            #[must_use]
            pub fn wait_contended(&self, timeout: Option<Duration>) -> bool {
                self.0.attachment().wait_contended(Mode::$mode, self.0.opening().wait_options(timeout).deadline)
            }

            /// Takes the seat out without releasing.
            fn into_seat(self) -> &'a Seat {
                std::mem::ManuallyDrop::new(self).0
            }
        }

        impl Drop for $guard<'_> {
            #[inline]
            fn drop(&mut self) {
                self.0.$($release)+;
            }
        }
    };
}

guard!(ReadGuard, Read, attachment().release_read());
guard!(WriteGuard, Write, end_exclusive());
guard!(UpgradableGuard, Upgradable, end_exclusive());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_hold_whose_guard_was_leaked_ends_abandoned() {
        let path = std::env::temp_dir().join(format!("leaked-guard-{}", std::process::id()));
        let lock = RwLock::open_path(&path).unwrap();
        let token = {
            let guard = lock.write().unwrap();
            let token = guard.token();
            std::mem::forget(guard);
            token
        };
        drop(lock);
        let later = RwLock::open_path(&path).unwrap();
        let died = later.read().unwrap().owner_died();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(died.map(|died| (died.pid, died.token)), Some((std::process::id(), token)));
    }
}
