//! No doorbell. Under loom one that swallows every ring: whoever sleeps on the word without having muted it is never woken.

use std::io;

#[cfg_attr(not(loom), allow(clippy::unused_self))]
pub(super) struct Socket;

impl Socket {
    pub fn open(_name: u64, _secret: u32) -> io::Result<Self> {
        if cfg!(loom) { Ok(Self) } else { Err(io::ErrorKind::Unsupported.into()) }
    }

    pub fn receive(&self) -> Option<u64> {
        None
    }

    pub fn descriptor(&self) -> std::ffi::c_int {
        -1
    }
}

pub(crate) fn send(_name: u64, _key: u64) -> bool {
    cfg!(loom)
}
