//! How long a waiter may be overtaken, and how long it may wait.
//!
//! The lock promises: newcomers may overtake until the first in the queue has waited for its *fairness* `f`; it then closes
//! the queue, and from then on who comes later is granted later. Whoever does not come when it is his turn is passed over,
//! after 5 ms at first, doubled with every pass up to 640 ms.
//!
//! A bound on what can be seen from outside: let `L` be the longest time from when a process could run to when it does.
//!
//! - The queue is closed at `f + L` after the request at the latest, by the waiter itself or one before it, and stays so as
//!   long as it is there: it reopens only if nobody that is not passed over has waited for longer than its fairness.
//! - The waiter is passed over only if it does not come within its patience, that is if the patience is less than `L`. Then
//!   others may go until it comes, which takes `L` again. Patiences below `L` add up to less than `2 L`, and there are at most
//!   `1 + log2(L / 5 ms)` of them.
//! - Whoever is ahead may be dead: a look finds out, every 10 ms at most, plus `L`. It comes to less than the above.
//!
//! So from `f + L + 2 L + L (1 + log2(L / 5 ms))` on no request overtakes that is made then. With `L` = 100 ms, which two busy
//! cores with some forty threads stay below, that is `f` + 0.83 s. [`OVERTAKING`] is one second.
//!
//! This holds while no process is stopped: one that is stopped as the first in the queue, before it has closed it, closes it
//! when it goes on. So the clock of this bound stands still while any is stopped, and [`RESUMING`] longer.
//!
//! A request is judged if its attachment does nothing else meanwhile: of several requests of one attachment only the first is
//! in the queue, and a thread that already reads may read again whatever the queue says.

use process_rwlock_storm::{Mode, Outcome, Way, What};

use super::history::{History, NEVER, Op};

/// See above, in ns.
const OVERTAKING: u64 = 1_000_000_000;
/// For those who were stopped to take their places again.
const RESUMING: u64 = 200_000_000;
/// The longest time that anything may wait while nobody is stopped. With forty threads that hold the lock for some
/// milliseconds at a time, a turn comes within a second; the rest is for a busy machine.
const WAITING: u64 = 15_000_000_000;

/// A clock that stands still while somebody is stopped.
pub struct Clock {
    /// When it stands, in order and without touching each other; beside it, how long it has stood before.
    stands: Vec<(u64, u64, u64)>,
}

impl Clock {
    pub fn new(history: &History) -> Self {
        let mut stands: Vec<(u64, u64, u64)> = Vec::new();
        for stop in &history.stops {
            let to = stop.to.saturating_add(RESUMING);
            match stands.last_mut() {
                Some(last) if stop.from <= last.1 => last.1 = last.1.max(to),
                last => {
                    let stood = last.map_or(0, |last| last.2 + (last.1 - last.0));
                    stands.push((stop.from, to, stood));
                }
            }
        }
        Self { stands }
    }

    pub fn at(&self, time: u64) -> u64 {
        let begun = self.stands.partition_point(|(from, ..)| *from <= time);
        let stood = begun.checked_sub(1).map_or(0, |last| {
            let (from, to, before) = self.stands[last];
            before + to.min(time) - from
        });
        time - stood
    }

    fn stands_at(&self, time: u64) -> bool {
        let begun = self.stands.partition_point(|(from, ..)| *from <= time);
        begun.checked_sub(1).is_some_and(|last| self.stands[last].1 > time)
    }
}

pub fn check(history: &History) -> Vec<String> {
    let clock = Clock::new(history);
    let mut faults = Vec::new();
    let long: Vec<&Op> = waits(history).filter(|op| end(history, op) - op.invoked > OVERTAKING).collect();
    let alone = Alone::new(history);
    let mut newcomers: Vec<&Op> = history
        .ops
        .iter()
        .filter(|op| op.what == What::Acquire && op.is_granted() && op.way != Way::Sync)
        .collect();
    newcomers.sort_by_key(|op| op.returned);
    for op in long {
        let end = end(history, op);
        let waited = clock.at(end) - clock.at(op.invoked);
        if waited > WAITING {
            faults.push(format!(
                "{} waited for {} ms in mode {:?} from {} ns on, not counting when somebody was stopped",
                history.name(op.actor),
                waited / 1_000_000,
                op.mode,
                op.invoked
            ));
        }
        if waited <= OVERTAKING || op.what != What::Acquire || op.way == Way::Sync || !alone.is(op, end) {
            continue;
        }
        let patience = clock.at(op.invoked) + history.fairness + OVERTAKING;
        let first = newcomers.partition_point(|newcomer| newcomer.returned <= op.invoked);
        let overtakes = |newcomer: &&&Op| {
            conflicts(newcomer.mode, op.mode)
                && newcomer.actor != op.actor
                && clock.at(newcomer.invoked) > patience
                && !clock.stands_at(newcomer.invoked)
                && alone.is(newcomer, newcomer.returned)
        };
        let overtakers = newcomers[first..].iter().take_while(|newcomer| newcomer.returned < end).filter(overtakes);
        let count = overtakers.clone().count();
        if let Some(overtaker) = overtakers.min_by_key(|newcomer| newcomer.invoked) {
            faults.push(format!(
                "{} waited in mode {:?} from {} to {} ns and was overtaken {count} times after its time; first by {}, who \
                 came at {} ns and was granted {:?} at {} ns",
                history.name(op.actor),
                op.mode,
                op.invoked,
                end,
                history.name(overtaker.actor),
                overtaker.invoked,
                overtaker.mode,
                overtaker.returned
            ));
        }
    }
    faults
}

/// The longest that a request which was granted has waited, in ns, counting everything.
pub fn longest(history: &History) -> u64 {
    waits(history).filter(|op| op.is_granted()).map(|op| op.returned - op.invoked).max().unwrap_or(0)
}

fn conflicts(one: Mode, other: Mode) -> bool {
    one.max(other) == Mode::Write || one.min(other) == Mode::Upgradable
}

fn waits(history: &History) -> impl Iterator<Item = &Op> {
    history.ops.iter().filter(|op| {
        matches!(op.what, What::Acquire | What::Upgrade) && op.way != Way::Try && op.outcome != Some(Outcome::Deadlock)
    })
}

/// When a wait was over, at the latest because its actor began to die.
fn end(history: &History, op: &Op) -> u64 {
    if op.returned != NEVER {
        return op.returned;
    }
    let dies = history.actors[op.actor].dies;
    if dies == NEVER { op.invoked } else { dies.max(op.invoked) }
}

/// What else the actors did: by actor, the spans of its requests and holds.
struct Alone(Vec<Vec<(u32, u64, u64)>>);

impl Alone {
    fn new(history: &History) -> Self {
        let mut busy = vec![Vec::new(); history.actors.len()];
        for op in history.ops.iter().filter(|op| op.what == What::Acquire) {
            busy[op.actor].push((op.hold, op.invoked, end(history, op)));
        }
        for hold in &history.holds {
            if let [first, .., last] | [first @ last] = &hold.pieces[..] {
                busy[hold.actor].push((hold.id, first.from, last.gone));
            }
        }
        busy.iter_mut().for_each(|spans| spans.sort_by_key(|(_, from, _)| *from));
        Self(busy)
    }

    /// Whether the actor of `op` did nothing else until `to`.
    fn is(&self, op: &Op, to: u64) -> bool {
        let spans = &self.0[op.actor];
        let end = spans.partition_point(|(_, from, _)| *from < to);
        // Whatever lasts longer than a hundred others that began later would be found by them, as an obstacle to each.
        let begin = end.saturating_sub(200);
        spans[begin..end].iter().all(|(hold, _, until)| *hold == op.hold || *until < op.invoked)
    }
}
