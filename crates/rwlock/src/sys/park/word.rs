//! The word on which a thread sleeps.

use std::sync::atomic::Ordering::SeqCst;

use crate::sync::AtomicU32;

/// A word on which two threads can sleep: one in [`super::wait`], one in [`super::wait_any`].
#[derive(Default)]
#[repr(C)]
pub(crate) struct Word {
    /// 0, or news. The meaning of its bits is up to the code that sets them.
    pub news: AtomicU32,
    /// How to wake each of the two, on systems that cannot do so by the address of `news`
    /// (Windows).
    #[cfg(not(loom))]
    pub(super) sleepers: [std::sync::atomic::AtomicU32; 2],
}

impl Word {
    /// Clears what was meant for an earlier owner.
    pub fn reset(&self) {
        self.news.store(0, SeqCst);
        #[cfg(not(loom))]
        for sleeper in &self.sleepers {
            sleeper.store(0, SeqCst);
        }
    }
}
