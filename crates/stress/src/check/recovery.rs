//! How long other processes had to wait because of a kill. These are figures; nothing is checked here.

use process_rwlock_stress::{Mode, What};

use super::history::{End, History, Kill};

/// From a kill inside an exclusive hold, for which a process waited, to the next grant of an exclusive hold or (if it was a
/// write hold) of any; in ns.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// From the SIGKILL.
    pub from_kill: Vec<u64>,
    /// From when the kernel had freed the files of the process, which is when others can detect its exit.
    pub from_release: Vec<u64>,
}

pub fn times(history: &History) -> Times {
    let mut grants: Vec<(u64, Mode)> = history
        .ops
        .iter()
        .filter(|op| op.is_granted() && matches!(op.what, What::Acquire | What::Upgrade))
        .map(|op| (op.returned, op.mode))
        .collect();
    grants.sort_by_key(|(time, _)| *time);
    let mut times = Times::default();
    for kill in &history.kills {
        let Some(mode) = held_exclusively(history, kill) else { continue };
        let conflicts = |other| mode == Mode::Write || other >= Mode::Upgradable;
        let somebody_waited = history.ops.iter().any(|op| {
            op.what == What::Acquire
                && conflicts(op.mode)
                && op.invoked < kill.sent
                && op.is_granted()
                && op.returned > kill.sent
        });
        let first = grants.partition_point(|(time, _)| *time < kill.sent);
        let next = grants[first..].iter().find(|(_, mode)| conflicts(*mode));
        if let (true, Some((time, _))) = (somebody_waited, next) {
            times.from_kill.push(time - kill.sent);
            times.from_release.push(time.saturating_sub(kill.dead));
        }
    }
    times
}

/// The mode in which a thread of the killed process certainly had the lock exclusively.
fn held_exclusively(history: &History, kill: &Kill) -> Option<Mode> {
    let holds = history.holds.iter().filter(|hold| {
        let actor = &history.actors[hold.actor];
        (actor.process, actor.life) == (kill.process, kill.life)
    });
    let last = holds.filter_map(|hold| hold.pieces.last());
    last.filter(|piece| piece.end == End::Died && piece.mode != Mode::Read && piece.from < kill.sent)
        .map(|piece| piece.mode)
        .max()
}
