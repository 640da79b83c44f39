//! A try is refused only if there was an obstacle.

use process_rwlock_stress::{Mode, Outcome, Way, What};

use super::history::{History, NEVER, Op};

/// What a dead process left is an obstacle until a process checks. A failing try checks, unless another try of the same
/// attachment did so after the last tick of the kernel's coarse clock (4 or 10 ms). In ns, with a margin.
const LEFT_BY_THE_DEAD: u64 = 50_000_000;

/// A possible reason for a refusal.
#[derive(Clone, Copy)]
struct Obstacle {
    actor: usize,
    hold: u32,
    from: u64,
    to: u64,
}

/// Obstacles by their beginning, each with the two longest of different holds among those up to it.
struct Obstacles(Vec<(u64, [Option<Obstacle>; 2])>);

impl Obstacles {
    fn new(mut all: Vec<Obstacle>) -> Self {
        all.sort_by_key(|obstacle| obstacle.from);
        let mut top: [Option<Obstacle>; 2] = [None; 2];
        let same = |one: &Obstacle, other: &Obstacle| (one.actor, one.hold) == (other.actor, other.hold);
        let follow = |obstacle: Obstacle| {
            let lasts = |other: &Option<Obstacle>| other.is_none_or(|other| other.to < obstacle.to);
            match top {
                [Some(first), second] if same(&first, &obstacle) => {
                    top = [Some(if first.to < obstacle.to { obstacle } else { first }), second];
                }
                [first, _] if lasts(&first) => top = [Some(obstacle), first],
                [first, second] if lasts(&second) => top = [first, Some(obstacle)],
                _ => {}
            }
            (obstacle.from, top)
        };
        Self(all.into_iter().map(follow).collect())
    }

    fn was_in_the_way_of(&self, op: &Op) -> bool {
        let position = self.0.partition_point(|(from, _)| *from <= op.returned);
        let top = position.checked_sub(1).map_or([None; 2], |last| self.0[last].1);
        top.into_iter()
            .flatten()
            .any(|other| (other.actor, other.hold) != (op.actor, op.hold) && other.to >= op.invoked)
    }
}

/// The read holds of a lock that limits them: when each may have begun, and when each may have ended.
struct Limit {
    limit: usize,
    begun: Vec<u64>,
    ended: Vec<u64>,
}

impl Limit {
    fn new(history: &History, dead: impl Fn(usize) -> u64) -> Self {
        let holds = history.holds.iter().flat_map(|hold| hold.pieces.iter().map(move |piece| (hold.actor, piece)));
        let (mut begun, mut ended): (Vec<u64>, Vec<u64>) = holds
            .filter(|(_, piece)| piece.mode == Mode::Read)
            .map(|(actor, piece)| {
                let is_dead = piece.gone >= history.actors[actor].dead;
                (piece.asked, if is_dead { dead(actor) } else { piece.gone })
            })
            .unzip();
        begun.sort_unstable();
        ended.sort_unstable();
        Self { limit: history.limit as usize, begun, ended }
    }

    /// Whether so many read holds may have been held at some time during a try.
    fn was_reached(&self, op: &Op) -> bool {
        let begun = self.begun.partition_point(|&time| time <= op.returned);
        let ended = self.ended.partition_point(|&time| time < op.invoked);
        self.limit > 0 && begun - ended >= self.limit
    }
}

pub fn check(history: &History) -> Vec<String> {
    let dead = |actor: usize| history.actors[actor].dead.saturating_add(LEFT_BY_THE_DEAD);
    let (mut to_readers, mut to_writers) = (Vec::new(), Vec::new());
    let asking = history.ops.iter().filter(|op| matches!(op.what, What::Acquire | What::Upgrade));
    for op in asking {
        let to = if op.returned == NEVER { dead(op.actor) } else { op.returned };
        let obstacle = Obstacle { actor: op.actor, hold: op.hold, from: op.invoked, to };
        to_writers.push(obstacle);
        // A waiter may have closed the queue. A failing try to read is an obstacle only for a writer.
        if op.mode != Mode::Read || op.way != Way::Try {
            to_readers.push(obstacle);
        }
    }
    for hold in &history.holds {
        for piece in &hold.pieces {
            let to = if piece.gone >= history.actors[hold.actor].dead { dead(hold.actor) } else { piece.gone };
            let obstacle = Obstacle { actor: hold.actor, hold: hold.id, from: piece.asked, to };
            to_writers.push(obstacle);
            if piece.mode != Mode::Read {
                to_readers.push(obstacle);
            }
        }
    }
    let (to_readers, to_writers) = (Obstacles::new(to_readers), Obstacles::new(to_writers));
    let limit = Limit::new(history, dead);
    let refused = history.ops.iter().filter(|op| op.outcome == Some(Outcome::Refused));
    refused
        .filter(|op| {
            let obstacles = if op.mode == Mode::Write { &to_writers } else { &to_readers };
            let is_full = op.mode == Mode::Read && limit.was_reached(op);
            !is_full && !obstacles.was_in_the_way_of(op)
        })
        .map(|op| {
            format!(
                "{} was refused {:?} in mode {:?} from {} to {} ns, and nothing was in the way",
                history.name(op.actor),
                op.what,
                op.mode,
                op.invoked,
                op.returned
            )
        })
        .collect()
}
