//! No doorbell. Under loom, a doorbell that drops every ring: a thread that sleeps on the word
//! without having muted its doorbell is never woken.

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
