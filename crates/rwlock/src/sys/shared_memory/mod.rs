//! Memory that processes share, by an id or in a file: zeroed, and there until it is unlinked.

use std::io;

pub(crate) mod file;
#[cfg(unix)]
pub(crate) mod unix;

/// Why memory cannot be used.
pub(crate) enum Unusable {
    Gone,
    /// It was cut off.
    Empty,
    /// Somebody else made it.
    #[cfg_attr(windows, expect(dead_code, reason = "it lies in a folder of the user's own"))]
    Foreign(String),
    /// Others may open it: its mode.
    #[cfg_attr(windows, expect(dead_code, reason = "it lies in a folder of the user's own"))]
    Open(u32),
    /// Perhaps it is all right, and only we cannot have it: too many open files, no memory. What failed, and how.
    Refused(&'static str, io::Error),
}
