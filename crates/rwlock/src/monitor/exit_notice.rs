//! Being told of a death when it happens. What the kernel tells is that a process with some number has ended, which is a
//! hint to ask about its slot's byte now and not at the next look: numbers are used again, and in a container they are others.
//! Where there is no notice to be had, the looks alone serve.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::shm::segment::Segment;
use crate::sys::activity::{self, Activity};
use crate::sys::exit_watch::{Listening, has_ended, namespace};

/// While it lives, the death of whoever had a slot when it was made is followed by its recovery at once.
pub(crate) struct ExitNotice {
    /// It will come: the number means the same process here as there. Else it may be somebody else's.
    pub is_sure: bool,
    pid: u32,
    slot: usize,
    _listening: Listening,
}

impl ExitNotice {
    /// `None`: there is no such process, it is this one, or the system cannot tell. It may have died before: look afterwards.
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

    /// Whether it tells of the same death as one made now.
    pub fn is_of(&self, segment: &Segment, slot: usize) -> bool {
        self.slot == slot && self.pid == pid_of(segment, slot)
    }
}

/// Whether the process that had `slot` has ended, as far as its number says. `None`: it does not; ask about its byte.
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

/// What the threads of the process that has `slot` are doing.
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
