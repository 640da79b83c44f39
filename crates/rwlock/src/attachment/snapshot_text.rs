//! A snapshot in words, for messages.

use std::fmt::Write;

use super::snapshot::{Participant, Snapshot};
use crate::protocol::slot::Mode;

/// The most holders that a message names; the rest are counted.
const MAX_NAMED: usize = 5;

impl Snapshot {
    /// The holders in words: "held for write by pid 4711 ('rebuild') for 42 s". Names a few, the
    /// longest first.
    #[must_use]
    pub fn holders_text(&self) -> String {
        held_text(&self.holders.iter().collect::<Vec<_>>()).unwrap_or_else(|| match self.waiters.first() {
            Some(first) => format!("no process holds it, but {} is first in the queue", process_text(first)),
            None => "no process holds it now".into(),
        })
    }

    /// The blockers of a request of the attachment that took the snapshot, in words, and advice if
    /// it blocks itself. `waited`: for how long it has waited, in ms.
    pub(crate) fn blockers_text(&self, wanted: Mode, is_upgrade: bool, waited: u64) -> String {
        let upgrades = |holder: &Participant| is_upgrade && holder.is_own && holder.mode == Mode::Upgradable;
        let others: Vec<_> = self.holders.iter().filter(|holder| !upgrades(holder)).collect();
        let reads = self.holders.iter().filter(|holder| holder.mode == Mode::Read).map(|holder| holder.count);
        let is_full = self.max_readers.is_some_and(|limit| reads.sum::<u32>() >= limit);
        let blocks = |held| wanted.conflicts_with(held) || (is_full && wanted == Mode::Read && held == Mode::Read);
        let blockers: Vec<_> = others.iter().copied().filter(|holder| blocks(holder.mode)).collect();
        if let Some(held) = held_text(&blockers) {
            return held + own_hold_text(&blockers, wanted, is_upgrade);
        }
        let ahead: Vec<_> = self
            .waiters
            .iter()
            .filter(|waiter| {
                let precedes = wanted != Mode::Read || waiter.mode != Mode::Read || self.max_readers.is_some();
                !waiter.is_own && waiter.ms >= waited && precedes
            })
            .collect();
        let Some(mut text) = parties_text(&ahead, |mode| format!("ahead in the queue for {}:", mode.name())) else {
            return self.holders_text();
        };
        if let Some(held) = held_text(&others) {
            let _ = write!(text, "; {held}{}", own_hold_text(&others, wanted, is_upgrade));
        }
        text
    }
}

/// The advice if one of `holders` is the waiting attachment itself.
fn own_hold_text(holders: &[&Participant], wanted: Mode, is_upgrade: bool) -> &'static str {
    let Some(own) = holders.iter().find(|holder| holder.is_own) else { return "" };
    match own.mode {
        _ if is_upgrade => {
            ". The read hold of this thread cannot be released while its code waits for the upgrade: release it first"
        }
        Mode::Read if wanted == Mode::Write => {
            ". The hold of this thread cannot be released while its code waits here: release it first, or take an \
             upgradable hold and upgrade it"
        }
        _ => {
            ". The hold of this thread cannot be released while its code waits here: release it first, or use the \
             existing guard"
        }
    }
}

fn held_text(holders: &[&Participant]) -> Option<String> {
    parties_text(holders, |mode| format!("held for {} by", mode.name()))
}

/// Each of `parties` after the text that `says` returns for its mode; the asking attachment first,
/// then the longest. `None`: there is none.
fn parties_text(parties: &[&Participant], says: impl Fn(Mode) -> String) -> Option<String> {
    let mut parties = parties.to_vec();
    parties.sort_by_key(|party| (!party.is_own, std::cmp::Reverse(party.ms)));
    let mut text = String::new();
    let mut said = None;
    for party in parties.iter().take(MAX_NAMED) {
        if !text.is_empty() {
            text.push_str(", ");
        }
        if said != Some(party.mode) {
            said = Some(party.mode);
            text += &says(party.mode);
            text.push(' ');
        }
        text += &party_text(party);
    }
    match parties.len().saturating_sub(MAX_NAMED) {
        0 => {}
        1 => text.push_str(" and one other"),
        more => _ = write!(text, " and {more} others"),
    }
    said.map(|_| text)
}

fn party_text(party: &Participant) -> String {
    let mut text = if party.is_own { "this thread, ".into() } else { String::new() };
    text += &process_text(party);
    if !party.label.is_empty() {
        let _ = write!(text, " ('{}')", party.label.escape_debug());
    }
    let _ = match party.ms {
        0 => Ok(()),
        ms @ 1..1000 => write!(text, " for {ms} ms"),
        ms => write!(text, " for {} s", ms / 1000),
    };
    text
}

fn process_text(party: &Participant) -> String {
    match party.thread {
        0 => format!("pid {}", party.pid),
        thread => format!("pid {} thread {thread}", party.pid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn party(pid: u32, mode: Mode, ms: u64) -> Participant {
        Participant {
            pid,
            namespace: 0,
            thread: 0,
            mode,
            count: 1,
            label: String::new(),
            ms,
            since: 0,
            is_own: pid == 1,
            more: 0,
            is_skipped: false,
        }
    }

    fn seen(holders: Vec<Participant>, waiters: Vec<Participant>) -> Snapshot {
        Snapshot {
            name: None,
            path: None,
            capacity: 9,
            max_readers: None,
            token: 0,
            requests: 0,
            created: 0,
            holders,
            waiters,
            contended: false,
            owner_died: None,
            value: None,
            value_token: None,
        }
    }

    #[test]
    fn every_blocker_is_named_and_the_rest_counted() {
        let read = |pid| party(pid, Mode::Read, u64::from(pid));
        let text = |count: u32| seen((2..2 + count).map(read).collect(), vec![]).blockers_text(Mode::Write, false, 0);
        assert_eq!(text(1), "held for read by pid 2 for 2 ms");
        assert_eq!(text(2), "held for read by pid 3 for 3 ms, pid 2 for 2 ms");
        assert!(text(6).ends_with("pid 3 for 3 ms and one other"), "{}", text(6));
        assert!(text(9).ends_with("pid 6 for 6 ms and 4 others"), "{}", text(9));
    }

    #[test]
    fn only_blockers_are_named_and_the_own_hold_first() {
        let seen = seen(
            vec![party(1, Mode::Upgradable, 1), party(2, Mode::Read, 7), party(1, Mode::Read, 2)],
            vec![party(3, Mode::Write, 50)],
        );
        let upgrade = seen.blockers_text(Mode::Write, true, 0);
        assert!(
            upgrade.starts_with("held for read by this thread, pid 1 for 2 ms, pid 2 for 7 ms. The read hold of"),
            "{upgrade}"
        );
        let upgradable = seen.blockers_text(Mode::Upgradable, false, 0);
        assert!(upgradable.starts_with("held for upgradable by this thread, pid 1 for 1 ms. The hold"), "{upgradable}");
        let read = seen.blockers_text(Mode::Read, false, 20);
        assert!(
            read.starts_with("ahead in the queue for write: pid 3 for 50 ms; held for read by this thread, pid 1"),
            "{read}"
        );
        // It came later.
        assert!(seen.blockers_text(Mode::Read, false, 60).starts_with("held for "), "{read}");
    }
}
