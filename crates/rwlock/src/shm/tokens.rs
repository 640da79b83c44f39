//! Where tokens begin, so that none is handed out again.
//!
//! A new lock goes on above all that had its name before. It cannot know them while it is made: another one may be published,
//! used and removed meanwhile. So who attaches to it first raises its tokens, before anybody can have used it.
//!
//! Tokens of a file outlast a loss of power. What a lock handed out may never have reached the disk: then the file is found as it
//! was minutes ago, and would hand out the same tokens again.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::{Backing, LockLocation, Segment, token_floor, unix_nanos};
use crate::attachment::TryMark;
use crate::protocol::gate::Hold;
use crate::shm::layout::FRESH;

impl Segment {
    /// Raises the last token to at least the time of day, which is above all that were ever handed out: fewer than one per ns
    /// since the lock was made. That of a new lock also above those of removed ones ([`token_floor`]).
    ///
    /// For the attachment in `slot`, which holds nothing yet. To a lock that is not new nothing happens beside others, unless the
    /// last token is older than the system's start: several may attach at once after that, and none of them be alone.
    ///
    /// Only the gate's owner changes the last token. A writer to be is enough: if it is stopped here, others go past it.
    pub fn raise_tokens(&self, slot: usize) {
        crash_point!(raise_load);
        let is_fresh = self.has_flag(FRESH);
        if !is_fresh && !self.is_on_disk() {
            return;
        }
        let is_alone = || matches!(self.lock.is_in_use(), Ok(false));
        if !is_fresh && !is_alone() && self.gate().last_token.load(Relaxed) >= unix_nanos().saturating_sub(uptime()) {
            return;
        }
        // First, since the lock's last token tells a writer that died inside from one that died beside its hold.
        self.recover_all(usize::MAX);
        crash_point!(raise_load_token);
        let last = self.gate().last_token.load(Relaxed);
        let least = if is_fresh { token_floor::seed() } else { unix_nanos() };
        if last >= least {
            return;
        }
        let Some(_trying) = self.claim_for(slot) else { return };
        // A reader's token must not change. Nor may a writer's, which had to wait for us, or went past us: then it has raised
        // the last token itself.
        if self.find_other_reader(slot).is_none() {
            crash_point!(raise_token);
            let _ = self.gate().last_token.compare_exchange(last, least, SeqCst, Relaxed);
        }
        // Before the gate is free for others, who shall find either.
        crash_point!(raise_settled);
        self.header().flags.fetch_and(!FRESH, SeqCst);
        crash_point!(raise_end);
        self.change_gate(|gate| gate.is_drained_by(slot).then(|| gate.with_drain_aborted()));
        self.wake_next(Some(slot));
    }

    /// Other memory does not outlive a loss of power.
    fn is_on_disk(&self) -> bool {
        matches!((&self.location, &self._backing), (LockLocation::File { .. }, Backing::File(_)))
    }

    /// The gate for the attachment in `slot`, which does not wait for the readers inside. `None`: somebody has it.
    fn claim_for(&self, slot: usize) -> Option<TryMark<'_>> {
        let in_try = TryMark::of(&self.slots()[slot]);
        crash_point!(raise_gate);
        let found = self.change_gate(|gate| gate.is_free().then(|| gate.acquired(Hold::Draining, slot)));
        found.is_free().then_some(in_try)
    }
}

/// How long the system has run, in ns; for ever where that is not known: then only who attaches alone raises tokens.
#[cfg(target_os = "linux")]
fn uptime() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid for writes.
    if unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) } == 0 {
        time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
    } else {
        u64::MAX
    }
}

#[cfg(not(target_os = "linux"))]
fn uptime() -> u64 {
    u64::MAX
}

#[cfg(all(test, not(loom), not(miri)))]
mod tests {
    use crate::attachment::requests::WaitOptions;
    use crate::attachment::{Attachment, LockRef, Options};
    use crate::protocol::slot::Mode;
    use crate::sys::park;

    /// What a process leaves that is stopped while it raises the last token, though somebody reads meanwhile.
    #[test]
    fn who_is_stopped_while_it_attaches_is_passed_over() {
        let path = std::env::temp_dir().join(format!("stopped-raise-{}", std::process::id()));
        let open = || Attachment::open(LockRef::Path(&path), &Options::default()).unwrap();
        let (reader, stopped, other) = (open(), open(), open());
        assert!(reader.try_read());
        std::mem::forget(stopped.segment.claim_for(stopped.index));
        let options = WaitOptions { deadline: park::now() + 5_000_000_000, fairness: 0 };
        let reads = other.wait(Mode::Read, options, || false).is_ok();
        drop((reader, stopped, other));
        std::fs::remove_file(&path).unwrap();
        assert!(reads);
    }
}
