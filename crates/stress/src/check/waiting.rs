//! How long a waiter may be overtaken, and how long it may wait.
//!
//! The lock promises: newcomers may overtake until a waiter in the queue has waited for its *fairness* `f`. It then closes the
//! queue, and later requests are granted later. A waiter that does not come in its turn is skipped, after 5 ms at first; each
//! skip doubles that grace, up to 640 ms.
//!
//! A bound that can be observed from outside: let `L` be the longest delay from when a thread can run to when it runs.
//!
//! - The queue is closed at the latest `f + L` after the request, and stays closed while the request waits: it reopens only
//!   if no waiter other than skipped ones has waited for longer than its fairness.
//! - The waiter is skipped only if it does not come within its grace, so only if the grace is less than `L`. Then others may
//!   be granted until it comes, which takes `L` again. Grace periods below `L` add up to less than `2 L`, and there are at
//!   most `1 + log2(L / 5 ms)` of them.
//! - A waiter that is ahead may be dead: a check every 10 ms at most, plus `L`, detects that. This is less than the above.
//!
//! So no request that is made later than `f + L + 2 L + L (1 + log2(L / 5 ms))` overtakes. With `L` = 100 ms that is
//! `f` + 0.83 s. [`OVERTAKING`] is one second.
//!
//! The machine does not guarantee `L`. So the clock of this bound stands still while any process is stopped, and [`RESUMING`]
//! longer; and when a thread that only sleeps was woken more than 100 ms late.
//!
//! A request is checked only if its attachment does nothing else meanwhile: of several requests of one attachment only the
//! first is in the queue, and a thread that already reads may read again whatever the queue says.

use process_rwlock_stress::{Mode, Outcome, Way, What};

use super::history::{History, NEVER, Op};

/// See above, in ns.
const OVERTAKING: u64 = 1_000_000_000;
/// Until resumed processes have joined again.
const RESUMING: u64 = 200_000_000;
/// The longest time that a request may wait while no process is stopped. With forty threads that hold the lock for some
/// milliseconds at a time, a turn comes within a second; the rest is for a busy machine.
const WAITING: u64 = 15_000_000_000;

/// The longest time without a grant while a request waits and no process is stopped. A hold ends after some milliseconds, or
/// its holder is dead, which is detected within 10 ms; the rest is for a busy machine.
const STALL: u64 = 2_000_000_000;

/// A clock that stands still while a process is stopped.
pub struct Clock {
    /// When it stands, in order and without overlaps, each with how long it has stood before.
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
    let mut faults = stalls(history, &clock);
    let long: Vec<&Op> = waits(history).filter(|op| end(history, op) - op.invoked > OVERTAKING).collect();
    let alone = Alone::new(history);
    let in_turn = |op: &&Op| !matches!(op.way, Way::Sync | Way::Steal); // a steal overtakes
    let mut newcomers: Vec<&Op> =
        history.ops.iter().filter(|op| op.what == What::Acquire && op.is_granted()).filter(in_turn).collect();
    newcomers.sort_by_key(|op| op.returned);
    for op in long {
        let end = end(history, op);
        let waited = clock.at(end) - clock.at(op.invoked);
        if waited > WAITING {
            faults.push(format!(
                "{} waited for {} ms in mode {:?} from {} ns on, not counting the time when a process was stopped",
                history.name(op.actor),
                waited / 1_000_000,
                op.mode,
                op.invoked
            ));
        }
        if waited <= OVERTAKING || op.what != What::Acquire || op.way == Way::Sync || !alone.is(op, end) {
            continue;
        }
        let limit = clock.at(op.invoked) + history.fairness + OVERTAKING;
        let first = newcomers.partition_point(|newcomer| newcomer.returned <= op.invoked);
        let overtakes = |newcomer: &&&Op| {
            conflicts(newcomer.mode, op.mode)
                && newcomer.actor != op.actor
                && clock.at(newcomer.invoked) > limit
                && !clock.stands_at(newcomer.invoked)
                && alone.is(newcomer, newcomer.returned)
        };
        let overtakers = newcomers[first..].iter().take_while(|newcomer| newcomer.returned < end).filter(overtakes);
        let count = overtakers.clone().count();
        if let Some(overtaker) = overtakers.min_by_key(|newcomer| newcomer.invoked) {
            faults.push(format!(
                "{} waited in mode {:?} from {} to {} ns and was overtaken {count} times after its time; first by {}, which \
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

/// Times without any grant.
fn stalls(history: &History, clock: &Clock) -> Vec<String> {
    let mut grants: Vec<u64> = history
        .ops
        .iter()
        .filter(|op| op.is_granted() && matches!(op.what, What::Acquire | What::Upgrade))
        .map(|op| op.returned)
        .collect();
    grants.extend(history.ops.iter().map(|op| op.invoked).min());
    grants.sort_unstable();
    let ended = history.actors.iter().map(|actor| actor.dies).filter(|&dies| dies != NEVER).max();
    grants.extend(ended.filter(|ended| grants.last().is_none_or(|last| last < ended)));
    let mut faults = Vec::new();
    for gap in grants.windows(2) {
        let [from, to] = *gap else { continue };
        if to - from <= STALL {
            continue;
        }
        let waited = |op: &&Op| {
            let (from, to) = (from.max(op.invoked), to.min(end(history, op)));
            from < to && clock.at(to) - clock.at(from) > STALL
        };
        if let Some(op) = waits(history).find(waited) {
            faults.push(format!(
                "nothing was granted from {from} to {to} ns, and {} waited in mode {:?} from {} ns on",
                history.name(op.actor),
                op.mode,
                op.invoked
            ));
        }
    }
    faults
}

/// The longest that a request which was granted has waited, in ns, counting everything.
pub fn longest(history: &History) -> u64 {
    waits(history).filter(|op| op.is_granted()).map(|op| op.returned - op.invoked).max().unwrap_or(0)
}

pub fn conflicts(one: Mode, other: Mode) -> bool {
    one.max(other) == Mode::Write || one.min(other) == Mode::Upgradable
}

pub fn waits(history: &History) -> impl Iterator<Item = &Op> {
    history.ops.iter().filter(|op| {
        matches!(op.what, What::Acquire | What::Upgrade) && op.way != Way::Try && op.outcome != Some(Outcome::Deadlock)
    })
}

/// When a wait was over, at the latest because its actor began to die.
pub fn end(history: &History, op: &Op) -> u64 {
    if op.returned != NEVER {
        return op.returned;
    }
    let dies = history.actors[op.actor].dies;
    if dies == NEVER { op.invoked } else { dies.max(op.invoked) }
}

/// What else the actors did: by actor, the spans of its requests and holds by their beginning, each with the latest end of
/// those before it.
pub struct Alone(Vec<Vec<Busy>>);

struct Busy {
    hold: u32,
    from: u64,
    to: u64,
    others_to: u64,
}

impl Alone {
    pub fn new(history: &History) -> Self {
        let mut actors: Vec<Vec<Busy>> = history.actors.iter().map(|_| Vec::new()).collect();
        for op in history.ops.iter().filter(|op| op.what == What::Acquire) {
            let span = Busy { hold: op.hold, from: op.invoked, to: end(history, op), others_to: 0 };
            actors[op.actor].push(span);
        }
        for hold in &history.holds {
            if let [first, .., last] | [first @ last] = &hold.pieces[..] {
                actors[hold.actor].push(Busy { hold: hold.id, from: first.from, to: last.gone, others_to: 0 });
            }
        }
        for spans in &mut actors {
            spans.sort_by_key(|span| span.from);
            let mut latest = 0;
            for span in spans {
                span.others_to = latest;
                latest = latest.max(span.to);
            }
        }
        Self(actors)
    }

    /// Whether the actor did nothing else while `op`, an acquisition, lasted, until `to`.
    pub fn is(&self, op: &Op, to: u64) -> bool {
        let spans = &self.0[op.actor];
        let own = spans.partition_point(|span| span.from < op.invoked);
        let before_is_over = spans.get(own).is_some_and(|span| span.hold == op.hold && span.others_to <= op.invoked);
        before_is_over && spans.get(own + 1).is_none_or(|next| next.hold == op.hold || next.from >= to)
    }
}
