//! Kills, stops and ends a process at every step that it takes, in every state of its peers, and sees to it that the others
//! go on: `step!(label)` in the sources marks the steps, `scenarios.rs` says who does what.
//!
//! Each scenario is played once to note the steps of its victim's operation, and then once more for each of them and each way
//! to go.

mod actor;
mod inject;
mod labels;
mod memory;
mod play;
mod sandbox;
mod scenarios;
mod stage;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use std::{env, fs, process};

use inject::{Action, Target};
use memory::Place;
use play::{Played, play};
use scenarios::{SCENARIOS, Scenario, Where};
use stage::Stage;

/// Where there are no other files.
const FOLDER: &str = "/dev/shm/crash";
/// Failures after which the run ends.
const ENOUGH: usize = 8;

const USAGE: &str = "\
--full           every step up to the third time and the last, each killed, stopped and ended; else the first time only
--only S[:L[:N[:A]]]
                 of scenario S only, label L, the Nth time, action A (kill, stop or exit)
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

#[derive(Default)]
struct Report {
    cases: BTreeMap<Action, usize>,
    /// The victim went another way the second time, and finished.
    missed: usize,
    hit: BTreeSet<usize>,
    slowest: Duration,
    failures: Vec<String>,
}

fn main() {
    let wanted = Wanted::parse();
    labels::all(); // before any fork
    let own_shm = sandbox::enter();
    if let Err(error) = &own_shm {
        println!(
            "No /dev/shm of our own ({error}; root has one, or who may make user namespaces): without named locks."
        );
    }
    let folder = if own_shm.is_ok() { FOLDER.into() } else { env::temp_dir().join(format!("crash-{}", process::id())) };
    fs::create_dir_all(&folder).unwrap();
    let start = Instant::now();
    let stage = Stage::new();
    let mut report = Report::default();
    let chosen = SCENARIOS.iter().filter(|scenario| wanted.scenario.as_ref().is_none_or(|name| name == scenario.name));
    let mut scenarios = 0;
    for scenario in chosen.filter(|scenario| own_shm.is_ok() || scenario.at == Where::Path) {
        let place = match scenario.at {
            Where::Path => Place::Path(folder.join("lock")),
            Where::Name => Place::Named("crash/lock".into()),
        };
        scenarios += 1;
        report.play_all(&wanted, stage, &place, scenario);
        if report.failures.len() >= if wanted.mutant { 1 } else { ENOUGH } {
            break;
        }
    }
    let _ = fs::remove_dir_all(&folder);
    report.print(scenarios, start.elapsed());
    let whole = wanted.scenario.is_none() && own_shm.is_ok();
    if scenarios == 0 || !report.failures.is_empty() || (whole && !report.never_hit().is_empty()) {
        process::exit(1);
    }
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

    /// The cases of a scenario whose victim takes these steps.
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
    const ALL: [Self; 3] = [Self::Kill, Self::Stop, Self::Exit];

    fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Stop => "stop",
            Self::Exit => "exit",
        }
    }
}

impl Report {
    fn play_all(&mut self, wanted: &Wanted, stage: &'static Stage, place: &Place, scenario: &Scenario) {
        let steps = match play(stage, place, scenario.script, None) {
            Ok(Played { steps, .. }) => steps,
            Err(why) => return self.fail(scenario, None, stage, place, &why),
        };
        for target in wanted.cases(&steps) {
            *self.cases.entry(target.action).or_default() += 1;
            match play(stage, place, scenario.script, Some(target)) {
                Ok(Played { halted: true, recovery, .. }) => {
                    self.hit.insert(target.label);
                    self.slowest = self.slowest.max(recovery);
                }
                Ok(_) => self.missed += 1,
                Err(why) => {
                    self.fail(scenario, Some(target), stage, place, &why);
                    if wanted.mutant || self.failures.len() >= ENOUGH {
                        return;
                    }
                }
            }
        }
    }

    fn fail(&mut self, scenario: &Scenario, target: Option<Target>, stage: &Stage, place: &Place, why: &str) {
        let which = match target {
            Some(Target { label, nth, action }) => {
                format!("{}:{}:{nth}:{}", scenario.name, labels::name(label), action.name())
            }
            None => scenario.name.into(),
        };
        let steps = stage.steps();
        let last: Vec<_> = steps[steps.len().saturating_sub(12)..].iter().map(|label| labels::name(*label)).collect();
        let text =
            format!("FAILED {which}\n  {why}\n  last steps: {}\n  npm run crash -- --only {which}", last.join(" "));
        println!("{text}");
        self.failures.push(which);
        play::clean(place);
    }

    fn never_hit(&self) -> Vec<&'static str> {
        let all = labels::all();
        all.iter().filter(|(_, number)| !self.hit.contains(number)).map(|(name, _)| name.as_str()).collect()
    }

    fn print(&self, scenarios: usize, time: Duration) {
        let cases: Vec<_> = self.cases.iter().map(|(action, count)| format!("{count} {}", action.name())).collect();
        let total: usize = self.cases.values().sum();
        let (hit, exist) = (self.hit.len(), labels::all().len());
        println!("{scenarios} scenarios, {total} cases ({}) in {:.1} s", cases.join(", "), time.as_secs_f64());
        println!("{} where the victim did not come by that step again, and finished", self.missed);
        println!("slowest: the others had finished {:.0} ms after the end", self.slowest.as_secs_f64() * 1e3);
        println!("labels: {hit} of {exist} hit ({:.1} %)", 100.0 * hit as f64 / exist as f64);
        if !self.never_hit().is_empty() {
            println!("never hit: {}", self.never_hit().join(" "));
        }
        println!("{} failed", self.failures.len());
    }
}
