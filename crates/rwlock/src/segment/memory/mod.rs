//! Shared memory by id. The ids are ours, random, and written in the records of named locks.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(super) use unix::{create, id_prefix, open, unlink};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(super) use windows::{create, id_prefix, open, unlink};

/// Why memory cannot be used.
pub(super) enum Unusable {
    Gone,
    /// Its maker died on the way.
    Empty,
    /// Somebody else made it.
    #[cfg_attr(windows, expect(dead_code, reason = "it lies in a folder of the user's own"))]
    Foreign(String),
    /// Others may open it: its mode.
    #[cfg_attr(windows, expect(dead_code, reason = "it lies in a folder of the user's own"))]
    Open(u32),
    /// Perhaps it is all right, and only we cannot have it: too many open files, no memory. What failed, and how.
    Refused(&'static str, std::io::Error),
}
