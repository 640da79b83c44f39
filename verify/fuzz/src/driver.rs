//! Uses a lock as the input says, and checks the results.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use process_rwlock::{
    Attachment, Error, ErrorKind, HoldEnd, LockRef, MAX_VALUE, Mode, Options, Outcome, WaitOptions, Watch, Watcher,
    list, now, remove,
};

use crate::image::Damage;
use crate::input::Input;
use crate::world;

const MS: u64 = 1_000_000;
/// How much later than its limit a step may end: far more than a loaded machine needs.
const MARGIN: Duration = Duration::from_secs(3);
/// A thread's attachments.
const SEATS: usize = 3;
const STEPS: usize = 40;
/// How often a wait that no process wakes may poll: a few times for each check of dead peers.
const POLLS: u64 = 64;
const POLLS_PER_MS: u64 = 8;
/// Wakes that two threads and a scribbler may cause.
const POLLS_TOGETHER: u64 = 20_000;

#[derive(Clone, Copy)]
pub enum Place {
    Path(&'static str),
    Name(&'static str),
}

impl Place {
    pub fn reference(self) -> LockRef<'static> {
        match self {
            Self::Path(path) => LockRef::Path(Path::new(path)),
            Self::Name(name) => LockRef::Name(name),
        }
    }

    /// The file that is its memory.
    pub fn memory(self) -> Option<PathBuf> {
        match self {
            Self::Path(path) => Some(path.into()),
            Self::Name(_) => fs::read_dir(world::SHM)
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .find(|path| path.is_file() && path.to_string_lossy().contains("/process-rwlock-")),
        }
    }

    fn inflict(self, damage: Option<&Damage>) {
        if let (Some(damage), Some(memory)) = (damage, self.memory()) {
            damage.of_file(&memory);
        }
    }
}

/// An attachment, and what sleeps on its behalf.
struct Seat {
    attachment: Attachment,
    watch: Watch,
    rung: Receiver<()>,
}

pub struct Driver {
    place: Place,
    /// No other thread uses the lock: the cost of a wait can be measured.
    alone: bool,
    seats: Vec<Seat>,
}

fn watcher() -> &'static Arc<Watcher> {
    static WATCHER: OnceLock<Arc<Watcher>> = OnceLock::new();
    WATCHER.get_or_init(Watcher::new)
}

impl Driver {
    pub fn new(place: Place, alone: bool) -> Self {
        Self { place, alone, seats: Vec::new() }
    }

    /// Obeys the input to its end; then the last attachment must get the lock.
    pub fn run(mut self, input: &mut Input) {
        self.open(input);
        for _ in 0..STEPS {
            if input.is_empty() {
                break;
            }
            self.step(input);
        }
        if self.alone {
            self.finish();
        }
    }

    fn open(&mut self, input: &mut Input) {
        let capacity = input.pick(&[None, None, None, Some(1), Some(11), Some(4095)]);
        let max_readers = input.pick(&[None, None, None, None, Some(1), Some(3)]);
        let options = Options { capacity, max_readers, label: "fuzz".into(), thread: 7, ..Options::default() };
        match bounded("open", 0, || Attachment::open(self.place.reference(), &options)) {
            Ok(attachment) => {
                let (ring, rung) = mpsc::channel();
                let watch = watcher().watch(&attachment, move || _ = ring.send(()));
                self.seats.push(Seat { attachment, watch, rung });
            }
            Err(error) => self.may_fail_to_open(&error),
        }
    }

    fn may_fail_to_open(&self, error: &Error) {
        match error.kind() {
            ErrorKind::Corrupt | ErrorKind::Incompatible => {}
            // Dead attachments do not use up slots.
            ErrorKind::Full => {
                let capacity = self.seats.first().map(|seat| seat.attachment.capacity() as usize);
                assert!(!self.alone || capacity.is_some_and(|capacity| self.seats.len() >= capacity), "{error}");
            }
            // A record that cannot be read or written.
            ErrorKind::Access if matches!(self.place, Place::Name(_)) => {}
            _ => panic!("opening: {error}"),
        }
    }

    fn step(&mut self, input: &mut Input) {
        let action = input.below(32);
        match action {
            0 | 1 => self.damage(input),
            2 if self.seats.len() < SEATS => self.open(input),
            3 => thread::sleep(Duration::from_millis(1 + input.below(6) as u64)),
            4 => self.remove(),
            5 => list().iter().flatten().for_each(|seen| drop(seen.holders_text())),
            _ if !self.seats.is_empty() => {
                let seat = input.below(self.seats.len());
                self.use_seat(seat, action, input);
            }
            _ => {}
        }
    }

    fn damage(&self, input: &mut Input) {
        let Some(path) = self.place.memory() else { return };
        let length = fs::metadata(&path).map_or(0, |about| about.len()) as usize;
        if length > 2048 {
            Damage::any(input, length).of_file(&path);
        }
    }

    fn remove(&self) {
        let result = bounded("remove", 0, || remove(self.place.reference()));
        match result.map_err(|error| (error.kind(), error)) {
            Ok(_) => assert!(!self.alone || self.seats.is_empty(), "a lock in use was removed"),
            Err((ErrorKind::Busy | ErrorKind::Corrupt | ErrorKind::Incompatible, _)) => {}
            Err((ErrorKind::Access, _)) if matches!(self.place, Place::Name(_)) => {}
            Err((_, error)) => panic!("removing: {error}"),
        }
    }

    fn use_seat(&mut self, seat: usize, action: usize, input: &mut Input) {
        let own = &self.seats[seat].attachment;
        let end = || [HoldEnd::Consistent, HoldEnd::Failed, HoldEnd::Abandoned];
        match action {
            6 => {
                let end = input.pick(&end());
                let Seat { attachment, watch, .. } = self.seats.swap_remove(seat);
                drop(watch);
                bounded("close", 500, || attachment.close(end));
            }
            7 => {
                own.try_read();
                own.stamp_read();
            }
            8 => own.release_read(),
            9 => _ = own.try_write(),
            10 | 11 => only_corrupt(own.release_exclusive(input.pick(&end()))),
            12 => _ = own.try_upgradable(),
            13 => _ = own.try_upgrade(),
            14 => match own.downgrade_to_read() {
                // From upgradable, and the limit is reached.
                Err(error) if error.kind() == ErrorKind::Busy => assert!(own.max_readers().is_some(), "{error}"),
                result => only_corrupt(result),
            },
            15 => only_corrupt(own.downgrade_to_upgradable()),
            16..20 => self.wait(own, None, input),
            20 => self.wait_upgrade(own, input),
            21 => {
                own.request(mode(input), options(input).0);
                only_corrupt(own.poll(now()));
            }
            22 => _ = own.request_upgrade(options(input).0),
            23 => _ = own.cancel(1 + u32::from(input.byte()) % 8),
            24 => _ = own.withdraw_all(),
            25 | 27 => self.contend(seat, input),
            26 => {
                only_corrupt(own.poll(now()));
                let _ = (own.take_settled(), own.next_poll(now()), own.pending());
            }
            28 => {
                let seen = own.inspect();
                let _ = (seen.holders_text(), own.owner_died(), own.is_poisoned(), own.token(), own.token_base());
                assert!(seen.holders.len() <= 2 * (seen.capacity as usize + 1));
                let held = mode(input);
                own.want_notices(&[held]);
                _ = own.is_contended(held);
            }
            30 => use_value(own, input),
            31 => {
                own.want_steals(true);
                if own.is_stolen() {
                    while own.reads() != 0 {
                        own.release_read();
                    }
                    only_corrupt(own.release_exclusive(HoldEnd::Failed));
                } else {
                    own.request_steal(options(input).0);
                    only_corrupt(own.poll(now()));
                }
            }
            29 => {
                own.set_label("näme");
                own.set_hold_label(input.byte() & 1 == 0, "a label that is longer than forty-eight bytes of UTF-8");
            }
            _ => self.wait_watched(seat, None, input),
        }
    }

    /// `damage` comes when it has just begun.
    fn wait(&self, own: &Attachment, damage: Option<Damage>, input: &mut Input) {
        let (mode, (options, ms), extra_polls) = (mode(input), options(input), input.byte());
        let (held, shares) = (own.exclusive(), own.reads() != 0);
        let deadlock = match mode {
            Mode::Read => held == Some(Mode::Write),
            Mode::Upgradable => held.is_some(),
            Mode::Write => held.is_some() || shares,
        };
        let mut polls = 0;
        let interrupted = || {
            if polls == 0 {
                self.place.inflict(damage.as_ref());
            }
            polls += 1;
            polls == u64::from(extra_polls) + 3
        };
        let has_all_reads = mode == Mode::Read && own.max_readers().is_some_and(|limit| own.reads() >= limit);
        // If what comes before it waits for a hold of this thread.
        let may_wait_for_itself = match mode {
            Mode::Read => options.in_turn && (shares || held.is_some()),
            Mode::Upgradable => shares,
            Mode::Write => false,
        };
        let result = bounded("wait", ms, || own.wait(mode, options, interrupted));
        let is_deadlock = result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Deadlock);
        if !(is_deadlock && (has_all_reads || may_wait_for_itself)) {
            self.judge(result, options, deadlock);
        }
        self.slept(polls, ms);
    }

    /// One attachment waits while the other holds the lock, or does not come in its turn, and memory is damaged meanwhile.
    fn contend(&mut self, seat: usize, input: &mut Input) {
        let other = (seat + 1) % self.seats.len();
        let (own, holder) = (&self.seats[seat].attachment, &self.seats[other].attachment);
        let kind = input.byte();
        let held = if kind & 1 == 0 { holder.try_read() } else { holder.try_write() };
        if other == seat || !held {
            return;
        }
        if kind & 2 == 0 {
            self.wait_damaged(seat, kind, input);
        } else {
            own.request(mode(input), WaitOptions { deadline: u64::MAX, fairness: 0, in_turn: false });
            only_corrupt(own.poll(now()));
            holder.release_read();
            only_corrupt(holder.release_exclusive(HoldEnd::Consistent));
            self.wait_damaged(other, kind, input);
        }
        let holder = &self.seats[other].attachment;
        holder.release_read();
        only_corrupt(holder.release_exclusive(HoldEnd::Consistent));
    }

    fn wait_damaged(&mut self, seat: usize, kind: u8, input: &mut Input) {
        let damage = Some(Damage::near(input, SEATS));
        if kind & 4 == 0 {
            self.wait(&self.seats[seat].attachment, damage, input);
        } else {
            self.wait_watched(seat, damage, input);
        }
    }

    fn wait_upgrade(&self, own: &Attachment, input: &mut Input) {
        let (options, ms) = options(input);
        let mut polls = 0;
        // Another upgrade of the same hold may wait already, which the caller cannot see from here.
        let deadlock = own.exclusive() != Some(Mode::Upgradable) || own.reads() != 0 || own.pending() != 0;
        let result = bounded("upgrade", ms, || {
            own.wait_upgrade(options, || {
                polls += 1;
                false
            })
        });
        if !(deadlock && result.is_ok()) {
            self.judge(result, options, deadlock);
        }
        self.slept(polls, ms);
    }

    fn judge(&self, result: Result<(), Error>, options: WaitOptions, deadlock: bool) {
        let Err(error) = result else { return assert!(!deadlock, "granted in spite of itself") };
        match error.kind() {
            ErrorKind::Corrupt | ErrorKind::Interrupted => {}
            ErrorKind::Deadlock => assert!(deadlock, "{error}"),
            ErrorKind::Timeout => assert!(now() >= options.deadline, "too early: {error}"),
            _ => panic!("waiting: {error}"),
        }
    }

    /// Waits as the event loop of Node does: another thread sleeps.
    fn wait_watched(&mut self, seat: usize, damage: Option<Damage>, input: &mut Input) {
        let (mode, (options, ms)) = (mode(input), options(input));
        let place = self.place;
        let Seat { attachment, watch, rung } = &mut self.seats[seat];
        let id = attachment.request(mode, options);
        let (start, mut rings) = (cpu_time(), 0);
        let slept = Instant::now();
        bounded("watch", ms, || {
            loop {
                if let Err(error) = attachment.poll(now()) {
                    only_corrupt(Err(error));
                    attachment.cancel(id);
                    return;
                }
                if let Some((_, outcome)) = attachment.take_settled().iter().find(|(settled, _)| *settled == id) {
                    return assert!(*outcome == Outcome::Granted || now() >= options.deadline, "too early");
                }
                let now = now();
                watch.begin(now, attachment.next_poll(now)).unwrap();
                if rings == 0 {
                    place.inflict(damage.as_ref());
                }
                rung.recv_timeout(MARGIN + Duration::from_millis(ms)).expect("the watcher lets the time pass");
                rings += 1;
            }
        });
        watch.end();
        self.slept(rings, ms);
        let (busy, slept) = (cpu_time() - start, slept.elapsed().as_nanos() as u64);
        // Starting a thread costs about 2 ms here.
        assert!(!self.alone || busy < 4 * MS + slept / 6, "busy for {busy} of {slept} ns of a wait");
    }

    fn slept(&self, polls: u64, ms: u64) {
        let limit = POLLS + POLLS_PER_MS * ms + if self.alone { 0 } else { POLLS_TOGETHER };
        assert!(polls <= limit, "{polls} polls in {ms} ms: it does not sleep");
    }

    /// All attachments but one close. That one gets the lock, or an error that it is damaged, whatever the memory says.
    fn finish(&mut self) {
        self.seats.truncate(1);
        let Some(Seat { attachment: own, watch, .. }) = self.seats.pop() else { return };
        drop(watch);
        let _ = own.withdraw_all();
        while own.reads() != 0 {
            own.release_read();
        }
        only_corrupt(own.release_exclusive(HoldEnd::Consistent));
        let options = WaitOptions { deadline: now() + 2000 * MS, fairness: 0, in_turn: false };
        match bounded("the last wait", 2000, || own.wait(Mode::Write, options, || false)) {
            Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "no other attachment is open, and yet: {error}"),
            Ok(()) => only_corrupt(own.release_exclusive(HoldEnd::Consistent)),
        }
    }
}

fn mode(input: &mut Input) -> Mode {
    input.pick(&[Mode::Read, Mode::Upgradable, Mode::Write])
}

/// The milliseconds that it may take.
fn options(input: &mut Input) -> (WaitOptions, u64) {
    let ms = input.pick(&[0, 0, 1, 1, 1, 2, 2, 3, 3, 5, 8, 20]);
    let fairness = input.pick(&[0, MS, u64::MAX]);
    (WaitOptions { deadline: now() + ms * MS, fairness, in_turn: ms & 1 != 0 }, ms)
}

#[track_caller]
fn only_corrupt(result: Result<(), Error>) {
    if let Err(error) = result {
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
}

#[track_caller]
fn bounded<T>(what: &str, ms: u64, act: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = act();
    let took = start.elapsed();
    assert!(took <= MARGIN + Duration::from_millis(ms), "{what} took {took:?}, not {ms} ms");
    result
}

/// The CPU time of all threads of this process, in ns.
fn cpu_time() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid for writes, and every Linux has the clock.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Damage may make the value an earlier one, or none, and the lock one that keeps turns, which has none.
fn use_value(own: &Attachment, input: &mut Input) {
    let length = input.pick(&[0, 1, 8, 17, 1024, 1025]);
    let value = vec![input.byte(); length];
    let value = (input.byte() & 7 != 0).then_some(&value[..]);
    let writes = own.exclusive() == Some(Mode::Write);
    let result = bounded("set_value", 0, || own.set_value(value));
    let keeps_turns = result.as_ref().is_err_and(|error| error.to_string().contains("keeps turns"));
    match result.map_err(|error| error.kind()) {
        Ok(()) => assert!(writes),
        Err(ErrorKind::Mode) => assert!(!writes),
        Err(ErrorKind::InvalidArgument) => assert!(length > MAX_VALUE || keeps_turns),
        Err(other) => panic!("setting the value: {other:?}"),
    }
    let seen = bounded("value", 0, || own.value());
    assert!(seen.is_none_or(|seen| seen.len() <= MAX_VALUE));
}
