//! What the systems do not agree on about files.

pub(crate) mod error_names;

#[cfg(unix)]
mod access;
#[cfg(target_os = "linux")]
mod file_system;
#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use access::{give_mode, make, mending, own_target};
#[cfg(unix)]
pub(crate) use unix::{
    gone, identity, identity_at, patiently, prepare, private, reserve, retried, shared, unfit_file_system,
};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{
    give_mode, gone, identity, identity_at, make, mending, own_target, patiently, prepare, private, reserve, shared,
    unfit_file_system,
};

/// A file system that is no place for a lock: what it is, and why not.
pub(crate) struct Unfit {
    pub what: String,
    pub why: &'static str,
}

impl Unfit {
    pub fn network(name: &str) -> Self {
        Self {
            what: format!("a network file system ({name})"),
            why: "processes on other machines would not see the lock",
        }
    }
}
