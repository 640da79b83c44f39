//! Notices of process exits. The kernel reports that the process with some number has exited. That
//! is only a hint to probe the slot's byte now and not at the next check: numbers are reused, and
//! containers have numbers of their own. Without notices, the periodic checks suffice.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::shm::segment::Segment;
use crate::sys::activity::{self, Activity};
use crate::sys::exit_watch::{Listening, has_ended, namespace};

/// While it lives, the exit of the process that owned a slot is followed by the slot's recovery
/// immediately.
pub(crate) struct ExitNotice {
    /// The notice will come: the number means the same process here as there. Otherwise it may name
    /// another process.
    pub is_sure: bool,
    pid: u32,
    slot: usize,
    _listening: Listening,
}

impl ExitNotice {
    /// `None`: there is no such process, it is this one, or the system cannot report exits. The
    /// process may have exited before: probe it afterwards.
    pub fn of(segment: &Arc<Segment>, slot: usize) -> Option<Self> {
        let pid = pid_of(segment, slot);
        if pid == 0 || pid == std::process::id() {
            return None;
        }
        let own = namespace();
        let is_sure = own != 0 && segment.slots()[slot].waiting.namespace.load(Relaxed) == own;
        let peer = segment.clone();
        let _listening = Listening::new(pid, move || peer.recovery().on_peer_exit(slot))?;
        Some(Self { is_sure, pid, slot, _listening })
    }

    /// Whether it reports the same exit as one created now.
    pub fn is_of(&self, segment: &Segment, slot: usize) -> bool {
        self.slot == slot && self.pid == pid_of(segment, slot)
    }
}

/// Whether the process that owned `slot` has exited, as far as its number says. `None`: unknown;
/// probe its byte.
pub(crate) fn has_owner_ended(segment: &Segment, slot: usize) -> Option<bool> {
    let own = namespace();
    if own == 0 || segment.slots()[slot].waiting.namespace.load(Relaxed) != own {
        return None;
    }
    match pid_of(segment, slot) {
        0 => None,
        pid if pid == std::process::id() => Some(false),
        pid => has_ended(pid),
    }
}

/// What the threads of the process that owns `slot` are doing.
pub(crate) fn activity_of_owner(segment: &Segment, slot: usize) -> Activity {
    let own = namespace();
    if own == 0 || segment.slots()[slot].waiting.namespace.load(Relaxed) != own {
        return Activity::Unknown;
    }
    activity::of(pid_of(segment, slot))
}

fn pid_of(segment: &Segment, slot: usize) -> u32 {
    crash_point!(exit_notice_pid);
    segment.slots()[slot].waiting.pid.load(Relaxed)
}
