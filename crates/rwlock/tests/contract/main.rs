//! The contract of the crate, tried with real processes and threads: each file tells one part of it.
//!
//! One binary, so that the tests share their kit and run beside each other.

mod acquiring;
mod attachment;
mod beside;
mod chaos;
#[cfg(target_os = "linux")]
mod clocks;
mod damage;
mod exclusion;
mod fairness;
mod fencing;
mod files;
#[cfg(unix)]
mod forking;
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
