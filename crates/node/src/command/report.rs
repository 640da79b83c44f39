//! What the guardian and the starting command write into a pipe for the process that supervises.

use std::os::fd::RawFd;

use super::os;

#[derive(Clone, Copy)]
pub(super) enum Report {
    /// The command could not be started: the number of the error.
    NotStarted(i32),
    Exited(i32),
    /// By that signal.
    Signaled(i32),
}

const SIZE: usize = 8;

impl Report {
    pub fn send(self, descriptor: RawFd) {
        let (kind, value) = match self {
            Self::NotStarted(value) => (0, value),
            Self::Exited(value) => (1, value),
            Self::Signaled(value) => (2, value),
        };
        let number = i64::from(kind) << 32 | i64::from(value);
        os::write(descriptor, &number.to_ne_bytes());
    }

    /// `None`: no process is left that could send one.
    pub fn receive(descriptor: RawFd) -> Option<Self> {
        let mut bytes = [0; SIZE];
        if os::read(descriptor, &mut bytes) < SIZE {
            return None;
        }
        let number = i64::from_ne_bytes(bytes);
        let value = number as i32;
        Some(match number >> 32 {
            0 => Self::NotStarted(value),
            1 => Self::Exited(value),
            _ => Self::Signaled(value),
        })
    }
}
