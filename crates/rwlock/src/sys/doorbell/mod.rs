//! Wakes an event loop from another process, without a thread in between.
//!
//! An event loop sleeps in the kernel until one of its descriptors is readable, so it cannot sleep
//! on a word too. With a thread that sleeps on the word on behalf of the loop, every handoff costs
//! two wake-ups in sequence. So the loop has a socket, whose name is in its slot: a waker marks the
//! word as usual, and then sends to the socket instead of waking a sleeper on the word.
//!
//! A ring is a hint. It can be lost because of a full queue or a different network namespace; then
//! the sender wakes the sleeper on the word instead. It can be lost with its receiver; then
//! `monitor::watcher` checks the word every few milliseconds. The kernel drops every ring without
//! the secret, which is in the lock's memory: a process that cannot open the lock cannot wake its
//! users.

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

/// How an event loop is notified of changes for its attachments.
pub struct Doorbell {
    socket: Socket,
    name: u64,
    secret: u32,
}

impl Doorbell {
    /// Opens a doorbell. It is removed when it is dropped or its process dies.
    ///
    /// # Errors
    /// The system does not support doorbells, or is out of resources.
    pub fn open() -> io::Result<Self> {
        let (name, secret) = (getrandom::u64()?.max(1), getrandom::u32()?);
        Ok(Self { socket: Socket::open(name, secret)?, name, secret })
    }

    /// The number of an attachment for which the doorbell rang, as set by
    /// [`crate::Attachment::set_doorbell`]; `None`: no more rings. The number is not trusted: check
    /// whether it is valid.
    #[must_use]
    pub fn next_ring(&self) -> Option<u32> {
        self.socket.receive().map(|key| key as u32)
    }

    /// The descriptor for the event loop to poll: it is readable after a ring.
    #[must_use]
    pub fn descriptor(&self) -> std::ffi::c_int {
        self.socket.descriptor()
    }

    /// The name to which other processes send; never 0.
    pub(crate) fn name(&self) -> u64 {
        self.name
    }

    /// The message to send for `number`.
    pub(crate) fn key(&self, number: u32) -> u64 {
        u64::from(self.secret) << 32 | u64::from(number)
    }
}
