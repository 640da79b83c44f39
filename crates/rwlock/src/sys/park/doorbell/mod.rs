//! Waking an event loop from another process, without a thread in between.
//!
//! A loop sleeps in the kernel until one of its descriptors can be read, so it cannot sleep on a word as well. A thread that
//! does so for it costs a second wake-up, one after the other, at every handoff. So the loop has a socket, and its slot says
//! where: whoever has news marks the word as ever, and then sends there instead of waking who sleeps on the word.
//!
//! A ring is a hint. It may be lost with a full queue or a foreign network namespace, in which case the sender wakes the word's
//! sleeper after all; or with its receiver, whose [`crate::monitor::watcher`] looks at the word every few milliseconds. And the
//! kernel refuses those rings that do not say the secret, which stands in the lock's memory: who cannot open the lock cannot
//! wake its users.

use std::io;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use crate::attachment::Attachment;
use crate::shm::layout::WaitLine;

#[cfg(all(target_os = "linux", not(loom), not(miri)))]
mod linux;
#[cfg(all(target_os = "linux", not(loom), not(miri)))]
use linux::{Socket, send};

#[cfg(not(all(target_os = "linux", not(loom), not(miri))))]
mod none;
#[cfg(not(all(target_os = "linux", not(loom), not(miri))))]
use none::{Socket, send};

/// In a slot: whoever waits there sleeps on the wake word.
pub(crate) const NONE: u64 = 0;

/// Where an event loop is told of news for its attachments.
pub struct Doorbell {
    socket: Socket,
    name: u64,
    secret: u32,
}

impl Doorbell {
    /// A doorbell that is gone when it is dropped, or its process has died.
    ///
    /// # Errors
    /// Where the system has no such thing, or none to give.
    pub fn open() -> io::Result<Self> {
        let (name, secret) = (getrandom::u64()?.max(1), getrandom::u32()?);
        Ok(Self { socket: Socket::open(name, secret)?, name, secret })
    }

    /// The number of an attachment that somebody rang for, as [`Attachment::answer`] said it; `None`: no more. It may be
    /// anything: it is to be looked at, not believed.
    #[must_use]
    pub fn next_ring(&self) -> Option<u32> {
        self.socket.receive().map(|key| key as u32)
    }

    /// What an event loop polls: it can be read when somebody has rung.
    #[must_use]
    pub fn descriptor(&self) -> std::ffi::c_int {
        self.socket.descriptor()
    }
}

/// Rings for the owner of `line`, who has been marked to have news just now. `false`: it could not be, or there is no doorbell.
///
/// The mark, then the look at the doorbell; its owner mutes it, then clears the mark, looks and sleeps. Dekker's scheme again: the
/// owner finds the mark, or is not rung for.
pub(crate) fn ring(line: &WaitLine) -> bool {
    crash_point!(doorbell_load);
    let name = line.doorbell.load(SeqCst);
    name != NONE && {
        crash_point!(ring);
        send(name, line.doorbell_key.load(Relaxed))
    }
}

/// Whether the owner of `line`, who asks, is rung for.
pub(crate) fn is_set(line: &WaitLine) -> bool {
    line.doorbell.load(Relaxed) != NONE
}

impl Attachment {
    /// Whoever has news for this attachment rings `doorbell` from now on, with `number`, unless this thread blocks in
    /// [`Attachment::wait`]. A [`crate::Watch`] is needed all the same: rings may be lost.
    pub fn answer(&self, doorbell: &Doorbell, number: u32) {
        let line = &self.slot().waiting;
        line.doorbell_key.store(u64::from(doorbell.secret) << 32 | u64::from(number), Relaxed);
        crash_point!(doorbell_set);
        line.doorbell.store(doorbell.name, SeqCst);
    }

    /// This thread is about to sleep on the wake word. Returns what [`Attachment::unmute`] needs.
    pub(crate) fn mute(&self) -> u64 {
        let word = &self.slot().waiting.doorbell;
        let name = word.load(Relaxed);
        if name != NONE {
            crash_point!(doorbell_mute);
            word.store(NONE, SeqCst);
        }
        name
    }

    pub(crate) fn unmute(&self, name: u64) {
        if name != NONE {
            crash_point!(doorbell_unmute);
            self.slot().waiting.doorbell.store(name, SeqCst);
        }
    }
}
