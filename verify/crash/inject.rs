//! The hook: counts the steps of a victim's operation, and does to it at one of them what the case says.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst};

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
    /// SIGSTOP; the driver lets it go on later, after the others have gone past.
    Pause,
    /// `exit`: what its thread keeps in a thread-local is closed on the way, all else just ends.
    Exit,
}

/// A step of a scenario's victim: the `nth` time that it reaches `label`.
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
}

/// Of this process: set after the fork.
static HOOKED: OnceLock<Hooked> = OnceLock::new();
static ARMED: AtomicBool = AtomicBool::new(false);
static TARGET: OnceLock<Target> = OnceLock::new();
static REACHED: [AtomicU32; 256] = [const { AtomicU32::new(0) }; 256];
static WRITES: AtomicUsize = AtomicUsize::new(0);
/// The victim has come past the end of its write hold, and has begun no other.
static ENDED: AtomicBool = AtomicBool::new(false);

pub fn hook(stage: &'static Stage, location: LockLocation, me: usize) {
    HOOKED.get_or_init(|| Hooked { stage, location, me });
    on_crash_point(reached);
}

/// From here on steps are noted, and `target` is looked for.
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
    let Hooked { stage, me, .. } = HOOKED.get().unwrap();
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
        // Beside the actor, which goes on meanwhile, nobody knows how things are at the end; stopped first, they are known.
        if is_actor() || matches!(target.action, Action::Stop | Action::Pause) {
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
    let Hooked { stage, location, me } = HOOKED.get().unwrap();
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

/// Whether this is the thread that does what the actor does, and not the one that listens for deaths.
fn is_actor() -> bool {
    std::thread::current().name() != Some("rwlock-deaths")
}

/// Notes, just before `actor` dies, whose death those who come after it must be told: its own if it is inside a write
/// hold, as the gate and its token say, which nobody else changes then. What the actor knows itself must agree.
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
