//! Kills, stops and ends a process at each crash point that it reaches, in many situations, and checks that the other
//! processes continue. `crash_point!(label)` in the sources marks the crash points; `scenarios.rs` has the situations.
//!
//! Each scenario is played once to record the crash points of its victim's operation, and then once more for each of them
//! and each action.

mod actor;
mod inject;
mod labels;
mod memory;
mod play;
mod sandbox;
mod scenarios;
mod stage;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};
use std::{env, fs, process};

use inject::{Action, Target};
use memory::LockLocation;
use play::{Played, play};
use scenarios::{SCENARIOS, Scenario, Where};
use stage::{Shared, Stage};

/// A directory without other files.
const FOLDER: &str = "/dev/shm/crash";
/// Most of the time is spent in waits: for checks of dead peers, for grace periods. Each worker has its own `/dev/shm`.
const WORKERS: usize = 8;
/// Failures after which the run ends.
const ENOUGH: u32 = 8;

const USAGE: &str = "\
--full           each crash point up to the third time and the last; without it the first time only
--only S[:L[:N[:A]]]
                 of scenario S only, label L, the Nth time, action A (kill, stop, pause or exit)
--mutant         end at the first failure";

#[derive(Default)]
struct Wanted {
    full: bool,
    mutant: bool,
    scenario: Option<String>,
    label: Option<String>,
    nth: Option<u32>,
    action: Option<String>,
}

fn main() {
    let wanted = Wanted::parse();
    labels::all(); // before any fork
    let start = Instant::now();
    let tally = Tally::share();
    let workers: Vec<_> =
        (0..if wanted.scenario.is_some() { 1 } else { WORKERS }).map(|_| play::fork(|| work(&wanted, tally))).collect();
    for worker in workers {
        if !play::ends_well(worker) {
            tally.failed.fetch_add(1, SeqCst);
        }
    }
    tally.print(start.elapsed());
    let without_names = tally.without_names.load(SeqCst) != 0;
    let whole = wanted.scenario.is_none() && !wanted.mutant && !without_names;
    let failed = tally.failed.load(SeqCst) != 0 || tally.scenarios.load(SeqCst) == 0;
    if failed || (whole && !tally.never_hit().is_empty()) {
        process::exit(1);
    }
}

/// Plays scenarios that no worker has played yet.
fn work(wanted: &Wanted, tally: &Tally) {
    let own_shm = sandbox::enter();
    if let Err(error) = &own_shm
        && tally.without_names.fetch_add(1, SeqCst) == 0
    {
        println!(
            "No private /dev/shm ({error}): named locks are skipped. Run as root, or where user namespaces are allowed."
        );
    }
    let folder = if own_shm.is_ok() { FOLDER.into() } else { env::temp_dir().join(format!("crash-{}", process::id())) };
    fs::create_dir_all(&folder).unwrap();
    let stage = Stage::share();
    while let Some(scenario) = SCENARIOS.get(tally.next.fetch_add(1, SeqCst) as usize)
        && !tally.is_enough(wanted)
    {
        if wanted.scenario.as_ref().is_some_and(|name| name != scenario.name)
            || (own_shm.is_err() && scenario.at == Where::Name)
        {
            continue;
        }
        let location = match scenario.at {
            Where::Path => LockLocation::Path(folder.join("lock")),
            Where::Name => LockLocation::Named("crash/lock".into()),
        };
        Case { wanted, tally, stage, location: &location, scenario }.play_all();
    }
    let _ = fs::remove_dir_all(&folder);
}

impl Wanted {
    fn parse() -> Self {
        let mut wanted = Self::default();
        let mut arguments = env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match &*argument {
                "--full" => wanted.full = true,
                "--mutant" => wanted.mutant = true,
                "--only" => {
                    let only = arguments.next().unwrap_or_else(|| usage());
                    let mut parts = only.split(':').map(String::from);
                    wanted.scenario = parts.next();
                    wanted.label = parts.next();
                    wanted.nth = parts.next().map(|nth| nth.parse().unwrap_or_else(|_| usage()));
                    wanted.action = parts.next();
                }
                _ => usage(),
            }
        }
        wanted
    }

    fn is_for(&self, target: Target) -> bool {
        self.label.as_ref().is_none_or(|label| label == labels::name(target.label))
            && self.nth.is_none_or(|nth| nth == target.nth)
            && self.action.as_ref().is_none_or(|action| action == target.action.name())
    }

    /// The cases of a scenario whose victim reaches these crash points.
    fn cases(&self, steps: &[usize]) -> Vec<Target> {
        let mut times = BTreeMap::new();
        steps.iter().for_each(|label| *times.entry(*label).or_insert(0) += 1);
        let mut cases = Vec::new();
        for (label, times) in times {
            let nths: BTreeSet<u32> = match (self.nth, self.full) {
                (Some(nth), _) => [nth].into(),
                (None, true) => (1..=times.min(3)).chain([times]).collect(),
                (None, false) => [1].into(),
            };
            for nth in nths {
                cases.extend(Action::ALL.map(|action| Target { label, nth, action }));
            }
        }
        cases.retain(|target| self.is_for(*target));
        cases
    }
}

fn usage() -> ! {
    println!("{USAGE}");
    process::exit(2)
}

impl Action {
    const ALL: [Self; 4] = [Self::Kill, Self::Stop, Self::Pause, Self::Exit];

    fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Stop => "stop",
            Self::Pause => "pause",
            Self::Exit => "exit",
        }
    }
}

struct Case<'a> {
    wanted: &'a Wanted,
    tally: &'a Tally,
    stage: &'static Stage,
    location: &'a LockLocation,
    scenario: &'a Scenario,
}

impl Case<'_> {
    fn play_all(&self) {
        self.tally.scenarios.fetch_add(1, SeqCst);
        let steps = match play(self.stage, self.location, self.scenario.script, None) {
            Ok(Played { steps, .. }) => steps,
            Err(why) => return self.fail(None, &why),
        };
        for target in self.wanted.cases(&steps) {
            if self.tally.is_enough(self.wanted) {
                return;
            }
            self.tally.cases[target.action as usize].fetch_add(1, SeqCst);
            match play(self.stage, self.location, self.scenario.script, Some(target)) {
                Ok(Played { halted: true, recovery, .. }) => {
                    self.tally.hit[target.label].store(1, SeqCst);
                    self.tally.slowest.fetch_max(recovery.as_micros() as u32, SeqCst);
                }
                Ok(_) => drop(self.tally.missed.fetch_add(1, SeqCst)),
                Err(why) => self.fail(Some(target), &why),
            }
        }
    }

    fn fail(&self, target: Option<Target>, why: &str) {
        let which = match target {
            Some(Target { label, nth, action }) => {
                format!("{}:{}:{nth}:{}", self.scenario.name, labels::name(label), action.name())
            }
            None => self.scenario.name.into(),
        };
        let steps = self.stage.steps();
        let last: Vec<_> = steps[steps.len().saturating_sub(12)..].iter().map(|label| labels::name(*label)).collect();
        println!("FAILED {which}\n  {why}\n  last crash points: {}\n  npm run crash -- --only {which}", last.join(" "));
        self.tally.failed.fetch_add(1, SeqCst);
        play::clean(self.location);
    }
}

/// What all workers found. All zero at first.
#[repr(C)]
struct Tally {
    /// The next scenario to play.
    next: AtomicU32,
    scenarios: AtomicU32,
    cases: [AtomicU32; Action::ALL.len()],
    /// The victim took another path than when its crash points were recorded, and finished.
    missed: AtomicU32,
    failed: AtomicU32,
    without_names: AtomicU32,
    /// In microseconds.
    slowest: AtomicU32,
    hit: [AtomicU32; 256],
}

// SAFETY: atomics alone.
unsafe impl stage::Shared for Tally {}

impl Tally {
    fn is_enough(&self, wanted: &Wanted) -> bool {
        self.failed.load(SeqCst) >= if wanted.mutant { 1 } else { ENOUGH }
    }

    fn never_hit(&self) -> Vec<&'static str> {
        let hit = |number: usize| self.hit[number].load(SeqCst) != 0;
        labels::all().iter().filter(|(_, number)| !hit(**number)).map(|(name, _)| name.as_str()).collect()
    }

    fn print(&self, time: Duration) {
        let cases = self.cases.each_ref().map(|count| count.load(SeqCst));
        let [kill, stop, pause, exit] = cases;
        let (never, exist) = (self.never_hit(), labels::all().len());
        println!(
            "{} scenarios, {} cases ({kill} killed, {stop} stopped, {pause} paused, {exit} made to exit) in {:.0} s",
            self.scenarios.load(SeqCst),
            cases.iter().sum::<u32>(),
            time.as_secs_f64()
        );
        println!(
            "{} cases in which the victim did not reach the crash point again, and finished",
            self.missed.load(SeqCst)
        );
        println!("slowest: the others finished {} ms after the end", self.slowest.load(SeqCst) / 1000);
        println!("labels: {} of {exist} hit", exist - never.len());
        if !never.is_empty() {
            println!("never hit: {}", never.join(" "));
        }
        println!("{} failed", self.failed.load(SeqCst));
    }
}
