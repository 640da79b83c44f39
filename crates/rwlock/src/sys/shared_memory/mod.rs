//! Memory that processes share, by an ID or in a file: zeroed, and kept until it is unlinked.

use std::io;

pub(crate) mod file;
#[cfg(unix)]
pub(crate) mod unix;

/// Why memory cannot be used.
pub(crate) enum Unusable {
    Gone,
    /// It was truncated.
    Empty,
    /// Another user created it.
    #[cfg_attr(windows, expect(dead_code, reason = "it lies in a folder of the user's own"))]
    Foreign(String),
    /// Its mode, which gives other users access.
    #[cfg_attr(windows, expect(dead_code, reason = "it lies in a folder of the user's own"))]
    Open(u32),
    /// The memory may be valid, but this process cannot map it: too many open files, or not enough
    /// memory. The failed call and its error.
    Refused(&'static str, io::Error),
}
