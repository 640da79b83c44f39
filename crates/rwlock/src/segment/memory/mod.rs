//! Shared memory by id. The ids are ours, random, and written in the records of named locks.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(super) use unix::{create, id_prefix, open, unlink};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(super) use windows::{create, id_prefix, open, unlink};
