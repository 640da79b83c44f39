//! How processes are controlled on each system, and where it keeps named locks.

#[cfg(unix)]
mod unix;
#[cfg(target_os = "linux")]
pub use unix::{no_more_descriptors, no_open_file_locks, records_and_memories};
#[cfg(unix)]
pub use unix::{processor_time, resources, resume, spawn, stop};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub use windows::{records_and_memories, resources, resume, spawn, stop};
