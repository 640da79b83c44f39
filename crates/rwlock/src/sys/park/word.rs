//! The word that a thread sleeps on.

use std::sync::atomic::Ordering::SeqCst;

use crate::sync::AtomicU32;

/// What can be slept on: for one thread in [`super::wait`], and beside it one in [`super::wait_any`].
#[derive(Default)]
#[repr(C)]
pub(crate) struct Word {
    /// 0, or news: what its bits mean is the business of who sets them.
    pub news: AtomicU32,
    /// Where each of the two is woken, if the system cannot do so by the address of `news` (`windows`).
    #[cfg(not(loom))]
    pub(super) sleepers: [std::sync::atomic::AtomicU32; 2],
}

impl Word {
    /// Forgets what was said to an earlier owner.
    pub fn reset(&self) {
        self.news.store(0, SeqCst);
        #[cfg(not(loom))]
        for sleeper in &self.sleepers {
            sleeper.store(0, SeqCst);
        }
    }
}
