//! A death inside a write hold is reported to every holder until a write hold ends consistent; no other death is reported.

use process_rwlock_stress::{Died, What};

use super::history::{End, History, Op, Piece};

pub fn check(history: &History) -> Vec<String> {
    let writes = history.writes();
    let unseen: Vec<&Op> = history.ops.iter().filter(|op| op.may_have_written_unseen()).collect();
    let seen_tokens: Vec<u64> = writes.iter().map(|(_, write)| write.token).collect();
    // A process that died, or may have died, inside before it could record its grant.
    let died_unseen = |died: Died, after: u64, before: u64| {
        died.token > after
            && seen_tokens.binary_search(&died.token).is_err()
            && unseen.iter().any(|op| history.actors[op.actor].pid == died.pid && op.invoked < before)
    };
    let mut faults = Vec::new();
    let holders = history.ops.iter().filter(|op| matches!(op.what, What::Acquire | What::Upgrade) && op.is_granted());
    for holder in holders {
        // Because holds do not overlap, the writers before this holder are those whose holds began before it.
        let position = writes.partition_point(|(_, write)| write.from < holder.returned);
        let last = position.checked_sub(1).map(|last| writes[last]);
        let allowed = last.map_or(vec![None], |(actor, write)| left_by(history.actors[actor].pid, &write));
        let after = last.map_or(0, |(_, write)| write.token);
        if !allowed.contains(&holder.died) && !holder.died.is_some_and(|died| died_unseen(died, after, holder.returned))
        {
            faults.push(format!(
                "{} got {} in mode {:?} at {} ns; after {} it should have been {}",
                history.name(holder.actor),
                text(holder.died),
                holder.mode,
                holder.returned,
                last.map_or("no writer".into(), |(actor, write)| format!(
                    "write hold {} of {}, which ended {:?}",
                    write.token,
                    history.name(actor),
                    write.end
                )),
                allowed.into_iter().map(text).collect::<Vec<_>>().join(" or ")
            ));
        }
    }
    faults
}

/// What may be reported to the next holder.
fn left_by(pid: u32, write: &Piece) -> Vec<Option<Died>> {
    let own = Some(Died { pid, token: write.token });
    match write.end {
        End::Consistent => vec![None],
        End::Failed => vec![write.died],
        End::Died => vec![own],
        // The release may have taken effect or not.
        End::DiedReleasing { failed: false } => vec![own, write.died, None],
        End::DiedReleasing { failed: true } => vec![own, write.died],
    }
}

fn text(died: Option<Died>) -> String {
    died.map_or("that no process died".into(), |died| format!("that pid {} died with token {}", died.pid, died.token))
}
