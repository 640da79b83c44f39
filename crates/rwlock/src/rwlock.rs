//! The lock for Rust programs: blocking, timed and try acquisition, with guards.

use std::path::Path;
use std::time::Duration;

use crate::attachment::requests::now;
use crate::attachment::snapshot::{OwnerDied, Snapshot};
use crate::attachment::{Attachment, HoldEnd};
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::{Error, Result};
use crate::options::{DEFAULT_FAIRNESS, LockRef, Options, WaitOptions};
use crate::protocol::slot::Mode;

/// A reader-writer lock shared with other processes.
///
/// A value belongs to one thread at a time: it can be sent to another, not shared. Let every thread open the lock for
/// itself; holds and waits then belong to that thread, and its death frees them. Two values of one lock in one thread are
/// strangers to each other: that one waits for the other is a deadlock nobody sees.
pub struct RwLock {
    attachment: Attachment,
    fairness: Duration,
}

/// How to open a lock.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    options: Options,
    fairness: Duration,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { options: Options::default(), fairness: DEFAULT_FAIRNESS }
    }
}

impl OpenOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Attachments the lock can hold at once, 1 to 4095. The creator's wins; asking for another one is an error.
    #[must_use]
    pub fn capacity(mut self, capacity: u32) -> Self {
        self.options.capacity = Some(capacity);
        self
    }

    /// How long newcomers may overtake a waiter. Zero: strictly first come, first served.
    #[must_use]
    pub fn fairness(mut self, fairness: Duration) -> Self {
        self.fairness = fairness;
        self
    }

    /// What this attachment is called when somebody inspects the lock.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.options.label = label.into();
        self
    }

    /// Whether a named lock whose writer died outlives its last close, to report that to whoever opens it next. The default.
    /// The creator's wins.
    #[must_use]
    pub fn durable(mut self, durable: bool) -> Self {
        self.options.transient = !durable;
        self
    }

    /// How long opening waits, at most, for another process that lays out or removes the same file: 5 s by default. It waits
    /// for nothing else.
    #[must_use]
    pub fn setup_timeout(mut self, timeout: Duration) -> Self {
        self.options.setup_timeout = timeout;
        self
    }

    /// Opens the lock called `name`: shared memory, per user and machine.
    ///
    /// # Errors
    /// As [`Attachment::open`].
    pub fn open(&self, name: &str) -> Result<RwLock> {
        self.attach(LockRef::Name(name))
    }

    /// Opens the lock that the file at `path` is.
    ///
    /// # Errors
    /// As [`Attachment::open`].
    pub fn open_path(&self, path: impl AsRef<Path>) -> Result<RwLock> {
        self.attach(LockRef::Path(path.as_ref()))
    }

    fn attach(&self, lock: LockRef<'_>) -> Result<RwLock> {
        let attachment = Attachment::open(lock, &self.options)?.abandoning();
        Ok(RwLock { attachment, fairness: self.fairness })
    }
}

impl RwLock {
    /// Opens the lock called `name`: shared memory, per user and machine.
    ///
    /// # Errors
    /// As [`Attachment::open`].
    pub fn open(name: &str) -> Result<Self> {
        OpenOptions::new().open(name)
    }

    /// Opens the lock that the file at `path` is.
    ///
    /// # Errors
    /// As [`Attachment::open`].
    pub fn open_path(path: impl AsRef<Path>) -> Result<Self> {
        OpenOptions::new().open_path(path)
    }

    /// Waits for a read hold. A thread that reads already gets another one at once.
    ///
    /// # Errors
    /// [`ErrorKind::Deadlock`] if this thread writes; [`ErrorKind::Corrupt`].
    #[inline]
    pub fn read(&self) -> Result<ReadGuard<'_>> {
        if !self.attachment.try_read() {
            self.wait(Mode::Read, None)?;
        }
        Ok(ReadGuard(self))
    }

    /// As [`RwLock::read`], for `timeout` at most.
    ///
    /// # Errors
    /// Also [`ErrorKind::Timeout`].
    pub fn read_timeout(&self, timeout: Duration) -> Result<ReadGuard<'_>> {
        if !self.attachment.try_read() {
            self.wait(Mode::Read, Some(timeout))?;
        }
        Ok(ReadGuard(self))
    }

    /// A read hold, if that needs no waiting.
    #[inline]
    #[must_use]
    pub fn try_read(&self) -> Option<ReadGuard<'_>> {
        self.attachment.try_read().then(|| ReadGuard(self))
    }

    /// Waits for the write hold.
    ///
    /// # Errors
    /// [`ErrorKind::Deadlock`] if this thread holds the lock in any mode; [`ErrorKind::Corrupt`].
    #[inline]
    pub fn write(&self) -> Result<WriteGuard<'_>> {
        if !self.attachment.try_write() {
            self.wait(Mode::Write, None)?;
        }
        Ok(WriteGuard(self))
    }

    /// As [`RwLock::write`], for `timeout` at most.
    ///
    /// # Errors
    /// Also [`ErrorKind::Timeout`].
    pub fn write_timeout(&self, timeout: Duration) -> Result<WriteGuard<'_>> {
        if !self.attachment.try_write() {
            self.wait(Mode::Write, Some(timeout))?;
        }
        Ok(WriteGuard(self))
    }

    /// The write hold, if that needs no waiting.
    #[inline]
    #[must_use]
    pub fn try_write(&self) -> Option<WriteGuard<'_>> {
        self.attachment.try_write().then(|| WriteGuard(self))
    }

    /// Waits for the upgradable hold: beside readers, and on the way to write.
    ///
    /// # Errors
    /// [`ErrorKind::Deadlock`] if this thread holds the lock upgradable or for writing; [`ErrorKind::Corrupt`].
    pub fn upgradable(&self) -> Result<UpgradableGuard<'_>> {
        if !self.attachment.try_upgradable() {
            self.wait(Mode::Upgradable, None)?;
        }
        Ok(UpgradableGuard(self))
    }

    /// As [`RwLock::upgradable`], for `timeout` at most.
    ///
    /// # Errors
    /// Also [`ErrorKind::Timeout`].
    pub fn upgradable_timeout(&self, timeout: Duration) -> Result<UpgradableGuard<'_>> {
        if !self.attachment.try_upgradable() {
            self.wait(Mode::Upgradable, Some(timeout))?;
        }
        Ok(UpgradableGuard(self))
    }

    /// The upgradable hold, if that needs no waiting.
    #[must_use]
    pub fn try_upgradable(&self) -> Option<UpgradableGuard<'_>> {
        self.attachment.try_upgradable().then(|| UpgradableGuard(self))
    }

    /// Whether this process was forked after it opened the lock. A forked child inherits no lock: here every try is `None`,
    /// every wait is [`ErrorKind::Forked`], [`RwLock::inspect`] shows nobody, and a guard that was held at the fork releases
    /// nothing; the parent's holds are as they were. Open the lock again in the child.
    ///
    /// A child of `vfork`, `posix_spawn` or a raw `clone` must not use the lock, and keeps the parent's holds from being freed
    /// at the parent's death until it calls `exec`.
    #[must_use]
    pub fn is_forked(&self) -> bool {
        self.attachment.is_forked()
    }

    /// Who holds the lock, who waits, who died inside.
    #[must_use]
    pub fn inspect(&self) -> Snapshot {
        self.attachment.inspect()
    }

    #[cold]
    fn wait(&self, mode: Mode, timeout: Option<Duration>) -> Result<()> {
        self.attachment.wait(mode, self.options(timeout), || false)
    }

    fn options(&self, timeout: Option<Duration>) -> WaitOptions {
        WaitOptions {
            deadline: timeout.map_or(u64::MAX, |timeout| now().saturating_add(nanos(timeout))),
            fairness: nanos(self.fairness),
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// How an exclusive hold ends with its guard: a panic on the way leaves an earlier writer's death unsettled.
fn end() -> HoldEnd {
    if std::thread::panicking() { HoldEnd::Failed } else { HoldEnd::Consistent }
}

/// A read hold; dropping it releases.
#[must_use = "dropping the guard releases the lock"]
pub struct ReadGuard<'a>(&'a RwLock);

/// The write hold; dropping it releases.
#[must_use = "dropping the guard releases the lock"]
pub struct WriteGuard<'a>(&'a RwLock);

/// The upgradable hold; dropping it releases.
#[must_use = "dropping the guard releases the lock"]
pub struct UpgradableGuard<'a>(&'a RwLock);

impl<'a> ReadGuard<'a> {
    /// The write hold instead, if that needs no waiting and this thread has no other read hold; else the guard back.
    ///
    /// # Errors
    /// The guard itself.
    pub fn try_upgrade(self) -> std::result::Result<WriteGuard<'a>, Self> {
        if self.0.attachment.try_upgrade() { Ok(WriteGuard(self.into_lock())) } else { Err(self) }
    }
}

impl<'a> WriteGuard<'a> {
    /// The fencing token of this hold: greater than that of every earlier write hold.
    #[must_use]
    pub fn token(&self) -> u64 {
        self.0.attachment.token()
    }

    /// To a read hold; no writer gets in between.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`]: something else wrote into the lock's memory.
    pub fn downgrade(self) -> Result<ReadGuard<'a>> {
        let lock = self.into_lock();
        lock.attachment.downgrade_to_read().map(|()| ReadGuard(lock))
    }

    /// To an upgradable hold.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`]: something else wrote into the lock's memory.
    pub fn downgrade_to_upgradable(self) -> Result<UpgradableGuard<'a>> {
        let lock = self.into_lock();
        lock.attachment.downgrade_to_upgradable().map(|()| UpgradableGuard(lock))
    }
}

impl<'a> UpgradableGuard<'a> {
    /// To the write hold, once the readers have left.
    ///
    /// # Errors
    /// The guard back, with [`ErrorKind::Timeout`] after `timeout`, [`ErrorKind::Deadlock`] if this thread also reads, or
    /// [`ErrorKind::Corrupt`].
    pub fn upgrade(self, timeout: Option<Duration>) -> std::result::Result<WriteGuard<'a>, (Self, Error)> {
        let lock = self.0;
        match lock.attachment.wait_upgrade(lock.options(timeout), || false) {
            Ok(()) => Ok(WriteGuard(self.into_lock())),
            Err(error) => Err((self, error)),
        }
    }

    /// To the write hold, if that needs no waiting; else the guard back.
    ///
    /// # Errors
    /// The guard itself.
    pub fn try_upgrade(self) -> std::result::Result<WriteGuard<'a>, Self> {
        if self.0.attachment.try_upgrade() { Ok(WriteGuard(self.into_lock())) } else { Err(self) }
    }

    /// To a read hold.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`]: something else wrote into the lock's memory.
    pub fn downgrade(self) -> Result<ReadGuard<'a>> {
        let lock = self.into_lock();
        lock.attachment.downgrade_to_read().map(|()| ReadGuard(lock))
    }
}

macro_rules! guard {
    ($guard:ident, $($release:tt)+) => {
        impl<'a> $guard<'a> {
            /// The writer whose hold ended without release, if none has ended whole since: what the lock protects may be
            /// half-written.
            #[must_use]
            pub fn owner_died(&self) -> Option<OwnerDied> {
                self.0.attachment.owner_died()
            }

            /// Without releasing.
            fn into_lock(self) -> &'a RwLock {
                std::mem::ManuallyDrop::new(self).0
            }
        }

        impl Drop for $guard<'_> {
            #[inline]
            fn drop(&mut self) {
                // A damaged gate is told to whoever asks for the lock next.
                let _ = self.0.attachment.$($release)+;
            }
        }
    };
}

guard!(ReadGuard, release_read());
guard!(WriteGuard, release_exclusive(end()));
guard!(UpgradableGuard, release_exclusive(end()));

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
