//! The hook: counts the crash points of a victim's operation, and halts it at the one that the case says.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::thread::{self, ThreadId};

use process_rwlock::on_crash_point;

use crate::labels;
use crate::memory::{LockLocation, Memory};
use crate::stage::{Phase, Stage, VICTIM, letter};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// SIGKILL.
    Kill,
    /// SIGSTOP; the driver kills it later.
    Stop,
    /// SIGSTOP; the driver continues it later, after the others have finished.
    Pause,
    /// `exit`: its thread-locals are closed, everything else just ends.
    Exit,
}

/// The `nth` time that the victim of a scenario reaches the crash point `label`.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub label: usize,
    pub nth: u32,
    pub action: Action,
}

struct Hooked {
    stage: &'static Stage,
    location: LockLocation,
    me: usize,
    /// The one that carries out the commands. The lock has threads of its own.
    thread: ThreadId,
}

/// Of this process: set after the fork.
static HOOKED: OnceLock<Hooked> = OnceLock::new();
static ARMED: AtomicBool = AtomicBool::new(false);
static TARGET: OnceLock<Target> = OnceLock::new();
static REACHED: [AtomicU32; 256] = [const { AtomicU32::new(0) }; 256];
static WRITES: AtomicUsize = AtomicUsize::new(0);
/// The victim has passed the end of its write hold, and has begun no other.
static ENDED: AtomicBool = AtomicBool::new(false);

pub fn hook(stage: &'static Stage, location: LockLocation, me: usize) {
    HOOKED.get_or_init(|| Hooked { stage, location, me, thread: thread::current().id() });
    on_crash_point(reached);
}

/// From here on crash points are recorded, and the victim is halted at `target`.
pub fn arm(target: Option<Target>) {
    if let Some(target) = target {
        TARGET.get_or_init(|| target);
    }
    ARMED.store(true, SeqCst);
}

pub fn disarm() {
    ARMED.store(false, SeqCst);
}

fn reached(label: &'static str) {
    let Hooked { stage, me, thread, .. } = HOOKED.get().unwrap();
    if label == "sleep" || label == "sleep_any" {
        stage.actors[*me].sleeps.fetch_add(1, SeqCst);
        stage.tell_news();
    }
    if !ARMED.load(SeqCst) {
        return;
    }
    let number = labels::all()[label];
    if *me == VICTIM {
        stage.note_step(number);
    }
    if label == "claim_gate" || label == "claim_drained" {
        WRITES.fetch_add(1, SeqCst);
    }
    let nth = REACHED[number].fetch_add(1, SeqCst) + 1;
    if let Some(target) = TARGET.get()
        && (target.label, target.nth) == (number, nth)
    {
        disarm();
        // A running actor would change the state until it is dead. So it is stopped first.
        if thread::current().id() == *thread || matches!(target.action, Action::Stop | Action::Pause) {
            act(target.action);
        }
    }
    match label {
        "end_write" => ENDED.store(true, SeqCst),
        "token_store" => ENDED.store(false, SeqCst),
        _ => {}
    }
}

fn act(action: Action) {
    let Hooked { stage, location, me, .. } = HOOKED.get().unwrap();
    if matches!(action, Action::Kill | Action::Exit) {
        let claims = WRITES.load(SeqCst);
        note_death(stage, location, *me, std::process::id());
        let told = stage.expected.load(SeqCst) == std::process::id();
        if told && claims == 0 && stage.is_in_phase(*me, Phase::Entering) {
            stage.fail("the gate says that it writes, and it has not yet reached for the gate");
        }
        if told && ENDED.load(SeqCst) && stage.is_in_phase(*me, Phase::Leaving) {
            stage.fail("its slot says that it writes, and it has ended its write hold");
        }
    }
    stage.actors[*me].halts.store(1, SeqCst);
    stage.tell_news();
    match action {
        Action::Kill => raise(libc::SIGKILL),
        Action::Stop => raise(libc::SIGSTOP),
        Action::Pause => return raise(libc::SIGSTOP),
        Action::Exit => std::process::exit(0),
    }
    loop {
        // SAFETY: has no preconditions. The signal may arrive a little later where there are several threads.
        unsafe { libc::pause() };
    }
}

fn raise(signal: i32) {
    let me = std::process::id().cast_signed();
    // SAFETY: takes numbers; to this process itself.
    unsafe { libc::kill(me, signal) };
}

/// Records, just before `actor` dies, which death later holders must report: its own if it is inside a write hold, as the
/// gate and its token say, which no other process changes then. What the actor itself knows must agree.
pub fn note_death(stage: &Stage, location: &LockLocation, actor: usize, pid: u32) {
    let told = Memory::read(location).and_then(|memory| memory.told_after(pid));
    if let Some(told) = told {
        stage.expected.store(told, SeqCst);
    }
    let writes = told == Some(pid);
    if !writes && stage.is_in_phase(actor, Phase::Inside) {
        stage.fail(&format!("{} is inside a write hold, and the gate does not say so", letter(actor)));
    }
    if writes && stage.is_in_phase(actor, Phase::Outside) {
        stage.fail(&format!("{} is not inside a write hold, and the gate says that it is", letter(actor)));
    }
    stage.actors[actor].gone.store(1, SeqCst);
}
