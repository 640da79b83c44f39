//! One line of a log: six words of eight bytes, the kind last, so that a record whose writer was killed in the middle is
//! no record.

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An actor's first: `pid`. The killer's first: `token` is the fairness in ns, and `op` the limit on
    /// read holds.
    Begin = 1,
    /// An operation begins.
    Invoke,
    /// It has ended, with an outcome.
    Return,
    /// The process is about to end by itself, inside its holds.
    End,
    /// The process' second thread is about to be terminated.
    Terminate,
    /// Of the killer, about `op` (process) and `hold` (life): SIGKILL is about to be sent.
    Kill,
    /// The kernel has freed what the process had open.
    Dead,
    /// SIGSTOP is about to be sent.
    Stop,
    /// SIGCONT was sent.
    Continue,
    /// A sleep lasted `token` ns longer than requested: the machine was busy.
    Late,
}

/// The operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A new hold, in `mode`.
    Acquire = 1,
    /// `hold` shall be a write hold.
    Upgrade,
    /// `hold` shall be one in `mode`.
    Downgrade,
    /// `hold` ends.
    Release,
    /// `hold`, which is in `mode`, waits until a request waits that it keeps out.
    Notice,
    /// The lock's value becomes the one whose number is the `token` of the [`Kind::Invoke`].
    SetValue,
    /// The lock's value is read; the `token` of the [`Kind::Return`] is its number.
    Look,
}

/// How the lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Shared with readers and one upgradable holder.
    Read = 1,
    /// Shared with readers.
    Upgradable,
    /// Alone.
    Write,
}

/// How an operation is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Waits, for itself alone.
    Wait = 1,
    /// Never waits.
    Try,
    /// Waits before everything else of its thread.
    Sync,
    /// A release: what the lock protects is consistent.
    Consistent,
    /// A release: its function threw.
    Failed,
    /// Waits before all others, and takes the lock from those who allow that.
    Steal,
    /// A release: the hold was stolen.
    Stolen,
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Granted, or done.
    Granted = 1,
    /// A try that would have had to wait.
    Refused,
    /// The deadline passed.
    TimedOut,
    /// By its signal.
    Aborted,
    /// The lock was closed meanwhile.
    Closed,
    /// Only the same thread could have made way.
    Deadlock,
}

/// An `ownerDied` that was reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Died {
    /// The process that is said to have died.
    pub pid: u32,
    /// The fencing token of its hold.
    pub token: u64,
}

/// One line of a log. What a kind does not need is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Monotonic ns.
    pub time: u64,
    /// What it is about.
    pub kind: Kind,
    /// Which operation.
    pub what: Option<What>,
    /// In which mode.
    pub mode: Option<Mode>,
    /// How it is done.
    pub way: Option<Way>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// The operation's number in its log.
    pub op: u32,
    /// The number of the acquisition that began the hold.
    pub hold: u32,
    /// The fencing token seen, or the number of a value; 0: unknown, or no value.
    pub token: u64,
    /// The `ownerDied` seen.
    pub died: Option<Died>,
    /// The actor's process id (of `Begin`).
    pub pid: u32,
}

/// Words of a record.
pub(crate) const WORDS: usize = 6;

macro_rules! from_number {
    ($type:ident: $($name:ident),+) => {
        impl $type {
            /// The one with this number.
            #[must_use]
            pub fn from_number(number: u64) -> Option<Self> {
                [$(Self::$name),+].into_iter().find(|&each| each as u64 == number)
            }
        }
    };
}

from_number!(Kind: Begin, Invoke, Return, End, Terminate, Kill, Dead, Stop, Continue, Late);
from_number!(What: Acquire, Upgrade, Downgrade, Release, Notice, SetValue, Look);
from_number!(Mode: Read, Upgradable, Write);
from_number!(Way: Wait, Try, Sync, Consistent, Failed, Steal, Stolen);
from_number!(Outcome: Granted, Refused, TimedOut, Aborted, Closed, Deadlock);

impl Record {
    /// A record of which only the kind is known yet.
    #[must_use]
    pub fn new(kind: Kind, time: u64) -> Self {
        Self {
            time,
            kind,
            what: None,
            mode: None,
            way: None,
            outcome: None,
            op: 0,
            hold: 0,
            token: 0,
            died: None,
            pid: 0,
        }
    }

    pub(crate) fn to_words(self) -> [u64; WORDS] {
        let died = self.died.unwrap_or(Died { pid: 0, token: 0 });
        let packed = self.what.map_or(0, |what| what as u64)
            | self.mode.map_or(0, |mode| mode as u64) << 8
            | self.way.map_or(0, |way| way as u64) << 16
            | self.outcome.map_or(0, |outcome| outcome as u64) << 24
            | u64::from(self.pid | died.pid) << 32;
        let numbers = u64::from(self.op) | u64::from(self.hold) << 32;
        [self.time, self.token, died.token, numbers, packed, self.kind as u64]
    }

    pub(crate) fn from_words(words: [u64; WORDS]) -> Option<Self> {
        let [time, token, died_token, numbers, packed, kind] = words;
        let byte = |at: u32| (packed >> at) & 0xff;
        let pid = (packed >> 32) as u32;
        let kind = Kind::from_number(kind)?;
        let died = (kind == Kind::Return && pid != 0).then_some(Died { pid, token: died_token });
        Some(Self {
            time,
            kind,
            what: What::from_number(byte(0)),
            mode: Mode::from_number(byte(8)),
            way: Way::from_number(byte(16)),
            outcome: Outcome::from_number(byte(24)),
            op: numbers as u32,
            hold: (numbers >> 32) as u32,
            token,
            died,
            pid: if died.is_some() { 0 } else { pid },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_the_way_into_a_log_and_back() {
        let mut record = Record::new(Kind::Return, 7);
        record.what = Some(What::Upgrade);
        record.mode = Some(Mode::Write);
        record.way = Some(Way::Sync);
        record.outcome = Some(Outcome::Deadlock);
        (record.op, record.hold, record.token) = (u32::MAX, 5, u64::MAX);
        record.died = Some(Died { pid: u32::MAX, token: 9 });
        assert_eq!(Record::from_words(record.to_words()), Some(record));
        let mut begin = Record::new(Kind::Begin, 1);
        begin.pid = 4711;
        assert_eq!(Record::from_words(begin.to_words()), Some(begin));
        let mut torn = record.to_words();
        torn[WORDS - 1] = 0;
        assert_eq!(Record::from_words(torn), None);
    }
}
