//! The native part of the benchmarks: drivers that use one lock as they are commanded, uncontended
//! pairs of all locks, and the cost of many readers.
//!
//! ```text
//! process-rwlock-bench <system> <path-prefix>
//! process-rwlock-bench crowd [--json] [--readers 1,10,100,1000,4000]
//! process-rwlock-bench pairs [--quick] [--json] [--slots 1,10,100,1000]
//! ```
//!
//! A driver opens the lock of `system` that belongs to `path-prefix`, and prints a line of JSON.
//! Then it answers each line of its input, a [`linux::protocol::Command`], with one line: the
//! result, or `{"error":…}`. All times are ns of
//! `CLOCK_MONOTONIC`, which all processes share. The driver ends when its input ends.

#![allow(rustdoc::private_intra_doc_links)] // it is a program

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod linux;

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn main() -> std::process::ExitCode {
    linux::main()
}

/// `raw_sync` has no lock for Windows and does not link on macOS; only glibc has the kinds of `pthread_rwlock_t`.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn main() {
    println!("The benchmarks run only on Linux with glibc.");
}
