//! The bench's Rust side: processes that do with one lock what they are told, uncontended pairs of all locks in turns, and
//! what many readers cost.
//!
//! ```text
//! process-rwlock-bench <system> <path-prefix>
//! process-rwlock-bench crowd [--json] [--readers 1,10,100,1000,4000]
//! process-rwlock-bench pairs [--quick] [--json] [--slots 1,10,100,1000]
//! ```
//!
//! A driver opens the lock of `system` that belongs to `path-prefix` and says so in a line of JSON. Then it answers each
//! line of its input, a [`linux::protocol::Command`], with one line: what it found, or `{"error":…}`. All times are ns of
//! `CLOCK_MONOTONIC`, which processes have in common. The end of its input ends it.

#![allow(rustdoc::private_intra_doc_links)] // it is a program

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod linux;

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn main() -> std::process::ExitCode {
    linux::main()
}

/// `raw_sync`'s lock does not exist on Windows and does not link on macOS; `pthread_rwlock_t` has its kinds in glibc.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn main() {
    println!("The rivals are all at home on Linux with glibc only.");
}
