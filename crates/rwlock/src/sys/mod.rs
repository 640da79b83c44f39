//! The operating system: one small file for each thing that systems do differently. It uses no type
//! of the lock.

pub(crate) mod activity;
pub(crate) mod byte_lock;
pub(crate) mod clock;
pub(crate) mod doorbell;
pub(crate) mod exit_watch;
pub(crate) mod files;
pub(crate) mod fork;
pub(crate) mod os_error;
pub(crate) mod park;
pub(crate) mod shared_memory;
