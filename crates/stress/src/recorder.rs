//! Records each operation of an actor on the lock, in the actor's log and on the oracle page.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::SeqCst;

use crate::log::Log;
use crate::oracle_page::{CANARY, OraclePage, THREADS};
use crate::record::{Died, Kind, Mode, Outcome, Record, Way, What};
use crate::system::{bind_to_parent, lock_byte};
use crate::value::{number_of, value_of};

/// A writer takes so many steps to write the canary.
pub const CANARY_STEPS: usize = CANARY;

/// Where the log of an actor is.
#[must_use]
pub fn actor_log(folder: &Path, process: usize, life: u32, thread: usize) -> PathBuf {
    folder.join(format!("actor-{process}-{life}-{thread}.log"))
}

/// Records what one actor does.
pub struct Recorder {
    page: OraclePage,
    log: Log,
    actor: usize,
    life: u32,
    folder: PathBuf,
    /// What [`OraclePage::wait_begins`] gave for the operations that wait.
    waits: HashMap<u32, usize>,
    last_op: u32,
    /// How many values it has set.
    values: u32,
    /// A downgrade to a read hold of a limited lock, which has not ended.
    joins: Option<u32>,
    /// Its byte of the page is locked while the process lives, so that the driver sees when the kernel has freed it.
    _life: File,
}

impl Recorder {
    /// The actor that thread `thread` of `process` is in its life number `life`. The process ends with its parent.
    ///
    /// # Errors
    /// If the page or the log cannot be made.
    pub fn new(folder: &Path, process: usize, life: u32, thread: usize) -> io::Result<Self> {
        bind_to_parent();
        let page = OraclePage::open(folder)?;
        let byte_of_life = OpenOptions::new().read(true).write(true).open(folder.join("oracle-page"))?;
        if thread == 0 {
            lock_byte(&byte_of_life, process)?;
        }
        let mut log = Log::create(&actor_log(folder, process, life, thread))?;
        let actor = process * THREADS + thread;
        page.clear(actor, std::process::id());
        let mut begin = Record::new(Kind::Begin, crate::now());
        begin.pid = std::process::id();
        log.add(begin);
        let waits = HashMap::new();
        let folder = folder.into();
        Ok(Self { page, log, actor, life, folder, waits, last_op: 0, values: 0, joins: None, _life: byte_of_life })
    }

    /// What the actors share.
    #[must_use]
    pub fn page(&self) -> &OraclePage {
        &self.page
    }

    /// Whether the actor must end: the driver requests it, or its log is nearly full.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.page.is_stopped() || self.log.is_nearly_full()
    }

    fn invoke(&mut self, what: What, mode: Mode, way: Way, hold: u32) -> u32 {
        self.invoke_with(what, mode, way, hold, 0)
    }

    fn invoke_with(&mut self, what: What, mode: Mode, way: Way, hold: u32, token: u64) -> u32 {
        self.last_op += 1;
        let mut record = Record::new(Kind::Invoke, crate::now());
        (record.what, record.mode, record.way) = (Some(what), Some(mode), Some(way));
        (record.op, record.hold) = (self.last_op, if hold == 0 { self.last_op } else { hold });
        record.token = token;
        self.log.add(record);
        if what != What::Notice && matches!(way, Way::Wait | Way::Sync | Way::Steal) {
            let place = self.page.wait_begins(self.actor, record.time);
            place.map(|place| self.waits.insert(self.last_op, place));
        }
        self.last_op
    }

    fn returned(&mut self, op: u32, outcome: Outcome, token: u64, died: Option<Died>) {
        if let Some(place) = self.waits.remove(&op) {
            self.page.wait_ends(self.actor, place);
        }
        let mut record = Record::new(Kind::Return, crate::now());
        (record.op, record.outcome, record.token, record.died) = (op, Some(outcome), token, died);
        self.log.add(record);
    }

    /// Is about to ask for a new hold. Returns the operation's number, which is the hold's, too.
    pub fn acquire(&mut self, mode: Mode, way: Way) -> u32 {
        self.invoke(What::Acquire, mode, way, 0)
    }

    /// Is about to ask for `hold` to become a write hold.
    pub fn upgrade(&mut self, hold: u32, way: Way) -> u32 {
        self.invoke(What::Upgrade, Mode::Write, way, hold)
    }

    /// Is about to wait until a request waits that `hold`, which is in `mode`, keeps out.
    pub fn notice(&mut self, hold: u32, mode: Mode) -> u32 {
        self.invoke(What::Notice, mode, Way::Wait, hold)
    }

    /// What was asked for was not granted.
    pub fn denied(&mut self, op: u32, outcome: Outcome) {
        self.returned(op, outcome, 0, None);
    }

    /// The hold asked for was granted.
    pub fn granted(&mut self, op: u32, mode: Mode, token: u64, died: Option<Died>) {
        self.returned(op, Outcome::Granted, token, died);
        self.enter(None, mode, token, died);
    }

    /// A hold in mode `from` was upgraded.
    pub fn upgraded(&mut self, op: u32, from: Mode, token: u64, died: Option<Died>) {
        self.returned(op, Outcome::Granted, token, died);
        self.enter(Some(from), Mode::Write, token, died);
    }

    fn enter(&mut self, from: Option<Mode>, mode: Mode, token: u64, died: Option<Died>) {
        let overlap =
            self.page.change(self.actor, |inside| from.map_or(inside, |from| inside.without(from)).with(mode));
        if let Some(overlap) = overlap {
            self.violation(&overlap);
        }
        if mode == Mode::Read
            && let Some(readers) = self.page.too_many_readers()
        {
            self.violation(&readers);
        }
        let last = self.page.shared().last_token.load(SeqCst);
        if mode == Mode::Write {
            if token <= last {
                self.violation(&format!("a writer got token {token}, and an earlier one got {last}"));
            }
            self.page.shared().last_token.store(token, SeqCst);
        } else if token != 0 && token < last {
            self.violation(&format!("a reader got token {token}, and an earlier writer got {last}"));
        }
        let canary = self.canary();
        if died.is_none() && canary.iter().any(|&word| word != canary[0]) {
            self.violation(&format!("torn canary without a death: {canary:?} seen by a holder in mode {mode:?}"));
        }
    }

    /// What the canary is now.
    #[must_use]
    pub fn canary(&self) -> [u64; CANARY_STEPS] {
        std::array::from_fn(|word| self.page.canary_word(word))
    }

    /// Some time after it was `canary`, in the same hold: it must be the same still.
    pub fn check_canary(&self, canary: [u64; CANARY_STEPS]) {
        let now = self.canary();
        if now != canary {
            self.violation(&format!("a write during a hold: {canary:?} became {now:?}"));
        }
    }

    /// One step of writing the canary in a write hold with `token`.
    pub fn write_canary(&self, step: usize, token: u64) {
        for word in 0..step {
            let found = self.page.canary_word(word);
            if found != token {
                self.violation(&format!("two wrote at once: word {word} of the canary is {found}, not {token}"));
            }
        }
        self.page.set_canary_word(step, token);
    }

    /// Is about to make `hold`, which is in mode `from`, one in mode `to`. Follow it with [`Recorder::done`].
    pub fn downgrade(&mut self, hold: u32, from: Mode, to: Mode) -> u32 {
        // It may be refused at the limit, and then never was a read hold.
        let joins = from == Mode::Upgradable && to == Mode::Read && self.page.limit() != 0;
        let overlap = self.page.change(self.actor, |inside| {
            let without = inside.without(from);
            if joins { without } else { without.with(to) }
        });
        if let Some(overlap) = overlap {
            self.violation(&overlap);
        }
        let op = self.invoke(What::Downgrade, to, Way::Consistent, hold);
        self.joins = joins.then_some(op);
        op
    }

    /// The downgrade `op` to a read hold was refused, because all read holds are in use: the hold stays upgradable.
    pub fn stays_upgradable(&mut self, op: u32) {
        self.joins = None;
        let overlap = self.page.change(self.actor, |inside| inside.with(Mode::Upgradable));
        self.returned(op, Outcome::Refused, 0, None);
        if let Some(overlap) = overlap {
            self.violation(&overlap);
        }
    }

    /// Is about to end `hold`, which is in `mode`. Follow it with [`Recorder::done`].
    pub fn release(&mut self, hold: u32, mode: Mode, way: Way) -> u32 {
        self.page.change(self.actor, |inside| inside.without(mode));
        self.invoke(What::Release, mode, way, hold)
    }

    /// Is about to set the lock's value, in the write hold `hold`, to what this returns with the operation's number: to no
    /// value, or to one that has not been set before. Follow it with [`Recorder::done`].
    pub fn set_value(&mut self, hold: u32, none: bool) -> (u32, Option<Vec<u8>>) {
        self.values += 1;
        let unique = (self.actor as u64 + 1) << 56 | u64::from(self.life & 0xff_ffff) << 32 | u64::from(self.values);
        let number = if none { 0 } else { unique };
        (self.invoke_with(What::SetValue, Mode::Write, Way::Try, hold, number), value_of(number))
    }

    /// Is about to read the lock's value, in a hold or without one. Follow it with [`Recorder::saw`].
    pub fn look(&mut self) -> u32 {
        self.invoke(What::Look, Mode::Read, Way::Try, 0)
    }

    /// The value that was read.
    pub fn saw(&mut self, op: u32, value: Option<&[u8]>) {
        match number_of(value) {
            Some(number) => self.returned(op, Outcome::Granted, number, None),
            None => self.violation(&format!("a torn value: {value:?}")),
        }
    }

    /// The downgrade, the release or the change of the value has ended, or the notice has come.
    pub fn done(&mut self, op: u32) {
        if self.joins.take_if(|joins| *joins == op).is_some() {
            let overlap = self.page.change(self.actor, |inside| inside.with(Mode::Read));
            if let Some(fault) = overlap.or_else(|| self.page.too_many_readers()) {
                self.violation(&fault);
            }
        }
        self.returned(op, Outcome::Granted, 0, None);
    }

    /// This process is about to end by itself, inside what it holds.
    pub fn ends(&mut self) {
        self.log.add(Record::new(Kind::End, crate::now()));
        let process = self.actor / THREADS;
        (process * THREADS..(process + 1) * THREADS).for_each(|actor| self.page.leaving(actor));
    }

    /// The second thread of this process is about to be terminated, inside what it holds.
    pub fn terminates(&mut self) {
        self.log.add(Record::new(Kind::Terminate, crate::now()));
        self.page.leaving(self.actor + 1);
    }

    /// It was terminated.
    pub fn terminated(&mut self) {
        self.log.add(Record::new(Kind::Dead, crate::now()));
        self.page.clear(self.actor + 1, 0);
    }

    /// Writes down what must not be, where the driver finds it.
    pub fn violation(&self, text: &str) {
        let line = format!(
            "{} ns, actor {} of process {} (pid {}): {text}\n",
            crate::now(),
            self.actor % THREADS,
            self.actor / THREADS,
            std::process::id()
        );
        let path = self.folder.join(format!("violation-{}", self.actor));
        let file = fs::OpenOptions::new().create(true).append(true).open(path);
        file.and_then(|mut file| file.write_all(line.as_bytes())).expect("a violation is written down");
        self.page.shared().failed.store(1, SeqCst);
    }
}
