//! Waking an event loop from another process, without a thread in between.
//!
//! A loop sleeps in the kernel until one of its descriptors can be read, so it cannot sleep on a word as well. A thread that
//! does so for it costs a second wake-up, one after the other, at every handoff. So the loop has a socket, and its slot says
//! where: whoever has news marks the word as ever, and then sends there instead of waking who sleeps on the word.
//!
//! A ring is a hint. It may be lost with a full queue or a foreign network namespace, in which case the sender wakes the word's
//! sleeper after all; or with its receiver, whose `monitor::watcher` looks at the word every few milliseconds. And the
//! kernel refuses those rings that do not say the secret, which stands in the lock's memory: who cannot open the lock cannot
//! wake its users.

use std::io;

#[cfg(all(target_os = "linux", not(loom), not(miri)))]
mod linux;
#[cfg(all(target_os = "linux", not(loom), not(miri)))]
use linux::Socket;
#[cfg(all(target_os = "linux", not(loom), not(miri)))]
pub(crate) use linux::send;

#[cfg(not(all(target_os = "linux", not(loom), not(miri))))]
mod none;
#[cfg(not(all(target_os = "linux", not(loom), not(miri))))]
use none::Socket;
#[cfg(not(all(target_os = "linux", not(loom), not(miri))))]
pub(crate) use none::send;

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

    /// The number of an attachment that somebody rang for, as [`crate::Attachment::set_doorbell`] said it; `None`: no more. It may be
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

    /// Where others send to ring it; never 0.
    pub(crate) fn name(&self) -> u64 {
        self.name
    }

    /// What they send for `number`.
    pub(crate) fn key(&self, number: u32) -> u64 {
        u64::from(self.secret) << 32 | u64::from(number)
    }
}
