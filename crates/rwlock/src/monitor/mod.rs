//! Monitoring of waits: checks of peers that may have died or stopped, and the threads that block
//! on behalf of event loops.

pub(crate) mod exit_notice;
pub(crate) mod peer_check;
pub(crate) mod watcher;
