//! Whether a reader-writer lock can have the histories of a stress test.
//!
//! # Why this is linearizability
//!
//! The holds of a lock are not values that could be read in several orders: an operation only reports that it was granted,
//! and when. (The lock's value is one; [`value`] explains its rule.) Each
//! is granted at one moment between its invocation and its return, and each hold ends at one moment between the invocation
//! and the return of its release. So the lock is certainly held from the *return* of the acquisition to the *invocation* of
//! the release. If such spans of conflicting holds do not overlap, a sequential order exists: grant each at its return, and
//! end each at the invocation of its release. If two overlap, none exists. So [`exclusion`] is linearizability with respect
//! to exclusion, without a search. The order of the write holds is then total, and the other rules are about that order.
//!
//! An upgrade or downgrade splits a hold into pieces by mode, without a gap in what both modes exclude.
//!
//! *Crashes.* The killer records a kill before it sends the signal. What the victim held then and had not begun to release,
//! it certainly held until just before. An acquisition or release that it had invoked and that has not returned is open: it
//! may have taken effect or not, until the kernel has freed the resources of the process. A process or thread that ends by
//! itself inside a hold (`process.exit`, a terminated thread) records that before it ends.
//!
//! *Time* is `CLOCK_MONOTONIC`, which is the same on all cores. An invocation is logged before the call, a return after it.

mod exclusion;
pub mod history;
mod limit;
mod notices;
mod owner_died;
mod recovery;
mod steals;
#[cfg(test)]
mod tests;
mod tokens;
mod tries;
mod value;
mod waiting;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use history::History;
use process_rwlock_stress::{Way, What};

/// So many violations of one rule are shown.
const SHOWN: usize = 5;

type Rule = fn(&History) -> Vec<String>;

/// Each with its name.
const RULES: [(&str, Rule); 9] = [
    ("exclusion", exclusion::check),
    ("tokens", tokens::check),
    ("ownerDied", owner_died::check),
    ("tries", tries::check),
    ("waiting", waiting::check),
    ("notices", notices::check),
    ("steals", steals::check),
    ("value", value::check),
    ("limit", limit::check),
];

/// Checks the histories in `folder`, and prints the result as JSON.
pub fn run(folder: &Path) -> ExitCode {
    let history = match History::read(folder) {
        Ok(history) => history,
        Err(error) => {
            eprintln!("the histories in {} cannot be read: {error}", folder.display());
            return ExitCode::from(2);
        }
    };
    let mut violations = Vec::new();
    for (name, rule) in RULES {
        let found = rule(&history);
        let more = found.len().saturating_sub(SHOWN);
        violations.extend(found.into_iter().take(SHOWN).map(|text| format!("{name}: {text}")));
        if more > 0 {
            violations.push(format!("{name}: and {more} more"));
        }
    }
    println!("{}", summary(&history, &violations));
    ExitCode::from(u8::from(!violations.is_empty()))
}

fn summary(history: &History, violations: &[String]) -> String {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for op in &history.ops {
        let kind = match op.what {
            What::Release if op.way == Way::Stolen => "Stolen".into(),
            What::Release => continue,
            What::Acquire => format!("{:?} {:?}", op.mode, op.way),
            What::Upgrade => format!("Upgrade {:?}", op.way),
            What::Downgrade => format!("Downgrade to {:?}", op.mode),
            What::Notice => format!("Notice {:?}", op.mode),
            What::SetValue | What::Look => format!("{:?}", op.what),
        };
        let outcome = op.outcome.map_or("open".into(), |outcome| format!("{outcome:?}"));
        *counts.entry(format!("{kind}: {outcome}")).or_default() += 1;
    }
    let recovery = recovery::times(history);
    let mut json = String::from("{\"counts\":{");
    let counts: Vec<String> = counts.iter().map(|(name, count)| format!("\"{name}\":{count}")).collect();
    let list = |times: &[u64]| times.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
    let quoted: Vec<String> =
        violations.iter().map(|text| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))).collect();
    let _ = write!(
        json,
        "{}}},\"lives\":{},\"kills\":{},\"stops\":{},\"late\":{},\"longestWait\":{},\"fromKill\":[{}],\"fromRelease\":[{}],\"violations\":[{}]}}",
        counts.join(","),
        history.actors.len(),
        history.kills.len(),
        history.stops.len() - history.late,
        history.late,
        waiting::longest(history),
        list(&recovery.from_kill),
        list(&recovery.from_release),
        quoted.join(",")
    );
    json
}
