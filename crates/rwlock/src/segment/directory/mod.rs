//! The private directory of a user for the lock files of named locks, the same for every process of the user whatever its
//! environment. What is in it need not outlive a restart of the system.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(super) use unix::{ensure, path};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(super) use windows::{MEMORY, ensure, path};
