//! Tests of the crate's contract, with real processes and threads. Each file covers one part.
//!
//! One binary, so that the tests share their helpers and run in parallel.

mod acquiring;
mod attachment;
mod chaos;
#[cfg(target_os = "linux")]
mod clocks;
mod concurrent_opening;
mod contention;
mod damage;
mod exclusion;
mod fairness;
mod fencing;
mod files;
#[cfg(unix)]
mod forking;
mod helpers;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod interrupted;
mod limit;
#[cfg(target_os = "linux")]
mod listing;
mod local;
mod opening;
mod panicking;
mod recovery;
mod removing;
mod sharing;
mod slots;
mod steal;
#[cfg(target_os = "linux")]
mod survey;
mod upgrading;
mod value;
mod watching;
#[cfg(windows)]
mod windows;
