//! Who does what while the victim `v` carries out the operation after `!`, one line after the other.
//!
//! ```text
//! a open, read        `a` does that (a process of its own; commands in `actor.rs`). `=x`: what comes of it, else it succeeds
//! a write, release &  … and may wait for it: the next line follows when it sleeps
//! a open &&           … and the next line follows at once
//! dies d LABEL open   `d` is killed at its first step LABEL on the way
//! kill d, stop c      wherever they are; cont c lets it go on. In the end all the stopped go on
//! ! write             the victim's operation: its steps are those where it is halted
//! asleep 2            until the victim has slept that often
//! done b              until `b` has done what it was told
//! ```
//!
//! A line that waits for the victim, or for somebody who may wait for it, does no longer when that is halted.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    Name,
    Path,
}

pub struct Scenario {
    pub name: &'static str,
    pub at: Where,
    pub script: &'static str,
}

const fn path(name: &'static str, script: &'static str) -> Scenario {
    Scenario { name, at: Where::Path, script }
}

const fn named(name: &'static str, script: &'static str) -> Scenario {
    Scenario { name, at: Where::Name, script }
}

pub const SCENARIOS: &[Scenario] = &[
    // ---- nobody in the way
    path("read", "v open\n b open\n ! read, stamp, read, label x, release, release"),
    path("try-read", "v open\n b open\n ! try-read, release"),
    path("write", "v open\n b open\n ! write, label x, release"),
    path("try-write", "v open\n b open\n ! try-write, release"),
    path("upgradable", "v open\n b open\n ! upgradable, read, release, release"),
    path("try-upgradable", "v open\n b open\n ! try-upgradable, release"),
    path("write-failed", "v open\n b open\n ! write, fail"),
    path("upgrade", "v open\n b open\n ! upgradable, upgrade, release"),
    path("try-upgrade", "v open\n b open\n ! upgradable, try-upgrade, release"),
    path("try-upgrade-in-place", "v open\n b open\n ! read, try-upgrade, release"),
    path("downgrade", "v open\n b open\n ! write, down-upgradable, down-read, release"),
    path("downgrade-to-read", "v open\n b open\n ! write, down-read, release"),
    path("nested-in-turn", "v open\n b open\n ! read, request read, poll, release, release"),
    path("wait-uncontended", "v open\n b open\n ! wait-read, release, wait-upgradable, release, wait-write, release"),
    // ---- readers inside
    path("read-beside-reader", "a open, read\n v open\n b open\n ! read, release"),
    path("try-write-beside-reader", "a open, read\n v open\n b open\n ! try-write =refused"),
    path("try-upgrade-beside-reader", "a open, read\n v open, upgradable\n ! try-upgrade =refused, release"),
    path("in-place-beside-reader", "a open, read\n v open, read\n ! try-upgrade =refused, release"),
    path("write-beside-reader", "a open, read\n v open\n b open\n ! write, release\n asleep 1\n b read, release &\n asleep 3\n a release"),
    path("write-timeout-draining", "a open, read\n v open\n b open\n ! write timeout=10 =timeout\n b write, release &"),
    path("write-interrupted", "a open, read\n v open\n b open\n ! interrupted write =interrupted"),
    path("upgrade-beside-reader", "a open, read\n v open, upgradable\n b open\n ! upgrade, release\n asleep 1\n b write, release &\n asleep 3\n a release"),
    path("upgrade-timeout", "a open, read\n v open, upgradable\n b open\n ! upgrade timeout=10 =timeout, release\n b write, release &"),
    path("upgradable-beside-reader", "a open, read\n v open\n b open\n ! upgradable, down-read, release"),
    path("drain-cancelled", "a open, read\n v open, request write, poll =pending\n b open\n b read, release &\n ! cancel =pending"),
    path("drain-paused", "a open, read\n v open, request write, poll =pending\n b open\n ! wait-write timeout=10 =timeout, poll =pending, cancel =pending\n b read, release &"),
    path("upgrade-paused", "a open, read\n v open, upgradable, request-upgrade, poll =pending\n b open\n ! wait-read, poll =pending, release-read, cancel =pending, release\n b write, release &"),
    // ---- somebody exclusive inside
    path("try-beside-writer", "a open, write\n v open\n b open\n ! try-read =refused, try-write =refused, try-upgradable =refused"),
    path("read-beside-writer", "a open, write\n v open\n b open\n ! read, release\n asleep 1\n b write, release &\n asleep 3\n a release"),
    path("write-beside-writer", "a open, write\n v open\n b open\n ! write, release\n asleep 1\n b read, release &\n asleep 3\n a release"),
    path("upgradable-beside-writer", "a open, write\n v open\n b open\n ! upgradable, release\n asleep 1\n b upgradable, release &\n asleep 3\n a release"),
    path("read-timeout", "a open, write\n v open\n b open\n ! read timeout=10 =timeout\n b read, release &"),
    path("write-timeout", "a open, upgradable\n v open\n b open\n ! write timeout=10 =timeout\n b read, release"),
    path("write-beside-upgradable", "a open, upgradable\n v open\n b open\n ! write, release\n asleep 1\n b read, release &\n asleep 3\n a release"),
    path("read-beside-upgradable", "a open, upgradable\n v open\n b open\n ! read, release\n b write, release &"),
    path("read-beside-upgrader", "a open, upgradable\n c open, read\n a upgrade, release &\n v open\n b open\n ! read, release\n asleep 2\n c release"),
];
