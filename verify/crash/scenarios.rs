//! The scenarios: what the actors do, line by line, while the victim `v` carries out the operation after `!`.
//!
//! ```text
//! a open, read        actor `a`, a process, does that (commands in `actor.rs`). `=x`: its result; without, it must succeed
//! a write, release &  … and may wait: the next line follows when it sleeps
//! a open &&           … and the next line follows at once
//! dies d LABEL open   `d` is killed at its first crash point LABEL in that command
//! kill d, stop c      wherever they are; `cont c` continues it. At the end all stopped actors continue
//! ! write             the victim's operation: it is halted at the crash points of this
//! asleep 2            until the victim has slept that often
//! go                  the victim continues now if it was only paused; without, at the end
//! done b              until `b` has carried out its command
//! ```
//!
//! A line that waits for the victim, or for an actor that may wait for it, ends when the victim is halted.

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
    // ---- without blockers
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
    // ---- the value
    path("set-value", "v open\n b open\n ! write, set 1, set 2, set 3, release"),
    path(
        "set-value-again",
        "a open, write, set 1, set 2, release\n v open\n b open\n ! write, set 3, unset, set 4, release",
    ),
    path("look-beside-writer", "a open, write, set 1\n v open\n b open\n ! look, inspect\n done v\n a set 2, release"),
    path(
        "set-after-a-dead-writer",
        "d open, write, set 1\n v open\n b open\n dies d value_seal set 2\n ! write, look, set 3, release, look",
    ),
    path(
        "set-while-others-look",
        "a open\n v open\n b open\n ! write, set 1, set 2, down-read, look, release\n done v\n a look\n b look",
    ),
    // ---- another process comes during the operation
    path(
        "try-read-meets-writer",
        "v open\n b open\n ! try-read =any, release-all\n done v\n b write &\n go\n done v\n b release",
    ),
    path(
        "try-write-meets-reader",
        "v open\n b open, read, release\n ! try-write =any, release-all\n done v\n b read &\n go\n done v\n b release",
    ),
    path("downgrade-meets-writer", "v open, write\n b open\n ! down-read\n done v\n b try-write =any"),
    // ---- a writer that prunes idle readers
    path("write-pruning", "a open, read, release\n v open\n b open, write-until-pruning\n ! write, release"),
    path("wait-write-pruning", "a open, read, release\n v open\n b open, write-until-pruning\n ! wait-write, release"),
    path(
        "upgrade-pruning",
        "a open, read, release\n v open\n b open, write-until-pruning\n ! upgradable, upgrade, down-read, release",
    ),
    path(
        "reader-after-pruning",
        "a open, read, release\n v open\n b open, write-until-pruning\n ! write, release\n done v\n a read, release &\n done a\n a read &\n done a\n b try-write =any, release-all\n a release",
    ),
    // ---- readers inside
    path("read-with-reader", "a open, read\n v open\n b open\n ! read, release"),
    path("try-write-with-reader", "a open, read\n v open\n b open\n ! try-write =refused"),
    path(
        "try-write-stopped-with-reader",
        "a open, read\n v open\n b open\n ! try-write =refused\n done v\n b read, release",
    ),
    path(
        "try-upgrade-stopped-with-reader",
        "a open, read\n v open, upgradable\n b open\n ! try-upgrade =refused, release\n done v\n b read, release",
    ),
    path("try-upgrade-with-reader", "a open, read\n v open, upgradable\n ! try-upgrade =refused, release"),
    path("in-place-with-reader", "a open, read\n v open, read\n ! try-upgrade =refused, release"),
    path(
        "write-with-reader",
        "a open, read\n v open\n b open\n ! write, release\n asleep 1\n b read, release &\n asleep 3\n a release",
    ),
    path("write-timeout-draining", "a open, read\n v open\n b open\n ! write timeout=10 =timeout\n b write, release &"),
    path("write-interrupted", "a open, read\n v open\n b open\n ! interrupted write =interrupted"),
    path(
        "upgrade-with-reader",
        "a open, read\n v open, upgradable\n b open\n ! upgrade, release\n asleep 1\n b write, release &\n asleep 3\n a release",
    ),
    path(
        "upgrade-timeout",
        "a open, read\n v open, upgradable\n b open\n ! upgrade timeout=10 =timeout, release\n b write, release &",
    ),
    path("upgradable-with-reader", "a open, read\n v open\n b open\n ! upgradable, down-read, release"),
    path(
        "drain-cancelled",
        "a open, read\n v open, request write, poll =pending\n b open\n b read, release &\n ! cancel =pending",
    ),
    path(
        "drain-paused",
        "a open, read\n v open, request write, poll =pending\n b open\n ! wait-write timeout=10 =timeout, poll =pending, cancel =pending\n b read, release &",
    ),
    path(
        "upgrade-paused",
        "a open, read\n v open, upgradable, request-upgrade, poll =pending\n b open\n ! wait-read, poll =pending, release-read, cancel =pending, release\n b write, release &",
    ),
    // ---- an exclusive holder inside
    path(
        "try-with-writer",
        "a open, write\n v open\n b open\n ! try-read =refused, try-write =refused, try-upgradable =refused",
    ),
    path(
        "read-with-writer",
        "a open, write\n v open\n b open\n ! read, release\n asleep 1\n b write, release &\n asleep 3\n a release",
    ),
    path(
        "write-with-writer",
        "a open, write\n v open\n b open\n ! write, release\n asleep 1\n b read, release &\n asleep 3\n a release",
    ),
    path(
        "upgradable-with-writer",
        "a open, write\n v open\n b open\n ! upgradable, release\n asleep 1\n b upgradable, release &\n asleep 3\n a release",
    ),
    path("read-timeout", "a open, write\n v open\n b open\n ! read timeout=10 =timeout\n b read, release &"),
    path("write-timeout", "a open, upgradable\n v open\n b open\n ! write timeout=10 =timeout\n b read, release"),
    path(
        "write-with-upgradable",
        "a open, upgradable\n v open\n b open\n ! write, release\n asleep 1\n b read, release &\n asleep 3\n a release",
    ),
    path(
        "read-with-upgradable",
        "a open, upgradable\n v open\n b open\n ! read, release\n done v\n b write, release &",
    ),
    path(
        "read-with-upgrader",
        "a open, upgradable\n c open, read\n a upgrade, release &\n v open\n b open\n ! read, release\n asleep 2\n c release",
    ),
    // ---- yielding to the queue
    path(
        "release-write-to-queue",
        "v open, write\n a open\n b open\n c open\n a read, release &\n b write, release &\n c upgradable, release &\n ! release",
    ),
    path("release-read-to-drainer", "v open, read\n b open\n b write, release &\n ! release"),
    path(
        "release-upgradable-to-queue",
        "v open, upgradable\n a open\n b open\n a upgradable, release &\n b write, release &\n ! release",
    ),
    path(
        "downgrade-to-queue",
        "v open, write\n a open\n b open\n a read, release &\n b write, release &\n ! down-upgradable, down-read, release",
    ),
    path(
        "downgrade-read-to-queue",
        "v open, write\n a open\n b open\n a read, release &\n b write, release &\n ! down-read, release",
    ),
    path("try-read-closed", "a open, read\n b open\n b write fairness=0, release &\n v open\n ! try-read =refused"),
    path(
        "read-closed",
        "a open, upgradable\n b open\n b write fairness=0, release &\n v open\n ! read, release\n asleep 2\n a release",
    ),
    path(
        "closer-cancels",
        "a open, upgradable\n v open, request write fairness=0, poll =pending\n b open\n b write fairness=60000, release &\n ! poll =pending, cancel =pending",
    ),
    path(
        "strict-fifo",
        "a open, write\n v open\n b open\n c open\n b write fairness=0, release &\n c read fairness=0, release &\n ! write fairness=0, release\n asleep 2\n a release",
    ),
    path(
        "several-requests",
        "a open, write\n v open\n b open\n ! request read, request write, poll =pending\n b write, release &",
    ),
    path(
        "several-granted",
        "a open, write\n v open, request read, request read, poll =pending\n b open\n b write, release &\n a release\n ! poll =any, poll =any, release-all",
    ),
    path(
        "strict-requests",
        "a open, write\n v open\n b open\n ! request read fairness=0, request write fairness=0, poll =pending, cancel =pending\n b read fairness=0, release &",
    ),
    path(
        "strict-granted",
        "a open, write\n v open, request read fairness=0, request write fairness=0, poll =pending\n b open\n b read fairness=0, release &\n a release\n ! poll =any, poll =any, release-all",
    ),
    path(
        "nested-read-waits-for-itself",
        "v open, read\n b open\n b write, release &\n ! wait-read in-turn =deadlock, release",
    ),
    path(
        "nested-read-in-turn",
        "v open, read\n b open\n b write, release &\n ! request read in-turn, poll =pending, release, watch, release",
    ),
    path(
        "drain-paused-by-nested-read",
        "v open, read, request write fairness=0, poll =pending\n b open\n b write fairness=0, release &\n ! wait-read, release, release, watch, release",
    ),
    path(
        "blocking-behind-queue",
        "a open, write\n v open, request read, poll =pending\n b open\n b write, release &\n ! wait-write, release, watch, release\n asleep 2\n a release",
    ),
    path("nested-behind-writer", "v open, read\n b open\n b write, release &\n ! read, release, release"),
    path("nested-grace", "v open, read\n b open\n b write, release &\n ! request read, watch, release, release"),
    path(
        "nested-with-upgradable",
        "v open, upgradable\n a open, read\n b open\n b write fairness=0, release &\n ! request read, poll =any, release-read, release",
    ),
    // ---- skipping a waiter, and having been skipped
    path(
        "skips-waiter",
        "a open, write\n c open\n c write, release &\n stop c\n v open\n b open\n ! write, release\n asleep 1\n a release\n done v\n b read, release &\n done b",
    ),
    path(
        "skips-reader",
        "a open, write\n c open\n c read, release &\n stop c\n v open\n b open\n ! write, release\n asleep 1\n a release\n done v\n b read, release &\n done b",
    ),
    path(
        "skips-drainer",
        "a open, read\n c open\n c write, release &\n stop c\n v open\n b open\n ! read, release\n asleep 1\n a release\n done v\n b write, release &\n done b",
    ),
    path(
        "skips-upgrader",
        "a open, read\n c open, upgradable\n c upgrade, release &\n stop c\n v open\n b open\n ! read, release\n asleep 1\n a release\n done v\n b read, release &\n done b",
    ),
    path(
        "try-skips-waiter",
        "a open, write\n c open\n c write fairness=0, release &\n stop c\n a release\n v open\n b open\n ! try-write =any, try-write =any, release-all\n b write, release &\n done b",
    ),
    path(
        "skipped-waiter",
        "a open, write\n v open\n b open\n ! write, release\n asleep 1\n stop v\n b write, release &\n a release\n done b\n cont v",
    ),
    path(
        "skipped-drainer",
        "a open, read\n v open\n b open\n ! write, release\n asleep 1\n stop v\n b read, release &\n a release\n done b\n cont v",
    ),
    path(
        "skipped-upgrader",
        "a open, read\n v open, upgradable\n b open\n ! upgrade, release\n asleep 1\n stop v\n b read, release &\n a release\n done b\n cont v",
    ),
    path(
        "skipped-upgrader-times-out",
        "a open, read\n v open, upgradable\n b open\n ! upgrade timeout=30 =any, release\n asleep 1\n stop v\n b read, release &\n a release\n done b\n cont v",
    ),
    path(
        "skipped-again",
        "a open, write\n v open\n b open\n c open\n ! write, release\n asleep 1\n stop v\n b read, release &\n a release\n done b\n c write\n cont v\n asleep 2\n stop v\n b read, release &\n c release\n done b\n cont v",
    ),
    // ---- recovering a dead process
    path("try-after-reader", "d open, read\n v open\n b open\n kill d\n ! try-write, release"),
    path("try-after-writer", "d open, write\n v open\n b open\n kill d\n ! try-read, release"),
    path("try-after-upgradable", "d open, upgradable\n v open\n b open\n kill d\n ! try-upgradable, release"),
    path(
        "try-after-waiter",
        "a open, upgradable\n d open\n d write fairness=0, release &\n v open\n b open\n kill d\n ! try-read, release\n done v\n b write, release &",
    ),
    path(
        "try-after-drainer",
        "a open, read\n d open\n d write, release &\n v open\n b open\n kill d\n ! try-read, release\n done v\n b write, release &",
    ),
    path(
        "try-after-upgrader",
        "a open, read\n d open, upgradable\n d upgrade, release &\n v open\n b open\n kill d\n ! try-read, release\n done v\n b write, release &",
    ),
    path("upgrade-after-reader", "d open, read\n v open, upgradable\n b open\n kill d\n ! try-upgrade, release"),
    path(
        "writer-dies-before-waiters",
        "d open, write\n v open\n b open\n ! read, release\n asleep 1\n b write, release &\n kill d",
    ),
    path(
        "writer-dies-before-writers",
        "d open, write\n v open\n b open\n ! write, release\n asleep 1\n b write, release &\n kill d",
    ),
    path(
        "reader-dies-before-drainer",
        "d open, read\n v open\n b open\n ! write, release\n asleep 1\n b read, release &\n kill d",
    ),
    path(
        "reader-dies-before-upgrader",
        "d open, read\n v open, upgradable\n b open\n ! upgrade, release\n asleep 1\n b write, release &\n kill d",
    ),
    path(
        "drainer-dies-before-reader",
        "a open, read\n d open\n d write, release &\n v open\n b open\n ! read, release\n asleep 1\n b read, release &\n kill d",
    ),
    path(
        "upgrader-dies-before-reader",
        "a open, read\n d open, upgradable\n d upgrade, release &\n v open\n b open\n ! read, release\n asleep 1\n b read, release &\n kill d",
    ),
    path(
        "waiter-dies-before-waiter",
        "a open, write\n d open\n d write, release &\n v open\n b open\n ! write, release\n asleep 1\n b read, release &\n kill d\n a release",
    ),
    path(
        "several-die",
        "d open, write\n c open\n c write, release &\n a open\n a read, release &\n v open\n b open\n ! write, release\n asleep 1\n b read, release &\n kill c\n kill a\n kill d",
    ),
    path(
        "reader-and-drainer-die",
        "d open, read\n c open\n c write, release &\n v open\n b open\n ! read, release\n asleep 1\n b write, release &\n kill d\n kill c",
    ),
    path(
        "dies-in-recovery-before",
        "d open, write\n c open\n v open\n b open\n kill d\n dies c free_gate try-read\n ! write, release\n b read, release &",
    ),
    path(
        "dies-between-free-and-wake",
        "d open\n v open\n b open\n a open\n d write\n a read, release &\n b write, release &\n ! read, release\n dies d wake_load release",
    ),
    path("inspect-after-writer", "d open, write\n v open\n b open\n b write, release &\n kill d\n ! inspect"),
    path("inspect-after-reader", "d open, read\n v open\n b open\n kill d\n ! inspect"),
    path(
        "inspect-all",
        "a open, read\n c open, upgradable\n c upgrade, release &\n b open\n b write, release &\n v open\n ! inspect",
    ),
    path("inspect-drainer", "a open, read\n b open\n b write, release &\n v open\n ! inspect"),
    path("inspect-writer", "a open, write\n b open\n b read, release &\n v open\n ! inspect"),
    // ---- a slot changes its owner during a repair
    path(
        "reader-slot-reused",
        "d open capacity=3, read\n v open capacity=3\n b open capacity=3\n kill d\n ! inspect\n done v\n c open capacity=3, read\n go\n done v\n b try-write =refused",
    ),
    path(
        "gate-slot-reused",
        "d open capacity=3, upgradable\n v open capacity=3\n b open capacity=3\n kill d\n ! inspect\n done v\n c open capacity=3, upgradable\n go\n done v\n b try-upgradable =refused",
    ),
    // ---- after the death of a writer was found
    path("poisoned-read", "d open, write\n v open\n b open\n kill d\n b try-read, release\n ! read, release"),
    path("poisoned-write", "d open, write\n v open\n b open\n kill d\n b try-read, release\n ! write, release"),
    path("poisoned-write-failed", "d open, write\n v open\n b open\n kill d\n b try-read, release\n ! write, fail"),
    path(
        "poisoned-upgrade",
        "d open, write\n v open\n b open\n kill d\n b try-read, release\n ! upgradable, upgrade, down-upgradable, release",
    ),
    path(
        "poisoned-in-place",
        "d open, write\n v open\n b open\n kill d\n b try-read, release\n ! read, try-upgrade, down-read, release",
    ),
    path("poisoned-inspect", "d open, write\n v open\n b open\n kill d\n b try-read, release\n ! inspect"),
    path(
        "poisoned-open",
        "d open, write\n b open\n kill d\n b try-read, release\n ! open, read, release, write, release, close",
    ),
    path("poisoned-close", "d open, write\n v open\n b open\n kill d\n b try-read, release\n ! close"),
    named("poisoned-last-close", "d open, write\n v open\n kill d\n v try-read, release\n ! close"),
    named("unfound-last-close", "d open, write\n v open\n kill d\n ! close"),
    // ---- a limit on readers
    path("limited-open", "a open limit=2, read\n b open\n ! open, read, release, close"),
    path("limited-read", "v open limit=2\n b open\n ! read, read, release, release"),
    path("limited-try-read", "v open limit=1\n b open\n ! try-read, try-read =refused, release"),
    path(
        "limited-refused",
        "a open limit=1, read\n v open\n b open\n ! try-read =refused\n done v\n b write, release &\n a release",
    ),
    path("limited-nested-refused", "a open limit=2, read\n v open, read\n b open\n ! try-read =refused, release"),
    path("limited-downgrade", "v open limit=1\n b open\n ! write, down-read, release"),
    path("limited-downgrade-upgradable", "v open limit=1\n b open\n ! upgradable, down-read, release"),
    path(
        "limited-downgrade-refused",
        "a open limit=1, read\n v open, upgradable\n b open\n ! down-read =busy, release",
    ),
    path(
        "limited-meets-reader",
        "v open limit=1\n b open\n ! try-read =any, release-all\n done v\n b read &\n go\n done v\n b release",
    ),
    path(
        "limited-wait",
        "a open limit=1, read\n v open\n b open\n ! read, release\n asleep 1\n b read, release &\n asleep 2\n a release",
    ),
    path(
        "limited-writer-waits",
        "a open limit=1, read\n v open\n b open\n ! write, release\n asleep 1\n b read, release &\n asleep 2\n a release",
    ),
    path(
        "limited-release-to-queue",
        "v open limit=1, read\n a open\n b open\n a read, release &\n b read, release &\n ! release",
    ),
    path("limited-nested-release", "v open limit=2, read, read\n b open\n b read, release &\n ! release, release"),
    path(
        "limited-skips-waiter",
        "a open limit=1, read\n c open\n c read, release &\n stop c\n v open\n b open\n ! read, release\n asleep 1\n a release\n done v\n b read, release &\n done b",
    ),
    path("limited-after-reader", "d open limit=1, read\n v open\n b open\n kill d\n ! try-read, release"),
    path(
        "limited-after-admitted",
        "d open limit=1\n v open\n b open\n dies d confirm_read try-read\n ! try-read, release",
    ),
    path(
        "limited-reader-dies-before-waiters",
        "d open limit=1, read\n v open\n b open\n ! read, release\n asleep 1\n b read, release &\n kill d",
    ),
    path(
        "limited-downgrade-after-reader",
        "d open limit=1, read\n v open, upgradable\n b open\n kill d\n ! down-read, release",
    ),
    // ---- closing
    path("close", "v open\n b open\n ! close"),
    path("close-last", "v open\n ! close"),
    named("close-last-named", "v open, write, release\n ! close"),
    named("close-last-named-dead", "d open, read\n v open\n kill d\n ! close"),
    named("close-named", "v open\n b open\n ! close"),
    path("close-reading", "v open, read, read\n b open\n b write, release &\n ! close"),
    path("close-upgradable", "v open, upgradable\n b open\n b write, release &\n ! close"),
    path("close-writing", "v open, write\n b open\n b write, release &\n ! close"),
    named("close-writing-last", "v open, write\n ! close"),
    path("abandon-writing", "v open, write\n b open\n b write, release &\n ! abandon"),
    named("abandon-writing-last", "v open, write\n ! abandon"),
    path(
        "close-waiting",
        "a open, write\n v open, request write fairness=0, request read, poll =pending\n b open\n b read, release &\n ! close",
    ),
    path(
        "close-draining",
        "a open, read\n v open, request write, poll =pending\n b open\n b read, release &\n ! close",
    ),
    path(
        "close-upgrading",
        "a open, read\n v open, upgradable, request-upgrade, poll =pending\n b open\n b read, release &\n ! close",
    ),
    path("close-with-reader", "a open, read\n v open\n b open\n ! close\n done v\n b write, release &"),
    path("close-with-dead", "d open, read\n v open\n b open\n kill d\n ! close"),
    named("close-with-closer", "v open\n b open\n ! close\n b close &&"),
    // ---- opening
    path("create", "! open, write, release, close"),
    named("create-named", "! open, write, release, close"),
    path("open", "b open\n ! open, write, release, close"),
    named("open-named", "b open\n ! open, write, release, close"),
    path("create-in-empty", "empty-file\n ! open, write, release, close"),
    path("create-in-empty-with-another", "empty-file\n ! open, write, release\n b open, write, release &&"),
    path("create-with-creator-of-file", "! open, write, release\n b open, write, release &&"),
    path("create-after-dead-creator", "empty-file\n dies d create_magic open\n ! open, write, release"),
    path("create-after-mark", "empty-file\n dies d reserve_file open\n ! open, write, release"),
    path("create-after-unlinked", "dies d link_file open\n ! open, write, release"),
    path("create-linked", "link-file\n ! open, write, release, close"),
    named("create-named-after-folder", "dies d make_record open\n ! open, write, release"),
    named("create-named-after-empty-record", "dies d write_record open\n ! open, write, release"),
    named("create-named-after-all", "dies d publish open\n ! open, write, release"),
    named("create-named-after-record", "dies d create_memory open\n ! open, write, release"),
    named("create-named-after-memory", "dies d create_magic open\n ! open, write, release"),
    named("create-named-memory-gone", "d open\n kill d\n forget-memory\n ! open, write, release"),
    named("open-left-over", "d open\n kill d\n ! open, write, release"),
    named("open-left-over-capacity", "d open\n kill d\n ! open capacity=4, write, release"),
    named("open-left-over-writer", "d open, write\n kill d\n ! open, write, release"),
    path("open-reusing-reader", "d open capacity=1, read\n kill d\n ! open capacity=1, write, release"),
    path(
        "open-reusing-waiter",
        "b open capacity=2, write\n d open capacity=2\n d write fairness=0, release &\n kill d\n ! open capacity=2, request read, poll =pending, close\n done v\n b release",
    ),
    path(
        "open-reusing-drainer",
        "b open capacity=2, read\n d open capacity=2\n d write, release &\n kill d\n ! open capacity=2, try-read, release",
    ),
    path(
        "open-reusing-upgradable",
        "b open capacity=2\n d open capacity=2, upgradable\n kill d\n ! open capacity=2, write, release",
    ),
    path(
        "open-with-dead-writer",
        "d open capacity=2, write\n b open capacity=2\n kill d\n ! open capacity=2, write, release",
    ),
    path(
        "open-with-poisoned",
        "d open capacity=2, write\n b open capacity=2\n kill d\n b try-read, release\n ! open capacity=2, write, release",
    ),
    path(
        "open-all-dead",
        "c open capacity=3, read\n d open capacity=3, upgradable\n d read\n e open capacity=3\n e write, release &\n kill c\n kill d\n kill e\n ! open capacity=3, write, release",
    ),
    path("open-full-poisoned", "d open capacity=1, write\n kill d\n ! open capacity=1, read, release"),
    path("open-full", "a open capacity=2\n b open capacity=2\n ! open capacity=2 =full"),
    path(
        "open-full-with-poisoned",
        "d open capacity=1, write\n kill d\n b open capacity=1\n ! open capacity=1 =full\n done v\n b read, release",
    ),
    path("open-with-opener", "a open\n ! open, write, release\n b open, write, release &&"),
    named("create-with-creator", "! open, write, release\n b open, write, release &&"),
    // ---- sweeping, listing, removing
    named("sweep", "b open\n a open-other other\n kill a\n ! open"),
    // A process that has swept already finds it when it opens that lock.
    named("create-anew", "v open-other other capacity=4\n dies d create_magic open\n ! open, write, release"),
    named("sweep-unfinished", "b open\n dies d create_magic open-other other\n ! open"),
    named("sweep-empty-record", "b open\n dies d write_record open-other other\n ! open"),
    named("list", "a open, read\n b open\n b write, release &\n v open-other other\n ! list"),
    named(
        "list-made-anew",
        "a open, write\n ! list-held\n done v\n a release, close, open, write\n go\n done v\n a release",
    ),
    named("sweep-with-opener", "b open\n a open-other other\n kill a\n ! open\n b open-other other &&"),
    named("list-dead-writer", "b open\n d open, write\n kill d\n ! list"),
    path("remove", "a open, write, release, close\n ! remove"),
    path("remove-none", "! remove"),
    path("remove-busy", "b open\n ! remove =busy"),
    path("remove-poisoned", "d open, write\n kill d\n ! remove"),
    named("remove-named", "d open, write, release\n kill d\n ! remove"),
    named("remove-named-poisoned", "d open, write\n kill d\n ! remove"),
    named("remove-named-busy", "b open\n ! remove =busy"),
    path("remove-unfinished", "empty-file\n dies d create_magic open\n ! remove"),
    path(
        "open-after-dead-remover",
        "a open, write, release, close\n dies d remove_file remove\n ! open, write, release",
    ),
    path("remove-after-dead-remover", "a open, write, release, close\n dies d remove_file remove\n ! remove"),
    // ---- concurrent removals
    named("open-with-closer", "a open\n ! open, write, release, close\n a close &&"),
    // (The first open of a process sweeps, and would remove this lock itself.)
    named(
        "close-while-made-anew",
        "v open\n a open-other other\n b open-other other\n ! close\n done v\n b open, write\n go\n done v\n a open, try-write =refused",
    ),
    named(
        "sweep-with-maker",
        "! open, write\n b open-other other\n done b\n a open, try-write =any, release-all &\n go",
    ),
    named("close-after-dead-closer", "d open\n dies d unlink_memory close\n ! open, write, release, close"),
    named("open-after-dead-closer", "d open\n dies d unlink_record close\n ! open, write, release, close"),
    named("create-after-dead-closer", "d open\n dies d unlink_folder close\n ! open, write, release, close"),
    named("sweep-after-dead-closer", "b open\n d open, open-other other\n dies d unlink_memory close\n ! open"),
    named("sweep-folder-after-dead-closer", "b open\n d open, open-other other\n dies d unlink_folder close\n ! open"),
    named("sweep-folder-of-dead-creator", "b open\n dies d make_record open-other other\n ! open"),
    named("prune", "b open\n d open-other other\n kill d\n ! prune"),
    named("prune-owner-died", "d open, write\n kill d\n ! prune"),
    named("remove-named-unfinished", "dies d create_memory open\n ! remove"),
    path("remove-with-opener", "a open, close\n ! remove =any\n b open, write, release &&"),
    named("remove-named-with-opener", "d open\n kill d\n ! remove =any\n b open, write, release &&"),
    // ---- a thread that sleeps for the waiter
    path(
        "watched-read",
        "a open, write\n v open\n b open\n ! request read, watch, release\n asleep 3\n b write, release &\n a release",
    ),
    path(
        "watched-write",
        "a open, read\n v open\n b open\n ! request write, watch, release\n asleep 3\n b read, release &\n a release",
    ),
    path(
        "watched-recovery",
        "d open, write\n v open\n b open\n ! request write, watch, release\n asleep 2\n b read, release &\n kill d",
    ),
    path(
        "watched-drain-recovery",
        "d open, read\n v open\n b open\n ! request write, watch, release\n asleep 2\n b read, release &\n kill d",
    ),
    path(
        "watched-skipping",
        "a open, write\n c open\n c write, release &\n stop c\n v open\n b open\n ! request write, watch, release\n asleep 2\n a release\n done v\n b read, release &\n done b",
    ),
    // ---- an event loop with its own doorbell
    path(
        "rings-at-release",
        "v open, write\n a open\n b open\n a doorbell, request read, watch, release &\n b write, release &\n ! release",
    ),
    path("rings-drainer", "v open, read\n b open\n b doorbell, request write, watch, release &\n ! release"),
    path(
        "rings-without-listener",
        "v open, write\n d open\n d doorbell, request read, watch, release &\n b open\n b write, release &\n kill d\n ! release",
    ),
    path(
        "answers-the-door",
        "a open, write\n v open\n b open\n ! doorbell, request read, watch, release\n asleep 2\n b write, release &\n a release",
    ),
    path(
        "mutes-the-doorbell",
        "a open, write\n v open\n b open\n ! doorbell, write, release\n asleep 1\n b write, release &\n a release",
    ),
    // ---- holders that are told of a request that they keep out
    path(
        "keeps-until-told",
        "v open, write\n a open\n b open\n ! keep-hold, release\n asleep 1\n a read, release &\n b write, release &",
    ),
    path(
        "keeps-with-a-doorbell",
        "v open, write\n a open\n b open\n ! doorbell, keep-hold, release\n a read, release &\n b write, release &",
    ),
    path(
        "tells-a-writer",
        "a open, write\n a keep-hold, release &\n b open\n v open\n ! write, release\n asleep 1\n b read, release &",
    ),
    path(
        "tells-a-writer-with-a-doorbell",
        "a open, write\n a doorbell, keep-hold, release &&\n b open\n v open\n ! read, release\n asleep 1\n b write, release &",
    ),
    path(
        "tells-readers",
        "a open, read\n c open, read\n a keep-hold, release &\n c keep-hold, release &\n b open\n v open\n ! write, release\n asleep 1\n b write, release &",
    ),
    path(
        "tells-an-upgradable-holder",
        "a open, upgradable\n a keep-hold, release &\n b open\n v open\n ! upgradable, release\n asleep 1\n b upgradable, release &",
    ),
    path(
        "yields",
        "v open, write\n a open\n b open\n a write, release &\n ! yield, release\n asleep 1\n b read, release &",
    ),
    path(
        "yields-a-read",
        "v open, read\n a open\n b open\n a write, release &\n ! yield, release\n asleep 1\n b read, release &",
    ),
    // ---- steals
    path(
        "stolen",
        "v open, write\n a open\n b open\n ! keep-until-stolen, fail\n asleep 1\n a steal, release &\n b steal, release &",
    ),
    path(
        "stolen-with-a-doorbell",
        "v open, read\n a open\n b open\n ! doorbell, keep-until-stolen, release\n a steal, release &\n b steal, release &",
    ),
    path(
        "stolen-by-the-dead",
        "v open, write\n d open\n a open\n b open\n dies d notice_gate steal\n ! keep-until-stolen, fail\n asleep 1\n b steal, release &",
    ),
    path(
        "stolen-by-one-that-drains-and-dies",
        "v open, read\n d open\n a open\n b open\n dies d notice_load steal\n ! keep-until-stolen, release\n asleep 1\n b steal, release &",
    ),
    path(
        "steals-from-a-writer",
        "a open, write\n a keep-until-stolen, fail &\n b open\n v open\n ! steal, release\n asleep 1\n b steal, release &",
    ),
    path(
        "steals-from-readers",
        "a open, read\n c open, read\n a keep-until-stolen, release &\n c keep-until-stolen, release &\n b open\n v open\n ! steal, release\n asleep 1\n b steal, release &",
    ),
    path(
        "steals-the-turn-of-a-writer",
        "a open, read\n a keep-until-stolen, release &\n c open\n b open\n v open\n c write, release &\n ! steal, release\n asleep 1\n b steal, release &",
    ),
    path(
        "loses-its-turn-to-a-steal",
        "a open, read\n a keep-until-stolen, release &\n b open\n v open\n ! write, release\n asleep 1\n b steal, release &",
    ),
    path(
        "gives-up-a-steal",
        "a open, write\n b open\n v open\n ! ask-steal, poll =pending, cancel =pending\n done v\n a release",
    ),
    path(
        "gives-up-a-steal-that-drains",
        "a open, read\n b open\n v open\n ! ask-steal, poll =pending, cancel =pending\n done v\n a release",
    ),
    // ---- exit notices
    path(
        "exit-notice-of-a-writer",
        "d open, write\n v open\n b open\n ! write, release\n asleep 4\n b read, release &\n kill d",
    ),
    path(
        "exit-notice-of-a-reader",
        "d open, read\n v open\n b open\n ! write, release\n asleep 4\n b read, release &\n kill d",
    ),
    path(
        "exit-notice-of-a-waiter",
        "a open, write\n d open\n d write, release &\n v open\n b open\n ! write, release\n asleep 4\n b read, release &\n kill d\n a release",
    ),
    path(
        "exit-notice-of-a-waker",
        "d open\n v open\n b open\n d write\n b write, release &\n ! read, release\n asleep 4\n dies d wake_load release",
    ),
    // Several times, because a check in between leaves nothing to notify.
    path(
        "exit-notice-of-a-waker-a-reader",
        "d open\n v open\n b open\n d write\n b read, release &\n ! write, release\n asleep 4\n dies d wake_load release",
    ),
    path(
        "exit-notice-of-a-waker-again",
        "d open\n v open\n b open\n d write\n b write, release &\n ! read, release\n asleep 4\n dies d wake_load release",
    ),
    path(
        "exit-notice-of-a-waker-a-reader-again",
        "d open\n v open\n b open\n d write\n b read, release &\n ! write, release\n asleep 4\n dies d wake_load release",
    ),
];
