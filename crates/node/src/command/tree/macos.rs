//! The command and its descendants, as far as their parents live.

use std::ffi::c_int;
use std::ptr;

use libc::pid_t;

use crate::command::os;

const MOST_CHILDREN: usize = 256;

/// macOS has nothing like that.
pub(in crate::command) fn adopt_orphans() {}

/// The same.
pub(in crate::command) fn die_with(_guardian: pid_t) {}

/// Kills a process and its descendants. Each is stopped first, so that it starts no other.
pub(in crate::command) fn kill(process: pid_t) {
    os::kill(process, libc::SIGSTOP);
    let mut children: [pid_t; MOST_CHILDREN] = [0; MOST_CHILDREN];
    let size = size_of_val(&children) as c_int;
    // SAFETY: valid for writes of `size` bytes.
    let count = unsafe { libc::proc_listchildpids(process, ptr::from_mut(&mut children).cast(), size) };
    for &child in children.iter().take(usize::try_from(count).unwrap_or_default()) {
        if child != 0 {
            kill(child);
        }
    }
    os::kill(process, libc::SIGKILL);
}
