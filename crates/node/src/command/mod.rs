//! Runs the command of `process-rwlock exec`. It must not survive this process, not even if that is
//! killed, because the lock is free then.
//!
//! This process starts a [`guardian`], and the guardian starts the command. When this process has
//! ended, the guardian kills the command. Linux: and everything that descends from it, and the
//! lock is free only after that, because the guardian has copies of the lock's descriptors.
//!
//! [`supervise`] waits for both, and passes signals on. Both [`image`] and pipes are made before the
//! fork: the child of a process with several threads must not allocate memory.
//!
//! On Windows Node.js does this itself: it puts its child processes into a job that ends with it.

use napi_derive::napi;

mod guardian;
mod image;
mod os;
mod report;
mod signals;
mod supervise;
#[cfg_attr(target_os = "linux", path = "tree/linux.rs")]
#[cfg_attr(target_os = "macos", path = "tree/macos.rs")]
mod tree;

use image::Image;

/// How a command has ended: one of these.
#[napi(object)]
pub struct CommandEnd {
    /// Its exit code.
    pub code: Option<i32>,
    /// The number of the signal that ended it.
    pub signal: Option<i32>,
    /// It could not be started: the number of the system's error.
    pub errno: Option<i32>,
}

/// Runs a command, with this process' standard streams and terminal, and blocks this thread until
/// it has ended. Signals that this process receives are passed on to the command, except those that
/// a terminal sends to both. If the command is stopped, so is this process.
///
/// `args`: the command, which is searched for in `PATH`, and its arguments. `variables`: changes to
/// the environment, as `NAME=value`, or `NAME` to remove one.
///
/// Leaves its handlers of signals in place: for a process that ends soon.
#[napi(catch_unwind)]
pub fn run_command(args: Vec<String>, variables: Vec<String>) -> napi::Result<CommandEnd> {
    let mut image = Image::new(args, &variables)?;
    // Its errors are from before the start.
    let end = supervise::run(&mut image)
        .or_else(|error| error.raw_os_error().map(supervise::End::NotStarted).ok_or(error))?;
    Ok(match end {
        supervise::End::Exited(code) => CommandEnd { code: Some(code), signal: None, errno: None },
        supervise::End::Signaled(signal) => CommandEnd { code: None, signal: Some(signal), errno: None },
        supervise::End::NotStarted(errno) => CommandEnd { code: None, signal: None, errno: Some(errno) },
    })
}

/// Ends this process immediately, without the exit handlers of Node.js, which restore the settings
/// of the terminal that a command has changed.
#[napi(catch_unwind)]
pub fn exit_with_code(code: i32) {
    os::exit(code)
}

/// Ends this process by a signal that ended its command, without a core dump.
#[napi(catch_unwind)]
pub fn exit_by_signal(signal: i32) {
    os::end_by_signal(signal)
}
