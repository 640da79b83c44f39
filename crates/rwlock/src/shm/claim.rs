//! Taking a slot of a lock: its byte first, which says that the owner lives, and then what its last owner left is cleaned up.

use std::cell::Cell;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::location::LockLocation;
use super::lock_file::slot_byte;
use super::removal;
use super::segment::Segment;
use crate::error::Result;

/// How often to look for a free slot while others come and go.
const CLAIM_ROUNDS: u32 = 16;

/// Takes a slot, of which the caller's lock file has the byte from then on. `None` if the lock was removed, or its file
/// replaced: then it is to be looked for once more.
pub(super) fn enter(segment: &Segment) -> Result<Option<usize>> {
    let claimed = slot(segment)?;
    if removal::veto(segment) && is_in_place(segment)? {
        return claimed.map(Some).ok_or_else(|| segment.full());
    }
    Ok(None) // the byte goes with the file
}

/// Whether the lock file is still the one that name or path leads to.
fn is_in_place(segment: &Segment) -> Result<bool> {
    crash_point!(location_load);
    let (LockLocation::Named { record: path, .. } | LockLocation::File { path }) = &segment.location;
    segment.location.is_at(&segment.lock, path)
}

/// Takes the byte of a slot that nobody lives in, and cleans up what its last owner left. `None`: they are all in use.
pub(crate) fn slot(segment: &Segment) -> Result<Option<usize>> {
    for _ in 0..CLAIM_ROUNDS {
        crash_point!(attach_begin);
        let seen = segment.header().high_water.load(SeqCst);
        if let Some(slot) = try_slot(segment)? {
            return Ok(Some(slot));
        }
        // Whoever attached meanwhile may have left one slot behind us for one before us.
        crash_point!(attach_again);
        if segment.header().high_water.load(SeqCst) == seen {
            break;
        }
    }
    Ok(None)
}

fn try_slot(segment: &Segment) -> Result<Option<usize>> {
    let cannot = |error| segment.location.cannot_lock(error);
    let is_vacant = |index: &usize| {
        crash_point!(attach_vacant);
        segment.slots()[*index].waiting.pid.load(Relaxed) == 0
    };
    let spare = segment.capacity() as usize;
    // Vacant ones first, so that the dead need only be looked for when there is no other. The spare one last: it is for
    // when one of the others cannot be used.
    let candidates = || (0..spare).filter(is_vacant).chain((0..spare).filter(|index| !is_vacant(index))).chain([spare]);
    // Twice if one had to be kept, since a death found later may have settled that. (Where all are in use each question takes
    // the kernel a time that grows with their number.)
    let kept = Cell::new(false);
    for index in candidates().chain(candidates().take_while(|_| kept.get())) {
        crash_point!(attach_lock);
        if (index == spare && segment.load_gate().died().is_none())
            || !segment.lock.try_lock(slot_byte(index)).map_err(cannot)?
        {
            continue;
        }
        segment.recovery().repair(index, || true);
        crash_point!(attach_died_load);
        if segment.load_gate().died() != Some(index) {
            return Ok(Some(index));
        }
        // Its last owner died inside a write hold: who that was is written here, until it is settled.
        kept.set(true);
        crash_point!(attach_unlock);
        segment.lock.unlock(slot_byte(index)).map_err(cannot)?;
    }
    Ok(None)
}
