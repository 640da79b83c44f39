//! A lock, the memory that it protects, and its users.

use std::mem::ManuallyDrop;
use std::sync::Arc;

#[cfg(loom)]
pub use ::loom::cell::UnsafeCell;
#[cfg(loom)]
use ::loom::thread;
#[cfg(not(loom))]
use plain::UnsafeCell;
#[cfg(not(loom))]
use std::thread;

use crate::attachment::{Attachment, HoldEnd};
use crate::options::WaitOptions;
use crate::protocol::slot::Mode;
use crate::shm::heap::Heap;

pub const NO_LIMIT: WaitOptions = WaitOptions { deadline: u64::MAX, fairness: u64::MAX, in_turn: false };

/// A user of the lock, and what the lock protects: the token of the last write hold, in memory that is not atomic. Loom,
/// ThreadSanitizer and Miri find each unprotected access to it.
pub struct Participant {
    pub own: ManuallyDrop<Attachment>,
    protected: Arc<Protected>,
}

impl Drop for Participant {
    fn drop(&mut self) {
        // loom cannot continue after a failure, and a close would fail again.
        if !std::thread::panicking() {
            // SAFETY: not used after the drop.
            unsafe { ManuallyDrop::drop(&mut self.own) };
        }
    }
}

struct Protected(UnsafeCell<u64>);

// SAFETY: accessed while the lock is held, which is what is checked.
unsafe impl Sync for Protected {}
// SAFETY: a number.
unsafe impl Send for Protected {}

pub struct Lock {
    pub heap: Arc<Heap>,
    protected: Arc<Protected>,
}

impl Lock {
    pub fn new(capacity: u32) -> Self {
        Self { heap: Heap::new(capacity), protected: Arc::new(Protected(UnsafeCell::new(0))) }
    }

    /// With at most `max_readers` read holds.
    #[cfg(loom)]
    pub fn limited(capacity: u32, max_readers: u32) -> Self {
        Self { heap: Heap::limited(capacity, max_readers), protected: Arc::new(Protected(UnsafeCell::new(0))) }
    }

    pub fn attach(&self) -> Participant {
        Participant { own: ManuallyDrop::new(self.heap.attach()), protected: self.protected.clone() }
    }

    pub fn participants<const N: usize>(&self) -> [Participant; N] {
        std::array::from_fn(|_| self.attach())
    }
}

impl Participant {
    /// Acts on its own thread. The join returns the participant, so that it closes at the end.
    pub fn spawn(self, act: impl FnOnce(&Self) + Send + 'static) -> thread::JoinHandle<Self> {
        thread::spawn(move || {
            act(&self);
            self
        })
    }

    /// Reads what is protected; a hold must allow it.
    pub fn read(&self) {
        let own = &self.own;
        let last = self.protected.0.with(|protected| {
            // SAFETY: under a hold that keeps writers out, if the lock is right.
            unsafe { *protected }
        });
        assert_eq!(last, own.token(), "a write hold that this one does not know of");
    }

    /// Changes what is protected; a write hold must allow it.
    pub fn write(&self) {
        let token = self.own.token();
        self.protected.0.with_mut(|protected| {
            // SAFETY: under a write hold, if the lock is right.
            let last = unsafe { protected.replace(token) };
            assert!(last < token, "the last token does not grow: {token} after {last}");
        });
    }

    /// Blocks until it holds the lock.
    pub fn wait(&self, mode: Mode) {
        self.own.wait(mode, NO_LIMIT, || false).unwrap();
    }

    /// Uses a hold as its mode allows, and ends it.
    pub fn use_up(&self, mode: Mode) {
        if mode == Mode::Write {
            self.write();
        } else {
            self.read();
        }
        if mode == Mode::Read {
            self.own.release_read();
        } else {
            self.own.release_exclusive(HoldEnd::Consistent).unwrap();
        }
    }

    pub fn try_mode(&self, mode: Mode) -> bool {
        match mode {
            Mode::Read => self.own.try_read(),
            Mode::Upgradable => self.own.try_upgradable(),
            Mode::Write => self.own.try_write(),
        }
    }

    /// Tries to get the lock; if it succeeds, uses and releases it.
    pub fn pass(&self, mode: Mode) -> bool {
        let granted = self.try_mode(mode);
        if granted {
            self.use_up(mode);
        }
        granted
    }
}

#[cfg(not(loom))]
mod plain {
    /// Like loom's.
    pub struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub fn new(value: T) -> Self {
            Self(value.into())
        }

        pub fn with<R>(&self, check: impl FnOnce(*const T) -> R) -> R {
            check(self.0.get())
        }

        pub fn with_mut<R>(&self, change: impl FnOnce(*mut T) -> R) -> R {
            change(self.0.get())
        }
    }
}
