//! The operating system: one small file for each way that a system does a thing.

pub(crate) mod activity;
pub(crate) mod byte_lock;
pub(crate) mod exit_watch;
pub(crate) mod park;
