//! How other processes wake the event loop of an attachment.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::Attachment;
use crate::protocol::wake::NO_DOORBELL;
use crate::sys::doorbell::Doorbell;

impl Attachment {
    /// From now on, a process with news for this attachment rings `doorbell` with `number`, unless
    /// this thread blocks in [`Attachment::wait`]. A [`crate::Watch`] is still needed, because
    /// rings may be lost.
    pub fn set_doorbell(&self, doorbell: &Doorbell, number: u32) {
        let line = &self.slot().waiting;
        line.doorbell_key.store(doorbell.key(number), Relaxed);
        crash_point!(doorbell_set);
        line.doorbell.store(doorbell.name(), SeqCst);
    }

    /// This thread is about to sleep on the wake word. Returns the argument for
    /// [`Attachment::unmute`].
    pub(super) fn mute(&self) -> u64 {
        let word = &self.slot().waiting.doorbell;
        let name = word.load(Relaxed);
        if name != NO_DOORBELL {
            crash_point!(doorbell_mute);
            word.store(NO_DOORBELL, SeqCst);
        }
        name
    }

    pub(super) fn unmute(&self, name: u64) {
        if name != NO_DOORBELL {
            crash_point!(doorbell_unmute);
            self.slot().waiting.doorbell.store(name, SeqCst);
        }
    }
}
