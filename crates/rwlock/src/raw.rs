//! The lock as the raw lock of the crate `lock_api`.

use std::fmt;
use std::mem;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use lock_api::{
    GuardNoSend, RawRwLockDowngrade, RawRwLockRecursive, RawRwLockRecursiveTimed, RawRwLockTimed, RawRwLockUpgrade,
    RawRwLockUpgradeDowngrade, RawRwLockUpgradeTimed,
};

use crate::error::{Error, ErrorKind, Result};
use crate::protocol::slot::Mode;
#[cfg(doc)]
use crate::rwlock::OpenOptions;
use crate::rwlock::RwLock;
use crate::seats::Seat;

/// The lock under [`lock_api::RwLock`], whose guards give access to a value of this process, as those
/// of `parking_lot` do. Requires the feature `lock_api`.
///
/// The threads of this process take turns with each other and with all other processes that have the
/// lock open. The value itself is not shared with those: it may be a file, a socket or a mapping that
/// leads to what is.
///
/// ```no_run
/// use std::fs::File;
/// use std::io::Write;
///
/// use process_rwlock::RawRwLock;
///
/// let raw = RawRwLock::from(process_rwlock::RwLock::open("my-app/log")?);
/// let log = lock_api::RwLock::from_raw(raw, File::options().append(true).open("app.log").unwrap());
/// writeln!(log.write(), "no other process writes now").unwrap();
/// # Ok::<(), process_rwlock::Error>(())
/// ```
///
/// [`lock_api::RwLock::new`] makes a lock that no other process knows. It is opened at its first use,
/// under a random name.
///
/// # Panics
/// Where `lock_api` knows no errors, an acquisition that fails panics with the message of the
/// [`Error`]: if the lock cannot be opened, if it has no attachment left for a thread, if its memory
/// is damaged, in a forked child, and where a thread would wait for itself. A `try_` method returns
/// `None` instead.
///
/// # Differences from `parking_lot`
/// A read by a thread that already reads never waits for a writer, so `read` is the same as
/// `read_recursive`. A guard cannot be sent to another thread. Fairness is an option of the lock
/// ([`OpenOptions::fairness`]) and not of an unlock.
pub struct RawRwLock(OnceLock<RwLock>);

impl RawRwLock {
    /// The lock itself, for example to [inspect](RwLock::inspect) it. Holds that are acquired through
    /// it do not give access to the value.
    ///
    /// # Panics
    /// If it was not opened before and cannot be opened.
    #[must_use]
    pub fn lock(&self) -> &RwLock {
        self.0.get_or_init(|| expect(RwLock::open_anonymous()))
    }

    /// The seat of this thread, which has a hold.
    fn seat(&self) -> &Seat {
        self.lock().seat().expect("this thread holds the lock")
    }

    fn upgrade_within(&self, timeout: Option<Duration>) -> bool {
        let seat = self.seat();
        match seat.attachment().wait_upgrade(seat.opening().wait_options(timeout), || false) {
            Ok(()) => {
                seat.began(Mode::Write);
                true
            }
            Err(error) if error.kind() == ErrorKind::Timeout => false,
            Err(error) => fail(&error),
        }
    }
}

impl From<RwLock> for RawRwLock {
    fn from(lock: RwLock) -> Self {
        Self(OnceLock::from(lock))
    }
}

#[track_caller]
fn expect<T>(result: Result<T>) -> T {
    result.unwrap_or_else(|error| fail(&error))
}

#[cold]
#[track_caller]
fn fail(error: &Error) -> ! {
    panic!("{error}")
}

/// Keeps the hold of a guard. `false`: there is none in time.
#[track_caller]
fn kept<G>(result: Result<G>) -> bool {
    match result {
        Ok(guard) => {
            mem::forget(guard);
            true
        }
        Err(error) if error.kind() == ErrorKind::Timeout => false,
        Err(error) => fail(&error),
    }
}

/// How long it is until then.
fn until(instant: Instant) -> Duration {
    instant.saturating_duration_since(Instant::now())
}

// SAFETY: the holds are those of `RwLock`, and belong to a thread. So do the guards.
unsafe impl lock_api::RawRwLock for RawRwLock {
    #[allow(clippy::declare_interior_mutable_const)] // what each `RwLock::new` begins with
    const INIT: Self = Self(OnceLock::new());

    type GuardMarker = GuardNoSend;

    fn lock_shared(&self) {
        mem::forget(expect(self.lock().read()));
    }

    fn try_lock_shared(&self) -> bool {
        self.lock().try_read().map(mem::forget).is_some()
    }

    unsafe fn unlock_shared(&self) {
        self.seat().attachment().release_read();
    }

    fn lock_exclusive(&self) {
        mem::forget(expect(self.lock().write()));
    }

    fn try_lock_exclusive(&self) -> bool {
        self.lock().try_write().map(mem::forget).is_some()
    }

    unsafe fn unlock_exclusive(&self) {
        self.seat().end_exclusive();
    }

    fn is_locked(&self) -> bool {
        !self.lock().inspect().holders.is_empty()
    }

    fn is_locked_exclusive(&self) -> bool {
        self.lock().inspect().holders.iter().any(|holder| holder.mode == Mode::Write)
    }
}

// SAFETY: as above.
unsafe impl RawRwLockTimed for RawRwLock {
    type Duration = Duration;
    type Instant = Instant;

    fn try_lock_shared_for(&self, timeout: Duration) -> bool {
        kept(self.lock().read_timeout(timeout))
    }

    fn try_lock_shared_until(&self, timeout: Instant) -> bool {
        self.try_lock_shared_for(until(timeout))
    }

    fn try_lock_exclusive_for(&self, timeout: Duration) -> bool {
        kept(self.lock().write_timeout(timeout))
    }

    fn try_lock_exclusive_until(&self, timeout: Instant) -> bool {
        self.try_lock_exclusive_for(until(timeout))
    }
}

// SAFETY: a read by a thread that reads never waits for a writer.
unsafe impl RawRwLockRecursive for RawRwLock {
    fn lock_shared_recursive(&self) {
        lock_api::RawRwLock::lock_shared(self);
    }

    fn try_lock_shared_recursive(&self) -> bool {
        // A try would not pass a writer that waits.
        let reads = self.lock().seat().is_some_and(|seat| seat.attachment().reads() != 0);
        if reads { self.try_lock_shared_for(Duration::ZERO) } else { lock_api::RawRwLock::try_lock_shared(self) }
    }
}

// SAFETY: as above.
unsafe impl RawRwLockRecursiveTimed for RawRwLock {
    fn try_lock_shared_recursive_for(&self, timeout: Duration) -> bool {
        self.try_lock_shared_for(timeout)
    }

    fn try_lock_shared_recursive_until(&self, timeout: Instant) -> bool {
        self.try_lock_shared_until(timeout)
    }
}

// SAFETY: a write hold becomes a read hold without a moment in between.
unsafe impl RawRwLockDowngrade for RawRwLock {
    unsafe fn downgrade(&self) {
        expect(self.seat().attachment().downgrade_to_read());
    }
}

// SAFETY: an upgradable hold excludes other upgradable holds and writers, and becomes the write hold
// without a moment in between.
unsafe impl RawRwLockUpgrade for RawRwLock {
    fn lock_upgradable(&self) {
        mem::forget(expect(self.lock().upgradable()));
    }

    fn try_lock_upgradable(&self) -> bool {
        self.lock().try_upgradable().map(mem::forget).is_some()
    }

    unsafe fn unlock_upgradable(&self) {
        self.seat().end_exclusive();
    }

    unsafe fn upgrade(&self) {
        self.upgrade_within(None);
    }

    unsafe fn try_upgrade(&self) -> bool {
        let seat = self.seat();
        let upgraded = seat.attachment().try_upgrade();
        if upgraded {
            seat.began(Mode::Write);
        }
        upgraded
    }
}

// SAFETY: as above.
unsafe impl RawRwLockUpgradeDowngrade for RawRwLock {
    unsafe fn downgrade_upgradable(&self) {
        // With a limit on readers, another reader may have to leave first. None waits for this hold.
        while let Err(error) = self.seat().attachment().downgrade_to_read() {
            if error.kind() != ErrorKind::Busy {
                fail(&error);
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    unsafe fn downgrade_to_upgradable(&self) {
        expect(self.seat().attachment().downgrade_to_upgradable());
    }
}

// SAFETY: as above.
unsafe impl RawRwLockUpgradeTimed for RawRwLock {
    fn try_lock_upgradable_for(&self, timeout: Duration) -> bool {
        kept(self.lock().upgradable_timeout(timeout))
    }

    fn try_lock_upgradable_until(&self, timeout: Instant) -> bool {
        self.try_lock_upgradable_for(until(timeout))
    }

    unsafe fn try_upgrade_for(&self, timeout: Duration) -> bool {
        self.upgrade_within(Some(timeout))
    }

    unsafe fn try_upgrade_until(&self, timeout: Instant) -> bool {
        self.upgrade_within(Some(until(timeout)))
    }
}

impl fmt::Debug for RawRwLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RawRwLock").field(&self.0.get().map(RwLock::inspect)).finish()
    }
}
