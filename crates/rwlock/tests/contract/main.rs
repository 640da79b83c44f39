//! The contract of the crate, tried with real processes and threads: each file tells one part of it.
//!
//! One binary, so that the tests share their kit and run beside each other.

mod acquiring;
mod attachment;
mod chaos;
mod damage;
mod exclusion;
mod fairness;
mod fencing;
#[cfg(unix)]
mod files;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod interrupted;
mod kit;
mod opening;
mod recovery;
mod removing;
mod slots;
mod upgrading;
mod watching;
#[cfg(windows)]
mod windows;
