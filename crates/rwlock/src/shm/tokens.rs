//! Where tokens begin, so that none is handed out again.
//!
//! A new lock goes on above all that had its name before. It cannot know them while it is made: another one may be published,
//! used and removed meanwhile. So who attaches to it first raises its tokens, before anybody can have used it.
//!
//! Tokens of a file outlast a loss of power. What a lock handed out may never have reached the disk: then the file is found as it
//! was minutes ago, and would hand out the same tokens again.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::layout::FRESH;
use super::segment::Segment;
use super::token_floor;
use crate::protocol::gate::Hold;
use crate::protocol::try_mark::TryMark;
use crate::sys::clock::{unix_nanos, uptime};

/// Raises the last token to at least the time of day, which is above all that were ever handed out: fewer than one per ns
/// since the lock was made. That of a new lock also above those of removed ones ([`token_floor`]).
///
/// For the attachment in `slot`, which holds nothing yet. To a lock that is not new nothing happens beside others, unless the
/// last token is older than the system's start: several may attach at once after that, and none of them be alone.
///
/// Only the gate's owner changes the last token. A writer to be is enough: if it is stopped here, others go past it.
pub(crate) fn raise(segment: &Segment, slot: usize) {
    crash_point!(raise_load);
    let is_fresh = segment.has_flag(FRESH);
    if !is_fresh && !segment.is_on_disk() {
        return;
    }
    let is_alone = || matches!(segment.lock.is_in_use(), Ok(false));
    if !is_fresh && !is_alone() && segment.gate().last_token.load(Relaxed) >= unix_nanos().saturating_sub(uptime()) {
        return;
    }
    // First, since the lock's last token tells a writer that died inside from one that died beside its hold.
    segment.recovery().recover_all(usize::MAX);
    crash_point!(raise_load_token);
    let last = segment.gate().last_token.load(Relaxed);
    let least = if is_fresh { token_floor::seed() } else { unix_nanos() };
    if last >= least {
        return;
    }
    let Some(_trying) = claim_for(segment, slot) else { return };
    // A reader's token must not change. Nor may a writer's, which had to wait for us, or went past us: then it has raised
    // the last token itsegment.
    if segment.readers().find_other_reader(slot).is_none() {
        crash_point!(raise_token);
        let _ = segment.gate().last_token.compare_exchange(last, least, SeqCst, Relaxed);
    }
    // Before the gate is free for others, who shall find either.
    crash_point!(raise_settled);
    segment.header().flags.fetch_and(!FRESH, SeqCst);
    crash_point!(raise_end);
    segment.change_gate(|gate| gate.is_drained_by(slot).then(|| gate.with_drain_aborted()));
    segment.queue().wake_next(Some(slot));
}

/// The gate for the attachment in `slot`, which does not wait for the readers inside. `None`: somebody has it.
fn claim_for(segment: &Segment, slot: usize) -> Option<TryMark<'_>> {
    let in_try = TryMark::of(&segment.slots()[slot]);
    crash_point!(raise_gate);
    let found = segment.change_gate(|gate| gate.is_free().then(|| gate.acquired(Hold::Draining, slot)));
    found.is_free().then_some(in_try)
}

#[cfg(all(test, not(loom), not(miri)))]
mod tests {
    use crate::attachment::Attachment;
    use crate::options::{LockRef, Options, WaitOptions};
    use crate::protocol::slot::Mode;
    use crate::sys::park;

    /// What a process leaves that is stopped while it raises the last token, though somebody reads meanwhile.
    #[test]
    fn who_is_stopped_while_it_attaches_is_passed_over() {
        let path = std::env::temp_dir().join(format!("stopped-raise-{}", std::process::id()));
        let open = || Attachment::open(LockRef::Path(&path), &Options::default()).unwrap();
        let (reader, stopped, other) = (open(), open(), open());
        assert!(reader.try_read());
        std::mem::forget(super::claim_for(&stopped.segment, stopped.index));
        let options = WaitOptions { deadline: park::now() + 5_000_000_000, fairness: 0 };
        let reads = other.wait(Mode::Read, options, || false).is_ok();
        drop((reader, stopped, other));
        std::fs::remove_file(&path).unwrap();
        assert!(reads);
    }
}
