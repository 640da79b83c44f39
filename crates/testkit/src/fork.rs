//! `fork` without `exec`, like an addon that starts worker processes.

use napi::bindgen_prelude::Result;
use napi_derive::napi;

/// Forks a child that sleeps until it is killed, for one minute at most. Returns its pid.
#[napi]
pub fn fork_and_sleep() -> Result<i32> {
    // SAFETY: the child calls only functions that are safe in a signal handler.
    let pid = unsafe { libc::fork() };
    if pid == -1 {
        return Err(std::io::Error::last_os_error().into());
    }
    if pid == 0 {
        // Otherwise the test would wait for the end of the parent's output.
        for descriptor in 0..3 {
            // SAFETY: takes a number.
            unsafe { libc::close(descriptor) };
        }
        // SAFETY: takes a number.
        unsafe { libc::alarm(60) };
        loop {
            // SAFETY: no preconditions.
            unsafe { libc::pause() };
        }
    }
    Ok(pid)
}
