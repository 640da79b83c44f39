//! Plays one case: brings the actors into the situation of the scenario, runs the victim up to the crash point at which it
//! is halted, and checks that all other actors finish and that nothing is left.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use crate::actor;
use crate::inject::{Action, Target, note_death};
use crate::memory::{LockLocation, Memory};
use crate::stage::{ACTORS, Actor, BOUND, OBSERVER, Stage, VICTIM, letter};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Absent,
    Runs,
    Stopped,
    Dead,
}

/// The result of a case that went well.
pub struct Played {
    /// The victim was halted at the crash point. (It does not always reach it a second time.)
    pub halted: bool,
    /// The crash points of its operation.
    pub steps: Vec<usize>,
    /// The time from the victim's end to the end of the last wait.
    pub recovery: Duration,
}

pub struct Play<'a> {
    stage: &'static Stage,
    location: &'a LockLocation,
    target: Option<Target>,
    processes: [(libc::pid_t, State); ACTORS.len()],
    /// The actors with a command that is not carried out yet.
    busy: [bool; ACTORS.len()],
    begun: bool,
}

/// How many opens may sweep before nothing may be left.
const SWEEPS: u32 = 5;

type Result<T = ()> = std::result::Result<T, String>;

/// `script` is that of a scenario. All processes have ended when this returns.
pub fn play(stage: &'static Stage, location: &LockLocation, script: &str, target: Option<Target>) -> Result<Played> {
    stage.clear();
    let processes = [(0, State::Absent); ACTORS.len()];
    let mut play = Play { stage, location, target, processes, busy: [false; ACTORS.len()], begun: false };
    play.run(script)
}

impl Drop for Play<'_> {
    fn drop(&mut self) {
        for actor in 0..ACTORS.len() {
            self.end(actor);
        }
    }
}

impl Play<'_> {
    fn run(&mut self, script: &str) -> Result<Played> {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            self.line(line).map_err(|why| format!("at '{line}': {why}"))?;
        }
        self.until("the victim's end", |play| play.victim_rests())?;
        self.see()?; // it may have halted just now
        let halted = self.processes[VICTIM].1 != State::Runs;
        let steps = self.stage.steps();
        let recovery = self.wind_up(script).map_err(|why| format!("after it: {why}"))?;
        Ok(Played { halted, steps, recovery })
    }

    fn line(&mut self, line: &str) -> Result {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "!" => {
                if self.target.is_some_and(|target| target.action == Action::Exit) && self.has_room_for_more() {
                    self.tell(VICTIM, "keep")?;
                    self.until("it keeps one", |play| !play.busy[VICTIM])?;
                }
                self.begun = true;
                self.tell(VICTIM, &format!("!{rest}"))
            }
            "asleep" => {
                let times: u32 = rest.parse().expect("a number");
                self.until("it sleeps", |play| {
                    play.stage.actors[VICTIM].sleeps.load(SeqCst) >= times || play.victim_rests()
                })
            }
            "kill" => self.kill(actor_of(rest)),
            "stop" => self.stop(actor_of(rest)),
            "cont" => self.resume(actor_of(rest)),
            "go" => self.go_on().map(drop),
            "done" => {
                let actor = actor_of(rest);
                self.until(line, |play| !play.busy[actor] || play.victim_is_halted())
            }
            // It dies at its first `label`.
            "dies" => {
                let (name, dying) = rest.split_once(' ').expect("an actor and a label");
                let actor = actor_of(name);
                self.tell(actor, &format!("?{dying}"))?;
                self.until("it dies", |play| !play.busy[actor])?;
                (self.processes[actor].1 == State::Dead).then_some(()).ok_or("it lives".into())
            }
            // Of a lock by path.
            "empty-file" => {
                let LockLocation::Path(path) = self.location else { panic!("it has a name") };
                fs::write(path, "").map_err(|error| error.to_string())
            }
            "link-file" => {
                let LockLocation::Path(path) = self.location else { panic!("it has a name") };
                let target = path.with_extension("linked");
                let _ = fs::remove_file(&target);
                std::os::unix::fs::symlink(target, path).map_err(|error| error.to_string())
            }
            "forget-memory" => {
                let entries = fs::read_dir("/dev/shm").unwrap().map(|entry| entry.unwrap().path());
                entries.filter(|path| path.is_file()).for_each(|path| fs::remove_file(path).unwrap());
                Ok(())
            }
            _ => {
                let actor = actor_of(word);
                if let Some(commands) = rest.strip_suffix("&&") {
                    return self.tell(actor, commands);
                }
                let commands = rest.strip_suffix('&');
                let before = self.stage.actors[actor].sleeps.load(SeqCst);
                self.tell(actor, commands.unwrap_or(rest))?;
                let sleeps = |play: &Self| play.stage.actors[actor].sleeps.load(SeqCst);
                self.until("it is done or asleep", |play| {
                    // It may wait for the halted victim, intended or not.
                    let may_wait = commands.is_some() || play.victim_is_halted();
                    !play.busy[actor] || (may_wait && sleeps(play) > before)
                })
            }
        }
    }

    /// The victim is dead, stopped, or has finished. The others must be able to continue, and so must later processes.
    fn wind_up(&mut self, script: &str) -> Result<Duration> {
        for actor in 0..ACTORS.len() {
            if actor != VICTIM && self.processes[actor].1 == State::Stopped {
                self.resume(actor)?;
            }
        }
        if self.processes[VICTIM].1 == State::Stopped {
            // No process waits for one that stopped while opening or closing, unless it has the setup byte of a file.
            if !has_setup_byte(self.location, script) {
                self.continue_despite_the_stopped()?;
            }
            if !self.go_on()? {
                self.kill(VICTIM)?;
            }
        }
        let start = Instant::now();
        self.until_all_done(|_| false)?;
        let recovery = start.elapsed();
        if script.contains("! remove") && Memory::read(self.location).is_none() {
            self.stage.expected.store(0, SeqCst); // removing a lock removes the death that it had to report
        }
        let alive: Vec<usize> = (0..ACTORS.len()).filter(|&actor| self.processes[actor].1 == State::Runs).collect();
        for &actor in &alive {
            self.tell(actor, "survive")?;
            self.until("a survivor acquires", |play| !play.busy[actor])?;
        }
        for looks in 1.. {
            self.tell(OBSERVER, "examine")?;
            self.until("a new observer checks it", |play| !play.busy[OBSERVER])?;
            (0..ACTORS.len()).for_each(|actor| self.end(actor));
            match nothing_left(self.location) {
                Ok(()) => break,
                // The first open sweeps, but only for a few ms: on a busy machine it may find nothing.
                Err(_) if looks < SWEEPS => self.processes[OBSERVER].1 = State::Absent,
                Err(why) => return Err(why),
            }
        }
        Ok(recovery)
    }

    /// If the stopped victim holds nothing, no process may wait for it for good. If it holds, they wait.
    fn continue_despite_the_stopped(&mut self) -> Result {
        let pid = self.processes[VICTIM].0 as u32;
        if !Memory::read(self.location).is_some_and(|memory| memory.is_held_by(pid)) {
            return self
                .until_all_done(|_| false)
                .map_err(|why| format!("with a stopped victim that holds nothing: {why}"));
        }
        let sleeps = |play: &Self| play.stage.actors.each_ref().map(|actor| actor.sleeps.load(SeqCst));
        let before = sleeps(self);
        self.until_all_done(|play| {
            let now = sleeps(play);
            (0..ACTORS.len()).all(|actor| !play.busy[actor] || now[actor] >= before[actor] + 3)
        })
    }

    /// Continues the victim if it was only paused.
    fn go_on(&mut self) -> Result<bool> {
        let goes = self.is_paused_only() && self.processes[VICTIM].1 == State::Stopped;
        if goes {
            self.stage.actors[VICTIM].halts.store(0, SeqCst);
            self.busy[VICTIM] = true;
            self.resume(VICTIM)?;
        }
        Ok(goes)
    }

    /// Until no actor is busy, or `enough`. An idle actor releases what it holds.
    fn until_all_done(&mut self, enough: impl Fn(&Self) -> bool) -> Result {
        let mut released = [false; ACTORS.len()];
        let deadline = Instant::now() + BOUND;
        loop {
            let seen = self.stage.news();
            self.see()?;
            for (actor, released) in released.iter_mut().enumerate() {
                if self.processes[actor].1 == State::Runs && !self.busy[actor] && !*released {
                    *released = true;
                    self.tell(actor, "release-all")?;
                }
            }
            let waiting: Vec<&str> = (0..ACTORS.len())
                .filter(|&actor| self.busy[actor] && self.processes[actor].1 == State::Runs)
                .map(letter)
                .collect();
            if waiting.is_empty() || enough(self) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("{} still wait(s) after {BOUND:?}", waiting.join(", ")));
            }
            self.stage.await_news(seen);
        }
    }

    fn until(&mut self, what: &str, mut condition: impl FnMut(&Self) -> bool) -> Result {
        let deadline = Instant::now() + BOUND;
        loop {
            let seen = self.stage.news();
            self.see()?;
            if condition(self) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("waited {BOUND:?} for: {what}"));
            }
            self.stage.await_news(seen);
        }
    }

    // ---- observing

    fn victim_is_halted(&self) -> bool {
        self.begun && (self.processes[VICTIM].1 == State::Dead || self.stage.actors[VICTIM].halts.load(SeqCst) != 0)
    }

    /// The victim reaches no further crash point of its operation.
    fn victim_rests(&self) -> bool {
        self.begun && (!self.busy[VICTIM] || self.victim_is_halted())
    }

    fn is_paused_only(&self) -> bool {
        self.target.is_some_and(|target| target.action == Action::Pause)
    }

    fn has_room_for_more(&self) -> bool {
        let told = self.stage.actors[VICTIM].command.get();
        told.contains("open") && !told.contains("capacity")
    }

    fn see(&mut self) -> Result {
        if let Some(failure) = self.stage.failure() {
            return Err(failure);
        }
        for actor in 0..ACTORS.len() {
            let (pid, state) = self.processes[actor];
            if state != State::Runs {
                continue;
            }
            let halts = self.stage.actors[actor].halts.load(SeqCst) != 0;
            if let Some((state, status)) = check(pid, !halts) {
                self.processes[actor].1 = state;
                // Checked again, because it may have changed since the check above.
                if self.stage.actors[actor].halts.load(SeqCst) == 0 {
                    return Err(self.stage.failure().unwrap_or(format!("{} ended with {status:#x}", letter(actor))));
                }
                self.busy[actor] = false;
                continue;
            }
            let mailbox = &self.stage.actors[actor];
            if self.busy[actor] && mailbox.done.load(SeqCst) == mailbox.told.load(SeqCst) {
                self.busy[actor] = false;
                let problem = mailbox.answer.get();
                // After a long pause the state may differ from the expected one.
                let excused = actor == VICTIM && self.is_paused_only() && !problem.contains("corrupt");
                if !problem.is_empty() && !excused {
                    return Err(problem);
                }
            }
        }
        Ok(())
    }

    // ---- acting

    fn tell(&mut self, actor: usize, commands: &str) -> Result {
        if self.processes[actor].1 == State::Absent {
            self.start(actor);
        }
        if self.processes[actor].1 == State::Dead {
            return Ok(()); // a line of the script that comes after its end
        }
        if self.busy[actor] {
            self.until("it has carried out its earlier command", |play| !play.busy[actor] || play.victim_is_halted())?;
            if self.busy[actor] {
                return Ok(()); // it waits for the halted one
            }
        }
        self.busy[actor] = true;
        let mailbox: &Actor = &self.stage.actors[actor];
        mailbox.command.set(commands);
        mailbox.told.fetch_add(1, SeqCst);
        crate::stage::wake(&mailbox.told);
        Ok(())
    }

    fn start(&mut self, actor: usize) {
        let target = self.target.filter(|_| actor == VICTIM);
        let pid = fork(|| actor::live(self.stage, actor, self.location.clone(), target));
        self.processes[actor] = (pid, State::Runs);
    }

    fn kill(&mut self, actor: usize) -> Result {
        let (pid, state) = self.processes[actor];
        if !matches!(state, State::Runs | State::Stopped) {
            return Ok(());
        }
        // Stopped first, so that nothing changes between the record and the death.
        self.stop(actor)?;
        if self.processes[actor].1 == State::Dead {
            return Ok(());
        }
        note_death(self.stage, self.location, actor, pid as u32);
        self.end(actor);
        Ok(())
    }

    fn stop(&mut self, actor: usize) -> Result {
        let (pid, state) = self.processes[actor];
        if state == State::Runs && !(actor == VICTIM && self.victim_is_halted()) {
            send(pid, libc::SIGSTOP);
            match check(pid, false) {
                Some((State::Stopped, _)) => self.processes[actor].1 = State::Stopped,
                // It ended by itself first.
                Some(_) if actor == VICTIM => self.processes[actor].1 = State::Dead,
                _ => return Err(format!("{} ended", letter(actor))),
            }
        }
        Ok(())
    }

    fn resume(&mut self, actor: usize) -> Result {
        let halts = self.stage.actors[actor].halts.load(SeqCst) != 0;
        if self.processes[actor].1 == State::Stopped && !halts {
            send(self.processes[actor].0, libc::SIGCONT);
            self.processes[actor].1 = State::Runs;
        }
        Ok(())
    }

    fn end(&mut self, actor: usize) {
        let (pid, state) = self.processes[actor];
        if matches!(state, State::Runs | State::Stopped) {
            send(pid, libc::SIGKILL);
            while !matches!(check(pid, false), Some((State::Dead, _))) {}
            self.processes[actor].1 = State::Dead;
        }
        self.busy[actor] = false;
    }
}

/// Whether the victim may hold it while others want it.
fn has_setup_byte(location: &LockLocation, script: &str) -> bool {
    let lays_out = script.contains("empty-file") || script.contains("link-file") || script.contains("! remove");
    matches!(location, LockLocation::Path(_)) && lays_out && script.contains("&&")
}

/// A child, which ends after `life`, or with this process.
pub fn fork(life: impl FnOnce()) -> libc::pid_t {
    // SAFETY: this process has one thread, so the child may do whatever it likes.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "{}", std::io::Error::last_os_error());
    if pid == 0 {
        // SAFETY: takes numbers.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
        let lived = catch_unwind(AssertUnwindSafe(life));
        // SAFETY: ends the process, without running what belongs to the one it was forked from.
        unsafe { libc::_exit(i32::from(lived.is_err())) }
    }
    pid
}

pub fn ends_well(pid: libc::pid_t) -> bool {
    check(pid, false) == Some((State::Dead, 0))
}

fn actor_of(word: &str) -> usize {
    ACTORS.find(word).filter(|_| word.len() == 1).unwrap_or_else(|| panic!("there is no actor {word:?}"))
}

fn send(pid: libc::pid_t, signal: i32) {
    // SAFETY: takes numbers; the child was not waited for, so its pid is not reused.
    unsafe { libc::kill(pid, signal) };
}

/// Whether a child has stopped or ended; `at_once`: without waiting for that.
fn check(pid: libc::pid_t, at_once: bool) -> Option<(State, i32)> {
    let mut status = 0;
    let flags = libc::WUNTRACED | if at_once { libc::WNOHANG } else { 0 };
    // SAFETY: `status` is valid for writes.
    let found = unsafe { libc::waitpid(pid, &raw mut status, flags) };
    (found == pid).then(|| (if libc::WIFSTOPPED(status) { State::Stopped } else { State::Dead }, status))
}

/// Memory, records and folders of named locks.
fn files() -> Vec<PathBuf> {
    let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let files = entries(Path::new("/dev/shm")).flat_map(|path| match path.is_dir() {
        true => entries(&path).collect(),
        false => vec![path],
    });
    files.filter(|path| !path.ends_with("token-floor")).collect()
}

fn remove(path: &Path) {
    let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
}

fn nothing_left(location: &LockLocation) -> Result {
    let left = match location {
        LockLocation::Path(path) => {
            let _ = fs::remove_file(path.with_extension("linked"));
            // A removal removes the file, not the link to it.
            if path.is_symlink() {
                let _ = fs::remove_file(path);
            }
            path.exists().then(|| path.clone()).into_iter().collect()
        }
        LockLocation::Named(_) => files(),
    };
    if left.is_empty() { Ok(()) } else { Err(format!("left behind: {left:?}")) }
}

/// After a failure: its left-overs would make the next case fail.
pub fn clean(location: &LockLocation) {
    match location {
        LockLocation::Path(path) => remove(path),
        LockLocation::Named(_) => files().iter().for_each(|path| remove(path)),
    }
}
