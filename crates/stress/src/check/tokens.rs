//! Fencing tokens grow by one with every write hold; a reader's is that of the last write hold before it.

use process_rwlock_stress::{Mode, What};

use super::history::{History, NEVER, Op};

pub fn check(history: &History) -> Vec<String> {
    let writes = history.writes();
    let unseen: Vec<&Op> = history.ops.iter().filter(|op| op.may_have_written_unseen()).collect();
    // A writer may have died, or its lock been closed, with a token that was never recorded.
    let could_be_skipped = |tokens: u64, from: u64, to: u64| {
        let end = |op: &Op| if op.returned == NEVER { history.actors[op.actor].dead } else { op.returned };
        tokens == 0 || unseen.iter().filter(|op| op.invoked < to && end(op) > from).count() as u64 >= tokens
    };
    let mut faults = Vec::new();
    for pair in writes.windows(2) {
        let [(first, before), (second, after)] = pair else { continue };
        let (first, second) = (history.name(*first), history.name(*second));
        if after.token <= before.token {
            faults.push(format!(
                "token {} of {second} at {} ns is not above {} of {first}, which wrote before",
                after.token, after.from, before.token
            ));
        } else if !could_be_skipped(after.token - before.token - 1, before.from, after.from) {
            faults.push(format!(
                "tokens between {} of {first} and {} of {second} are missing: fewer writers died there unseen",
                before.token, after.token
            ));
        }
    }
    let reads = history
        .ops
        .iter()
        .filter(|op| op.what == What::Acquire && op.mode != Mode::Write && op.is_granted() && op.token != 0);
    for read in reads {
        let position = writes.partition_point(|(_, write)| write.from < read.returned);
        let Some((_, last)) = position.checked_sub(1).map(|last| writes[last]) else { continue };
        let next = writes.get(position).map_or(NEVER, |(_, next)| next.from);
        if read.token < last.token || !could_be_skipped(read.token - last.token, last.from, next) {
            faults.push(format!(
                "{} got token {} in mode {:?} at {} ns, where {} was the last writer's",
                history.name(read.actor),
                read.token,
                read.mode,
                read.returned,
                last.token
            ));
        }
    }
    faults
}
