//! What the systems do not agree on about files.

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{gone, identity, identity_at, network_file_system, patiently, private, reserve, shared};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{gone, identity, identity_at, network_file_system, patiently, private, reserve, shared};
