//! Taking a slot of a lock: first its byte lock, which shows that the owner lives, then the repair
//! of what its last owner left.

use std::cell::Cell;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::location::LockLocation;
use super::lock_file::slot_byte;
use super::removal;
use super::segment::Segment;
use crate::error::Result;

/// How often to search for a free slot while other attachments come and go.
const CLAIM_ROUNDS: u32 = 16;

/// Takes a slot and locks its byte in the caller's lock file. `None` if the lock was removed or its
/// file was replaced: open it again.
pub(super) fn enter(segment: &Segment) -> Result<Option<usize>> {
    let claimed = slot(segment)?;
    if removal::veto(segment) && is_in_place(segment)? {
        return claimed.map(Some).ok_or_else(|| segment.full());
    }
    Ok(None) // dropping the file unlocks the byte
}

/// Whether the name or path still leads to the lock file.
fn is_in_place(segment: &Segment) -> Result<bool> {
    crash_point!(location_load);
    let (LockLocation::Named { record: path, .. } | LockLocation::File { path }) = &segment.location;
    segment.location.is_at(&segment.lock, path)
}

/// Locks the byte of a slot without a living owner, and repairs what its last owner left. `None` if
/// all slots are in use.
pub(crate) fn slot(segment: &Segment) -> Result<Option<usize>> {
    for _ in 0..CLAIM_ROUNDS {
        crash_point!(attach_begin);
        let seen = segment.header().high_water.load(SeqCst);
        if let Some(slot) = try_slot(segment)? {
            return Ok(Some(slot));
        }
        // An attachment may have freed a slot that we had passed, and another may have taken one
        // that we had not reached.
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
    // Vacant slots first, so that dead owners need to be found only if there is no vacant slot. The
    // spare slot last: it replaces a slot that cannot be used.
    let candidates = || (0..spare).filter(is_vacant).chain((0..spare).filter(|index| !is_vacant(index))).chain([spare]);
    // A second round if a slot had to be kept, because a death that was found later may have
    // cleared it. (If all slots are in use, the kernel's time for each query grows with their
    // number.)
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
        // Its last owner died inside a write hold. The slot keeps the identity of that owner until
        // the poison is cleared.
        kept.set(true);
        crash_point!(attach_unlock);
        segment.lock.unlock(slot_byte(index)).map_err(cannot)?;
    }
    Ok(None)
}
