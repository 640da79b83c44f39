//! Checks that the memory orderings suffice: the lock itself, around memory that is not atomic. They need attachments that
//! share one mapping, which the public API does not offer, so they are unit tests of the crate.

mod helpers;
#[cfg(loom)]
mod loom;
#[cfg(not(loom))]
mod threads;
