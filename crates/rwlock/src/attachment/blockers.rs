//! What a failing try does about blockers that died or stopped.

use super::Attachment;
use crate::monitor::peer_check::PeerCheck;
use crate::protocol::gate::Gate;
use crate::protocol::recovery::MAX_REPAIRS;
use crate::protocol::slot::Mode;
use crate::sys::park;

impl Attachment {
    /// A try failed, perhaps only because of a dead or stopped process. Checks once per clock tick
    /// at most, because failing tries often run in a loop. Returns whether another try is
    /// worthwhile.
    #[cold]
    pub(super) fn clear_blockers(&self, mode: Mode) -> bool {
        let now = park::coarse_now();
        now != self.checked_at.replace(now) && !self.segment.is_forked() && {
            let (repaired, next) = self.segment.recovery().recover_some(self.index, self.recovers_next.get());
            self.recovers_next.set(next);
            // As the last request in the queue would.
            let free = self.try_check.borrow_mut().check_for(mode, now);
            if free {
                self.segment.queue().wake_next(Some(self.index)); // which reopens a queue that need not be closed
            }
            let freed = mode == Mode::Write && self.recover_readers();
            repaired || free || freed
        }
    }

    /// Repairs what dead readers left, up to the first one that is alive and therefore blocks a
    /// writer.
    fn recover_readers(&self) -> bool {
        let mut repaired = false;
        for _ in 0..MAX_REPAIRS {
            match self.segment.readers().find_other_reader(self.index) {
                Some(reader) if self.segment.recovery().recover(reader) => repaired = true,
                _ => break,
            }
        }
        repaired
    }

    pub(crate) fn peer_check(&self) -> PeerCheck {
        self.try_check.borrow().another()
    }

    /// Whether a waiter of this attachment found that the gate names an owner that does not hold
    /// it.
    pub(crate) fn has_found_damage(&self, gate: Gate) -> bool {
        self.try_check.borrow().has_found_damage(gate)
    }
}
