//! The lock's value is a register: who reads it finds what was set last, or what is being set.
//!
//! Only a write hold sets the value, so the changes have an order: that in which they were requested. A reader finds
//!
//! - no change that was requested after it had returned,
//! - no change before the last one that had returned when it began (a value that was set is never lost, whoever dies), and
//! - no change before the one that an earlier reader found.
//!
//! Because the changes do not overlap, there is then a moment for each operation at which it takes effect, and these moments
//! explain all results. A change whose actor died may have taken effect or not, at one moment before the next change.
//!
//! That a value is whole, the recorder checks.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use process_rwlock_stress::What;

use super::history::{History, NEVER, Op};

pub fn check(history: &History) -> Vec<String> {
    let of = |what| {
        let mut ops: Vec<&Op> = history.ops.iter().filter(|op| op.what == what).collect();
        ops.sort_by_key(|op| op.invoked);
        ops
    };
    // Changes are numbered from 1; 0 is the value of a new lock.
    let changes = of(What::SetValue);
    let mut changes_to: HashMap<u64, Vec<usize>> = HashMap::from([(0, vec![0])]);
    for (change, op) in (1..).zip(&changes) {
        changes_to.entry(op.token).or_default().push(change);
    }
    // What is over, as (when, which change): the changes, and the looks that were checked.
    let mut over: BinaryHeap<Reverse<(u64, usize)>> = (1..)
        .zip(&changes)
        .filter(|(_, op)| op.returned != NEVER)
        .map(|(change, op)| Reverse((op.returned, change)))
        .collect();
    let mut earliest = 0;
    let mut faults = Vec::new();
    for look in of(What::Look).into_iter().filter(|look| look.returned != NEVER) {
        while let Some(&Reverse((when, change))) = over.peek()
            && when < look.invoked
        {
            earliest = earliest.max(change);
            over.pop();
        }
        let latest = changes.partition_point(|op| op.invoked <= look.returned);
        let found = changes_to.get(&look.token).map_or(&[][..], Vec::as_slice);
        // The earliest possible one leaves the most to the looks that follow.
        match found.iter().find(|&&change| change >= earliest) {
            Some(&change) if change <= latest => over.push(Reverse((look.returned, change))),
            at => {
                let set = |change: usize| match change.checked_sub(1).map(|index| changes[index]) {
                    None => "the lock was new".into(),
                    Some(op) => format!("{} set value {:x} at {} ns", history.name(op.actor), op.token, op.invoked),
                };
                let why = match (at, found.last()) {
                    (Some(_), _) => "was not set yet".into(),
                    (None, Some(&last)) => format!("is older: {}", set(last)),
                    (None, None) => "was never set".into(),
                };
                faults.push(format!(
                    "{} read value {:x} from {} to {} ns, which {why}; {} before",
                    history.name(look.actor),
                    look.token,
                    look.invoked,
                    look.returned,
                    set(earliest)
                ));
            }
        }
    }
    faults
}
