//! A hold is stolen only for a steal that waits, perhaps of another task of the same thread.
//!
//! The holder looks for the steal, and then gives up. Meanwhile the steal may have ended, by its timeout or a death. With
//! `L`, the longest delay from when a thread can run to when it runs, that is `2 L` before the release is recorded.
//!
//! That two never hold the lock at once by it is the rule of [`super::exclusion`].

use process_rwlock_stress::{Way, What};

use super::history::{History, Op};
use super::waiting::{Clock, end};

/// See above, in ns, with `L` = 100 ms.
const LATE: u64 = 200_000_000;

pub fn check(history: &History) -> Vec<String> {
    let clock = Clock::new(history);
    let steals: Vec<&Op> = history.ops.iter().filter(|op| op.way == Way::Steal).collect();
    let waits_for = |stolen: &Op| {
        steals.iter().any(|steal| {
            steal.invoked < stolen.invoked && clock.at(end(history, steal)) + LATE > clock.at(stolen.invoked)
        })
    };
    let stolen = history.ops.iter().filter(|op| op.what == What::Release && op.way == Way::Stolen);
    stolen
        .filter(|stolen| !waits_for(stolen))
        .map(|stolen| {
            format!("{} lost a hold to a steal at {} ns, when nobody stole", history.name(stolen.actor), stolen.invoked)
        })
        .collect()
}
