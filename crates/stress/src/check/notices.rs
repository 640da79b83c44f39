//! A holder that waits for a notice gets it soon after a request has begun to wait that the hold keeps out.
//!
//! Let `L` be the longest delay from when a thread can run to when it runs. A request is published within `L`, and wakes the
//! holder, which runs within `L`. If the process that made the wake died before its call, or the waiter was skipped and comes
//! back, the next check of a waiter does so: 20 ms and `L` later, each. With `L` = 100 ms that is 0.44 s.
//!
//! The clock of this bound is that of [`super::waiting`]. A request is checked only if its attachment does nothing else
//! meanwhile, because only the first of several is in the queue; and a notice only if its thread does not block.

use process_rwlock_stress::{Way, What};

use super::history::{History, Op};
use super::waiting::{Alone, Clock, conflicts, end, waits};

/// See above, in ns.
const MISSED: u64 = 500_000_000;

pub fn check(history: &History) -> Vec<String> {
    let lasts = |op: &&Op| end(history, op) - op.invoked > MISSED;
    let notices: Vec<&Op> = history.ops.iter().filter(|op| op.what == What::Notice).filter(lasts).collect();
    if notices.is_empty() {
        return Vec::new();
    }
    let (clock, alone) = (Clock::new(history), Alone::new(history));
    let in_queue = |op: &&Op| op.what == What::Upgrade || alone.is(op, end(history, op));
    let requests: Vec<&Op> = waits(history).filter(lasts).filter(in_queue).collect();
    let blocks = |notice: &Op| {
        let blocks = |op: &&Op| {
            op.actor == notice.actor
                && op.way == Way::Sync
                && op.invoked < end(history, notice)
                && end(history, op) > notice.invoked
        };
        history.ops.iter().any(|op| blocks(&op))
    };
    let mut faults = Vec::new();
    for notice in notices {
        let missed = |request: &Op| {
            let from = request.invoked.max(notice.invoked);
            let to = end(history, request).min(end(history, notice));
            if from < to { clock.at(to) - clock.at(from) } else { 0 }
        };
        let kept_out = |request: &&&Op| request.actor != notice.actor && conflicts(request.mode, notice.mode);
        let Some(request) = requests.iter().filter(kept_out).max_by_key(|request| missed(request)) else { continue };
        if missed(request) > MISSED && !blocks(notice) {
            faults.push(format!(
                "{} held the lock in mode {:?} and waited for a notice from {} to {} ns, and {} waited in mode {:?} from {} to \
                 {} ns",
                history.name(notice.actor),
                notice.mode,
                notice.invoked,
                end(history, notice),
                history.name(request.actor),
                request.mode,
                request.invoked,
                end(history, request)
            ));
        }
    }
    faults
}
