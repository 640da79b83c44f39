//! From records to operations and holds.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

use process_rwlock_stress::{Died, Kind, Mode, Outcome, Record, Way, What, read_log};

/// For good, or not yet.
pub const NEVER: u64 = u64::MAX;

/// What an actor asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Op {
    /// Whose it is: a place in [`History::actors`].
    pub actor: usize,
    pub what: What,
    pub mode: Mode,
    pub way: Way,
    /// The acquisition that began the hold; its own number if it is one.
    pub hold: u32,
    pub invoked: u64,
    /// [`NEVER`]: open, because its actor died before.
    pub returned: u64,
    pub outcome: Option<Outcome>,
    /// Or the number of a value.
    pub token: u64,
    pub died: Option<Died>,
}

impl Op {
    pub fn is_granted(&self) -> bool {
        self.outcome == Some(Outcome::Granted)
    }

    /// It may have had a write hold without a record: its actor died, or the grant was returned unused because the lock was
    /// closed or the signal aborted.
    pub fn may_have_written_unseen(&self) -> bool {
        self.mode == Mode::Write
            && matches!(self.what, What::Acquire | What::Upgrade)
            && matches!(self.outcome, None | Some(Outcome::Closed | Outcome::Aborted))
    }
}

/// A hold as long as it is in one mode.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    pub mode: Mode,
    /// It is held for certain from here …
    pub from: u64,
    /// (One that was upgradable reads for certain only from here.)
    pub reads_from: u64,
    /// … to here: when its end was asked for, or its actor began to die.
    pub to: u64,
    /// When it was asked for, and when its end had had its effect: outside of that it is certainly not held. [`NEVER`]: its
    /// actor died.
    pub asked: u64,
    pub gone: u64,
    pub token: u64,
    pub died: Option<Died>,
    pub end: End,
}

/// How a piece ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It was released or downgraded, or upgraded.
    Consistent,
    /// Its function threw.
    Failed,
    /// Its actor died inside.
    Died,
    /// Its actor died between asking for the end, of the first kind or the second, and having it.
    DiedReleasing { failed: bool },
}

/// A hold, from its acquisition to its release.
#[derive(Clone, Debug)]
pub struct Hold {
    pub actor: usize,
    pub id: u32,
    pub pieces: Vec<Piece>,
}

/// One thread of one life of a process.
#[derive(Clone, Debug)]
pub struct Actor {
    pub process: u32,
    pub life: u32,
    pub thread: u32,
    pub pid: u32,
    /// When it began to die: nothing that it holds then is certain afterwards. [`NEVER`]: it ended in peace.
    pub dies: u64,
    /// When the kernel had freed what it had open.
    pub dead: u64,
}

/// When a process was stopped, or the machine had no time for one.
#[derive(Clone, Copy, Debug)]
pub struct Stop {
    pub from: u64,
    pub to: u64,
}

/// SIGKILL for a life of a process.
#[derive(Clone, Copy, Debug)]
pub struct Kill {
    pub process: u32,
    pub life: u32,
    pub sent: u64,
    /// When the kernel had freed what it had open.
    pub dead: u64,
}

/// What happened to a lock.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub actors: Vec<Actor>,
    pub ops: Vec<Op>,
    pub holds: Vec<Hold>,
    pub stops: Vec<Stop>,
    /// How many of them are the machine's.
    pub late: usize,
    pub kills: Vec<Kill>,
    /// How long newcomers may overtake a waiter, in ns.
    pub fairness: u64,
    /// The most read holds at once; 0: no limit.
    pub limit: u32,
}

/// The log of an actor.
pub struct ActorLog {
    pub process: u32,
    pub life: u32,
    pub thread: u32,
    pub records: Vec<Record>,
}

impl History {
    /// Reads all logs in `folder`.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut logs = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let Some(numbers) = name.strip_prefix("actor-").and_then(|name| name.strip_suffix(".log")) else {
                continue;
            };
            let numbers: Vec<u32> = numbers.split('-').filter_map(|number| number.parse().ok()).collect();
            let [process, life, thread] = numbers[..] else { continue };
            logs.push(ActorLog { process, life, thread, records: read_log(&path)? });
        }
        let killer = [read_log(&folder.join("killer.log"))?, read_log(&folder.join("late.log"))?].concat();
        Ok(Self::new(&killer, &logs))
    }

    /// What the killer, the lock keeper and the actors have recorded.
    pub fn new(killer: &[Record], logs: &[ActorLog]) -> Self {
        let mut history = Self::default();
        let deaths = history.read_killer(killer);
        for log in logs {
            history.read_actor(log, logs, &deaths);
        }
        history
    }

    /// Returns when the processes' lives were over.
    fn read_killer(&mut self, records: &[Record]) -> HashMap<(u32, u32), u64> {
        let mut stopped = HashMap::new();
        let mut deaths = HashMap::new();
        for record in records {
            let life = (record.op, record.hold);
            match record.kind {
                Kind::Begin => (self.fairness, self.limit) = (record.token, record.op),
                Kind::Kill => {
                    self.kills.push(Kill { process: life.0, life: life.1, sent: record.time, dead: NEVER });
                }
                Kind::Late => {
                    self.stops.push(Stop { from: record.time - record.token, to: record.time });
                    self.late += 1;
                }
                Kind::Stop => _ = stopped.insert(life, record.time),
                Kind::Dead | Kind::Continue => {
                    if record.kind == Kind::Dead {
                        deaths.entry(life).or_insert(record.time);
                    }
                    if let Some(from) = stopped.remove(&life) {
                        self.stops.push(Stop { from, to: record.time });
                    }
                }
                _ => {}
            }
        }
        for kill in &mut self.kills {
            kill.dead = deaths.get(&(kill.process, kill.life)).copied().unwrap_or(NEVER);
        }
        self.stops.sort_by_key(|stop| stop.from);
        deaths
    }

    fn read_actor(&mut self, log: &ActorLog, logs: &[ActorLog], deaths: &HashMap<(u32, u32), u64>) {
        let life = (log.process, log.life);
        // The other thread's log may tell of the end of both, or of this one.
        let same_life = || logs.iter().filter(|other| (other.process, other.life) == life);
        let time_of = |log: &ActorLog, kind| {
            log.records.iter().find(|record| record.kind == kind).map_or(NEVER, |record| record.time)
        };
        let killed = self.kills.iter().filter(|kill| (kill.process, kill.life) == life).map(|kill| kill.sent);
        let ended = same_life().map(|log| time_of(log, Kind::End));
        let mut dies = killed.chain(ended).min().unwrap_or(NEVER);
        let mut dead = deaths.get(&life).copied().unwrap_or(NEVER);
        if log.thread == 1 {
            for first in same_life().filter(|other| other.thread == 0) {
                dies = dies.min(time_of(first, Kind::Terminate));
                dead = dead.min(time_of(first, Kind::Dead));
            }
        }
        let actor = self.actors.len();
        let pid = log.records.first().map_or(0, |begin| begin.pid);
        self.actors.push(Actor { process: log.process, life: log.life, thread: log.thread, pid, dies, dead });
        let first = self.ops.len();
        let mut numbers = HashMap::new();
        for record in &log.records {
            match (record.kind, record.what, record.mode, record.way) {
                (Kind::Invoke, Some(what), Some(mode), Some(way)) => {
                    numbers.insert(record.op, self.ops.len());
                    self.ops.push(Op {
                        actor,
                        what,
                        mode,
                        way,
                        hold: record.hold,
                        invoked: record.time,
                        returned: NEVER,
                        outcome: None,
                        token: record.token,
                        died: None,
                    });
                }
                (Kind::Return, ..) => {
                    let op = numbers.get(&record.op).expect("what returns was invoked");
                    let op = &mut self.ops[*op];
                    (op.returned, op.outcome, op.died) = (record.time, record.outcome, record.died);
                    if op.what != What::SetValue {
                        op.token = record.token;
                    }
                }
                _ => {}
            }
        }
        let mut holds: HashMap<u32, Hold> = HashMap::new();
        for op in &self.ops[first..] {
            follow(&mut holds, op, dead);
        }
        for hold in holds.values_mut() {
            let last = hold.pieces.last_mut().expect("a hold has a piece");
            if last.end == End::Died {
                // Certain until just before its actor began to die, if it had begun then.
                (last.to, last.gone) = (dies.max(last.from), dead);
            }
        }
        self.holds.extend(holds.into_values());
    }

    /// What an error message calls an actor.
    pub fn name(&self, actor: usize) -> String {
        let Actor { process, life, thread, pid, .. } = self.actors[actor];
        format!("process {process} (pid {pid}, life {life}, thread {thread})")
    }

    /// The write pieces of all holds, in their order. (Of two that overlap, which is a violation by itself, any.)
    pub fn writes(&self) -> Vec<(usize, Piece)> {
        let pieces = self.holds.iter().flat_map(|hold| hold.pieces.iter().map(|piece| (hold.actor, *piece)));
        let mut writes: Vec<_> = pieces.filter(|(_, piece)| piece.mode == Mode::Write).collect();
        writes.sort_by_key(|(_, piece)| piece.from);
        writes
    }
}

/// The next operation of an actor, which is dead from `dead` on.
fn follow(holds: &mut HashMap<u32, Hold>, op: &Op, dead: u64) {
    let begin = |mode, from| Piece {
        mode,
        from,
        reads_from: op.returned,
        to: NEVER,
        asked: op.invoked,
        gone: NEVER,
        token: op.token,
        died: op.died,
        end: End::Died,
    };
    if matches!(op.what, What::Notice | What::SetValue | What::Look) {
        return;
    }
    if op.what == What::Acquire {
        if op.is_granted() {
            holds.insert(op.hold, Hold { actor: op.actor, id: op.hold, pieces: vec![begin(op.mode, op.returned)] });
        }
        return;
    }
    let hold = holds.get_mut(&op.hold).expect("a hold begins with an acquisition");
    let last = hold.pieces.last_mut().expect("a hold has a piece");
    let failed = matches!(op.way, Way::Failed | Way::Stolen);
    match op.what {
        What::Upgrade if !op.is_granted() => {}
        What::Downgrade if op.outcome == Some(Outcome::Refused) => {}
        What::Upgrade => {
            (last.to, last.gone, last.end) = (op.returned, op.returned, End::Consistent);
            hold.pieces.push(begin(Mode::Write, op.returned));
        }
        _ => {
            (last.to, last.gone) = (op.invoked, op.returned.min(dead));
            last.end = match op.outcome {
                None => End::DiedReleasing { failed },
                Some(_) if failed => End::Failed,
                Some(_) => End::Consistent,
            };
            if op.what == What::Downgrade {
                // What the new mode keeps out, the old one did, too: there is no gap.
                hold.pieces.push(begin(op.mode, op.invoked));
            }
        }
    }
}
