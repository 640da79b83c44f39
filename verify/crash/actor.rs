//! A process of a case: it obeys the commands in its mailbox, and records on the checker page what it holds.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::Duration;

use process_rwlock::{
    Attachment, Doorbell, Error, ErrorKind, HoldEnd, LockRef, Mode, Options, Outcome, RequestId, WaitOptions, Watcher,
    list, now, prune, remove,
};

use crate::inject::{self, Action, Target};
use crate::labels;
use crate::memory::{LockLocation, Memory};
use crate::stage::{self, Actor as Mailbox, Inside, Phase, Stage, letter};

/// The capacity of a lock that no opener requested.
const CAPACITY: u64 = 6;
/// See `attachment.rs`.
const PRUNE_INTERVAL: u64 = 1024;
/// Of a value: some words, and a part of one.
const VALUE_BYTES: usize = 17;
/// As in `RwLock`.
const FAIRNESS: u64 = 1_000_000;

thread_local! {
    /// Closed when the thread ends in order, and by `exit`.
    static KEPT: RefCell<Option<Attachment>> = const { RefCell::new(None) };
}

pub struct Actor {
    stage: &'static Stage,
    me: usize,
    location: LockLocation,
    attachment: Option<Attachment>,
    others: Vec<Attachment>,
    requests: Vec<(RequestId, Mode)>,
    /// What wakes it in a `watch`, if not the watcher.
    doorbell: Option<Doorbell>,
}

/// Runs until the process ends. `target` is for the victim's operation.
pub fn live(stage: &'static Stage, me: usize, location: LockLocation, target: Option<Target>) {
    inject::hook(stage, location.clone(), me);
    let mut actor =
        Actor { stage, me, location, attachment: None, others: Vec::new(), requests: Vec::new(), doorbell: None };
    let mailbox = &stage.actors[me];
    let lived = catch_unwind(AssertUnwindSafe(|| {
        for done in mailbox.done.load(SeqCst).. {
            while mailbox.told.load(SeqCst) == done {
                stage::wait(&mailbox.told, done, None);
            }
            actor.serve(mailbox, target);
            mailbox.done.store(done + 1, SeqCst);
            stage.tell_news();
        }
    }));
    if lived.is_err() {
        stage.fail(&format!("{} panicked", letter(me)));
    }
}

impl Actor {
    fn serve(&mut self, mailbox: &Mailbox, target: Option<Target>) {
        let told = mailbox.command.get();
        let commands = match (told.strip_prefix('!'), told.strip_prefix('?')) {
            (Some(operation), _) => {
                inject::arm(target);
                operation
            }
            (_, Some(doomed)) => {
                let (label, operation) = doomed.split_once(' ').expect("a label and commands");
                inject::arm(Some(Target { label: labels::all()[label], nth: 1, action: Action::Kill }));
                operation
            }
            _ => &told,
        };
        let mut problem = String::new();
        for command in commands.split(',') {
            let mut words: Vec<&str> = command.split_whitespace().collect();
            let expected = words.pop_if(|word| word.starts_with('='));
            let answer = self.carry_out(&words);
            let expected = expected.map_or("ok", |word| &word[1..]);
            if expected != "any" && expected != answer {
                problem = format!("{}: '{}' is {answer}, not {expected}", letter(self.me), command.trim());
                break;
            }
        }
        inject::disarm();
        mailbox.answer.set(&problem);
    }

    fn carry_out(&mut self, words: &[&str]) -> String {
        let option =
            |key: &str| words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('=')?.parse::<u64>().ok());
        let options = WaitOptions {
            deadline: option("timeout").map_or(u64::MAX, |ms| now() + ms * 1_000_000),
            fairness: option("fairness").map_or(FAIRNESS, |ms| ms * 1_000_000),
            in_turn: words.contains(&"in-turn"),
        };
        let capacity = Some(option("capacity").unwrap_or(CAPACITY) as u32);
        let argument = words.get(1).copied().unwrap_or_default();
        match words[0] {
            "open" => return self.open(capacity, option("limit").map(|limit| limit as u32)),
            "open-other" => match Attachment::open(LockRef::Name(argument), &self.options(capacity)) {
                Ok(other) => self.others.push(other),
                Err(error) => return said(error),
            },
            "keep" => {
                let kept = Attachment::open(self.lock(), &self.options(None)).ok();
                KEPT.set(kept);
            }
            "close" => {
                self.begin_leave();
                self.stage.leave(self.me, Inside::Nobody);
                self.end_as_owner_died();
                self.attachment.take().expect("an open lock").close(HoldEnd::Consistent);
                self.others.clear();
                KEPT.set(None);
                self.stage.set_phase(self.me, Phase::Outside);
            }
            "abandon" => {
                self.stage.expected.store(std::process::id(), SeqCst);
                self.begin_leave();
                self.stage.leave(self.me, Inside::Nobody);
                self.attachment.take().expect("an open lock").close(HoldEnd::Abandoned);
                self.stage.set_phase(self.me, Phase::Outside);
            }
            "remove" => return answered(remove(self.lock())),
            // The lock is held whenever the victim lists it, although it is made anew meanwhile.
            "list-held" => match list() {
                Ok(seen) if seen.iter().any(|lock| !lock.holders.is_empty()) => {}
                Ok(_) => self.stage.fail("the list does not show the holder of the lock"),
                Err(error) => return said(error),
            },
            "prune" => return answered(prune(false)),
            "list" => return answered(list()),
            "read" | "upgradable" | "write" => {
                return self.acquire(mode_of(words[0]), |a, mode| {
                    if tried(a, mode) { Ok(()) } else { a.wait(mode, options, || false).map_err(said) }
                });
            }
            "wait-read" | "wait-upgradable" | "wait-write" => {
                return self.acquire(mode_of(&words[0][5..]), |a, mode| a.wait(mode, options, || false).map_err(said));
            }
            "interrupted" => {
                return self.acquire(mode_of(argument), |a, mode| a.wait(mode, options, || true).map_err(said));
            }
            "try-read" | "try-upgradable" | "try-write" => {
                return self.acquire(mode_of(&words[0][4..]), |a, mode| or_refused(tried(a, mode)));
            }
            "upgrade" => return self.acquire(Mode::Write, |a, _| a.wait_upgrade(options, || false).map_err(said)),
            "try-upgrade" => return self.acquire(Mode::Write, |a, _| or_refused(a.try_upgrade())),
            "request" => {
                let id = self.attachment().request(mode_of(argument), options);
                self.requested(id, mode_of(argument));
            }
            "request-upgrade" => {
                let id = self.attachment().request_upgrade(options).expect("an upgradable hold");
                self.requested(id, Mode::Write);
            }
            "poll" => return self.poll(),
            "cancel" => {
                let (id, _) = self.requests.pop().expect("a request");
                self.attachment().cancel(id);
                return self.poll();
            }
            "doorbell" => {
                let doorbell = Doorbell::open().expect("a doorbell");
                self.attachment().set_doorbell(&doorbell, 0);
                self.doorbell = Some(doorbell);
            }
            "watch" => return self.watch(),
            "keep-hold" => {
                let held = [self.attachment().exclusive().unwrap_or(Mode::Read)];
                let want = |a: &Attachment, wanted| a.want_notices(&held[..usize::from(wanted)]);
                return self.keep_until(want, |a| a.is_contended(held[0]));
            }
            "keep-until-stolen" => return self.keep_until(Attachment::want_steals, Attachment::is_stolen),
            "ask-steal" => {
                let id = self.attachment().request_steal(options);
                self.requested(id, Mode::Write);
            }
            "steal" => {
                let id = self.attachment().request_steal(options);
                self.requested(id, Mode::Write);
                return self.watch();
            }
            "yield" => {
                let held = self.attachment().exclusive().unwrap_or(Mode::Read);
                let id = self.attachment().request(held, options);
                let released = self.carry_out(&["release"]);
                self.requested(id, held);
                return if released == "ok" { self.watch() } else { released };
            }
            "down-read" => return self.give_up(Inside::Read, Attachment::downgrade_to_read),
            "down-upgradable" => return self.give_up(Inside::Upgradable, Attachment::downgrade_to_upgradable),
            "release" if self.attachment().exclusive().is_some() => {
                let rest = if self.attachment().reads() > 0 { Inside::Read } else { Inside::Nobody };
                return self.give_up(rest, |a| a.release_exclusive(HoldEnd::Consistent));
            }
            "release" => {
                if self.attachment().reads() == 1 {
                    self.stage.leave(self.me, Inside::Nobody);
                }
                self.attachment().release_read();
            }
            "release-read" => self.attachment().release_read(),
            "release-all" => {
                while self.attachment.as_ref().is_some_and(|a| a.exclusive().is_some() || a.reads() > 0) {
                    self.carry_out(&["release"]);
                }
            }
            "fail" => {
                // The hold ends, and the earlier writer's death stays reported.
                let expected = self.stage.expected.load(SeqCst);
                self.begin_leave();
                self.stage.leave(self.me, Inside::Nobody);
                // Not after the release: the next writer may have died by then.
                assert_eq!(expected, self.stage.expected.load(SeqCst));
                let released = self.attachment().release_exclusive(HoldEnd::Failed);
                self.stage.set_phase(self.me, Phase::Outside);
                return answered(released);
            }
            "label" => {
                self.attachment().set_label(argument);
                self.attachment().set_hold_label(true, argument);
                self.attachment().set_hold_label(false, argument);
            }
            "set" | "unset" => {
                let number = argument.parse().unwrap_or(0);
                let value = (number != 0).then_some([number as u8; VALUE_BYTES]);
                let mut set = Ok(());
                self.stage.set_value(number, || {
                    set = self.attachment().set_value(value.as_ref().map(|value| &value[..]));
                });
                return answered(set);
            }
            "look" => self.look(),
            "inspect" => drop(self.attachment().inspect()),
            "stamp" => self.attachment().stamp_read(),
            "write-until-pruning" => loop {
                assert!(self.attachment().try_write());
                let token = self.attachment().token();
                self.attachment().release_exclusive(HoldEnd::Consistent).unwrap();
                if (token + 1).is_multiple_of(PRUNE_INTERVAL) {
                    break;
                }
            },
            "survive" => return self.survive(),
            "examine" => return self.examine(),
            _ => panic!("what is {words:?}?"),
        }
        "ok".into()
    }

    fn lock(&self) -> LockRef<'_> {
        match &self.location {
            LockLocation::Named(name) => LockRef::Name(name),
            LockLocation::Path(path) => LockRef::Path(path),
        }
    }

    fn options(&self, capacity: Option<u32>) -> Options {
        Options { capacity, label: letter(self.me).into(), ..Options::default() }
    }

    fn open(&mut self, capacity: Option<u32>, max_readers: Option<u32>) -> String {
        match Attachment::open(self.lock(), &Options { max_readers, ..self.options(capacity) }) {
            Ok(attachment) => self.attachment = Some(attachment),
            Err(error) => return said(error),
        }
        "ok".into()
    }

    fn attachment(&self) -> &Attachment {
        self.attachment.as_ref().expect("an open lock")
    }

    fn acquire(&self, mode: Mode, take: impl FnOnce(&Attachment, Mode) -> Result<(), String>) -> String {
        if mode == Mode::Write {
            self.stage.set_phase(self.me, Phase::Entering);
        }
        match take(self.attachment(), mode) {
            Ok(()) => self.entered(),
            Err(why) => {
                if mode == Mode::Write {
                    self.stage.set_phase(self.me, Phase::Outside);
                }
                return why;
            }
        }
        "ok".into()
    }

    fn entered(&self) {
        let attachment = self.attachment();
        let inside = match attachment.exclusive() {
            Some(Mode::Write) => Inside::Write,
            Some(_) => Inside::Upgradable,
            None => Inside::Read,
        };
        let token = attachment.token();
        self.stage.enter(self.me, inside, token);
        if let (Some(limit), Inside::Read) = (attachment.max_readers(), inside) {
            self.stage.check_readers(limit);
        }
        if inside == Inside::Write {
            self.stage.set_phase(self.me, Phase::Inside);
        }
        attachment.stamp_read();
        let (died, expected) = (attachment.owner_died(), self.stage.expected.load(SeqCst));
        if died.as_ref().map_or(0, |died| died.pid) != expected || died.is_some() != attachment.is_poisoned() {
            self.stage.fail(&format!("{} reports that {died:?} died, not pid {expected}", letter(self.me)));
        }
    }

    /// A value has its number in each byte.
    fn look(&self) {
        self.stage.check_value(self.me, || match self.attachment().value() {
            None => Ok(0),
            Some(value) if value.len() == VALUE_BYTES && value.iter().all(|byte| *byte == value[0]) => {
                Ok(value[0].into())
            }
            Some(value) => Err(format!("{value:?}")),
        });
    }

    fn begin_leave(&self) {
        if self.attachment().exclusive() == Some(Mode::Write) {
            self.stage.set_phase(self.me, Phase::Leaving);
        }
    }

    /// A write hold that ends consistent clears the poison of an earlier death.
    fn end_as_owner_died(&self) {
        if self.attachment().exclusive() == Some(Mode::Write) {
            self.stage.expected.store(0, SeqCst);
        }
    }

    fn give_up(&self, rest: Inside, act: impl FnOnce(&Attachment) -> Result<(), Error>) -> String {
        self.begin_leave();
        self.stage.leave(self.me, rest);
        self.end_as_owner_died();
        let done = act(self.attachment());
        self.stage.set_phase(self.me, Phase::Outside);
        answered(done)
    }

    fn requested(&mut self, id: RequestId, mode: Mode) {
        if mode == Mode::Write {
            self.stage.set_phase(self.me, Phase::Entering);
        }
        self.requests.push((id, mode));
    }

    /// `ok` if a request was granted.
    fn poll(&mut self) -> String {
        if let Err(error) = self.attachment().poll(now()) {
            return said(error);
        }
        let settled = self.attachment().take_settled();
        self.requests.retain(|(id, _)| settled.iter().all(|(other, _)| other != id));
        let granted = settled.iter().any(|(_, outcome)| *outcome == Outcome::Granted);
        if granted {
            self.entered();
        } else if self.requests.iter().all(|(_, mode)| *mode != Mode::Write)
            && self.stage.is_in_phase(self.me, Phase::Entering)
        {
            self.stage.set_phase(self.me, Phase::Outside);
        }
        if granted { "ok" } else { "pending" }.into()
    }

    /// Until a request is granted, as the binding for Node does it.
    fn watch(&mut self) -> String {
        let rung = Arc::new(AtomicU32::new(0));
        let ring = rung.clone();
        let mut watch = Watcher::new().watch(self.attachment(), move || {
            ring.fetch_add(1, SeqCst);
            stage::wake(&ring);
        });
        loop {
            let seen = rung.load(SeqCst);
            let answer = self.poll();
            if answer != "pending" {
                return answer;
            }
            let time = now();
            watch.begin(time, self.attachment().next_poll(time)).expect("a thread");
            match &self.doorbell {
                Some(doorbell) => {
                    while rung.load(SeqCst) == seen && doorbell.next_ring().is_none() {
                        thread::sleep(Duration::from_millis(1));
                    }
                }
                None => {
                    while rung.load(SeqCst) == seen {
                        stage::wait(&rung, seen, None);
                    }
                }
            }
        }
    }

    /// Keeps its hold until there is what it wants to be told of, as the binding for Node does it:
    /// with nothing that wakes it but a notice.
    fn keep_until(&mut self, want: impl Fn(&Attachment, bool), is_due: impl Fn(&Attachment) -> bool) -> String {
        let rung = Arc::new(AtomicU32::new(0));
        let ring = rung.clone();
        let mut watch = Watcher::new().watch(self.attachment(), move || {
            ring.fetch_add(1, SeqCst);
            stage::wake(&ring);
        });
        want(self.attachment(), true);
        loop {
            let seen = rung.load(SeqCst);
            self.attachment().take_notice();
            if is_due(self.attachment()) {
                break;
            }
            match &self.doorbell {
                Some(doorbell) => {
                    while doorbell.next_ring().is_none() {
                        thread::sleep(Duration::from_millis(1));
                    }
                }
                None => {
                    watch.listen(now()).expect("a thread");
                    while rung.load(SeqCst) == seen {
                        stage::wait(&rung, seen, None);
                    }
                }
            }
        }
        want(self.attachment(), false);
        "ok".into()
    }

    /// What any process must be able to do after every case.
    fn survive(&mut self) -> String {
        KEPT.set(None);
        self.others.clear();
        if self.attachment.is_none() {
            return "ok".into();
        }
        self.look();
        for words in [["write"], ["release"], ["read"], ["release"], ["upgradable"], ["release"], ["close"]] {
            let answer = self.carry_out(&words);
            if answer != "ok" {
                return answer;
            }
        }
        "ok".into()
    }

    /// No other process is attached: the lock must be as new, except for a death to report.
    fn examine(&mut self) -> String {
        let answer = self.open(None, None);
        if answer != "ok" {
            return answer;
        }
        self.look();
        let seen = self.attachment().inspect();
        let (died, expected) = (seen.owner_died.map_or(0, |died| died.pid), self.stage.expected.load(SeqCst));
        if !seen.holders.is_empty() || !seen.waiters.is_empty() || died != expected {
            return format!("holders {:?}, waiters {:?}, died {died}, not {expected}", seen.holders, seen.waiters);
        }
        for words in [["try-write"], ["release"], ["try-read"], ["release"]] {
            let answer = self.carry_out(&words);
            if answer != "ok" {
                return format!("{}: {answer}", words[0]);
            }
        }
        if let Some(remains) = Memory::read(&self.location).expect("an open lock has memory").remains() {
            return remains;
        }
        let capacity = self.attachment().capacity();
        for number in 2..=capacity {
            match Attachment::open(self.lock(), &self.options(None)) {
                Ok(other) => self.others.push(other),
                Err(error) => return format!("attachment {number} of {capacity}: {error}"),
            }
        }
        // While a death was to be reported, the spare slot may have been claimed; then there is room for one more.
        for _ in 0..u32::from(expected != 0) {
            self.others.extend(Attachment::open(self.lock(), &self.options(None)));
        }
        let full = Attachment::open(self.lock(), &self.options(None)).err().map(|error| error.kind());
        if full != Some(ErrorKind::Full) {
            return format!("one attachment more than {capacity}: {full:?}");
        }
        self.carry_out(&["close"]);
        if let (LockLocation::Path(path), removed) = (&self.location, remove(self.lock()))
            && (!matches!(removed, Ok(true)) || path.exists())
        {
            return format!("removed: {removed:?}");
        }
        "ok".into()
    }
}

fn mode_of(word: &str) -> Mode {
    match word {
        "read" => Mode::Read,
        "upgradable" => Mode::Upgradable,
        "write" => Mode::Write,
        _ => panic!("what is {word:?}?"),
    }
}

fn tried(attachment: &Attachment, mode: Mode) -> bool {
    match mode {
        Mode::Read => attachment.try_read(),
        Mode::Upgradable => attachment.try_upgradable(),
        Mode::Write => attachment.try_write(),
    }
}

fn or_refused(granted: bool) -> Result<(), String> {
    if granted { Ok(()) } else { Err("refused".into()) }
}

fn said(error: Error) -> String {
    format!("{:?}", error.kind()).to_lowercase()
}

fn answered<T>(result: Result<T, Error>) -> String {
    result.map_or_else(said, |_| "ok".into())
}
