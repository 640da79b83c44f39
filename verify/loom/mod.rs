//! Whether the memory orderings suffice: the lock as it is, around memory that is no atomic. They need more than the public
//! API, namely attachments that share one mapping, so they are unit tests of the crate.

mod helpers;
#[cfg(loom)]
mod loom;
#[cfg(not(loom))]
mod threads;
