//! Chooses where tokens start, so that no token is issued twice.
//!
//! The tokens of a new lock must exceed those of all earlier locks of its name. During creation
//! they are not all known: another lock of that name may be published, used and removed meanwhile.
//! So the first attachment raises the tokens before the lock can be used.
//!
//! Tokens of a file must survive a power failure. The last tokens may not have reached the disk, so
//! after the failure the file can contain a state that is minutes old, and the same tokens would be
//! issued again.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::layout::FRESH;
use super::segment::Segment;
use super::token_floor;
use crate::protocol::gate::Hold;
use crate::protocol::try_mark::TryMark;
use crate::sys::clock::{unix_nanos, uptime};

/// Raises the last token to at least the current time, which exceeds every token ever issued: fewer
/// than one per ns since the lock was created. The last token of a new lock is also raised above
/// those of removed locks ([`token_floor`]).
///
/// Called by the attachment in `slot`, which holds nothing yet. The tokens of an existing lock stay
/// if other attachments are open, unless the last token is older than the start of the system:
/// several processes may attach at once after a start, so that none of them is alone.
///
/// Only the owner of the gate changes the last token. Draining is enough to own it: if this process
/// is stopped here, others skip it.
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
    // Before anything else, because the last token distinguishes a writer that died inside its hold
    // from one that died outside.
    segment.recovery().recover_all(usize::MAX);
    crash_point!(raise_load_token);
    let last = segment.gate().last_token.load(Relaxed);
    let least = if is_fresh { token_floor::seed() } else { unix_nanos() };
    if last >= least {
        return;
    }
    let Some(_trying) = claim_for(segment, slot) else { return };
    // The token of a reader must not change. The token of a writer must not either, but a writer
    // either waited for us, or skipped us and has raised the last token itself.
    if segment.readers().find_other_reader(slot).is_none() {
        crash_point!(raise_token);
        let _ = segment.gate().last_token.compare_exchange(last, least, SeqCst, Relaxed);
    }
    // Before the gate becomes free for other attachments, which must see one of the two changes.
    crash_point!(raise_settled);
    segment.header().flags.fetch_and(!FRESH, SeqCst);
    crash_point!(raise_end);
    segment.change_gate(|gate| gate.is_drained_by(slot).then(|| gate.with_drain_aborted()));
    segment.queue().wake_next(Some(slot));
}

/// Takes the gate for the attachment in `slot`, without waiting for readers. `None` if the gate is
/// not free.
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

    /// A process is stopped while it raises the last token, and another attachment reads meanwhile.
    #[test]
    fn who_is_stopped_while_it_attaches_is_passed_over() {
        let path = std::env::temp_dir().join(format!("stopped-raise-{}", std::process::id()));
        let open = || Attachment::open(LockRef::Path(&path), &Options::default()).unwrap();
        let (reader, stopped, other) = (open(), open(), open());
        assert!(reader.try_read());
        std::mem::forget(super::claim_for(&stopped.segment, stopped.index));
        let options = WaitOptions { deadline: park::now() + 5_000_000_000, fairness: 0, in_turn: false };
        let reads = other.wait(Mode::Read, options, || false).is_ok();
        drop((reader, stopped, other));
        std::fs::remove_file(&path).unwrap();
        assert!(reads);
    }
}
