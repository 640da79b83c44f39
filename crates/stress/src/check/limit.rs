//! A lock with a limit on readers never has more read holds at once.

use process_rwlock_stress::Mode;

use super::history::History;

pub fn check(history: &History) -> Vec<String> {
    let limit = history.limit as usize;
    if limit == 0 {
        return Vec::new();
    }
    let reads = history.holds.iter().flat_map(|hold| hold.pieces.iter().map(move |piece| (hold.actor, piece)));
    // Each with when it was certainly held. A hold that ends at a time makes room for one that begins then.
    let mut changes: Vec<(u64, bool, usize)> = reads
        .filter(|(_, piece)| piece.mode == Mode::Read && piece.from.max(piece.reads_from) < piece.to)
        .flat_map(|(actor, piece)| [(piece.from.max(piece.reads_from), true, actor), (piece.to, false, actor)])
        .collect();
    changes.sort_unstable();
    let mut held = 0;
    let mut faults = Vec::new();
    for (time, begins, actor) in changes {
        held = if begins { held + 1 } else { held - 1 };
        if begins && held > limit {
            faults
                .push(format!("{} got read hold {held} at {time} ns, of {limit} at most at once", history.name(actor)));
        }
    }
    faults
}
