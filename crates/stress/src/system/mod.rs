//! What the systems do not agree on about processes.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::is_gone;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
pub(crate) use macos::is_gone;

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::{bind_to_parent, has_byte, lock_byte};
#[cfg(unix)]
pub use unix::{kill, leave_no_dump, resume, stop};

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::{bind_to_parent, has_byte, is_gone, lock_byte};
#[cfg(windows)]
pub use windows::{kill, leave_no_dump, resume, stop};

/// Where the byte of process number `process` lies, behind the page.
fn place_of(process: usize) -> u64 {
    1 << 20 | process as u64
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_is_gone_when_it_was_killed_and_not_while_it_is_stopped() {
        // One that reads its input until that ends.
        let program = if cfg!(windows) { "sort" } else { "cat" };
        let mut child = Command::new(program).stdin(Stdio::piped()).spawn().unwrap();
        assert!(!is_gone(child.id()));
        stop(child.id()).unwrap();
        assert!(!is_gone(child.id()));
        kill(child.id()).unwrap();
        let start = crate::now();
        while !is_gone(child.id()) {
            assert!(crate::now() - start < 10_000_000_000);
        }
        child.wait().unwrap();
        assert!(is_gone(child.id()));
    }
}
