//! Small histories made by hand: each rule finds what breaks it, and leaves alone what the lock may do.
//!
//! Times are in ms. Actor `n` is thread 0 of process `n`, with pid `100 + n`.

use std::collections::BTreeMap;

use process_rwlock_stress::{Died, Kind, Mode, Outcome, Record, Way, What};

use super::history::{ActorLog, History};
use super::{Rule, exclusion, limit, notices, owner_died, recovery, steals, tokens, tries, value, waiting};

use Mode::{Read, Upgradable, Write};

const MS: u64 = 1_000_000;

#[derive(Default)]
struct Story {
    logs: BTreeMap<u32, Vec<Record>>,
    killer: Vec<Record>,
    ops: u32,
    limit: u32,
}

impl Story {
    fn log(&mut self, actor: u32, kind: Kind, ms: u64) -> &mut Record {
        let log = self.logs.entry(actor).or_insert_with(|| {
            let mut begin = Record::new(Kind::Begin, 0);
            begin.pid = 100 + actor;
            vec![begin]
        });
        log.push(Record::new(kind, ms * MS));
        log.last_mut().unwrap()
    }

    fn invoke(&mut self, actor: u32, ms: u64, what: What, mode: Mode, way: Way, hold: Option<u32>) -> u32 {
        self.ops += 1;
        let op = self.ops;
        let record = self.log(actor, Kind::Invoke, ms);
        (record.what, record.mode, record.way) = (Some(what), Some(mode), Some(way));
        (record.op, record.hold) = (op, hold.unwrap_or(op));
        op
    }

    fn returned(&mut self, actor: u32, ms: u64, op: u32, outcome: Outcome, token: u64, died: Option<Died>) {
        let record = self.log(actor, Kind::Return, ms);
        (record.op, record.outcome, record.token, record.died) = (op, Some(outcome), token, died);
    }

    /// Asks for the lock; nothing comes of it yet.
    fn ask(&mut self, actor: u32, ms: u64, mode: Mode) -> u32 {
        self.invoke(actor, ms, What::Acquire, mode, Way::Wait, None)
    }

    /// A hold without a release yet.
    fn take(&mut self, actor: u32, (asked, from): (u64, u64), mode: Mode, token: u64, died: Option<Died>) -> u32 {
        let op = self.ask(actor, asked, mode);
        self.returned(actor, from, op, Outcome::Granted, token, died);
        op
    }

    fn change(&mut self, actor: u32, (asked, done): (u64, u64), what: What, mode: Mode, hold: u32, token: u64) {
        let op = self.invoke(actor, asked, what, mode, Way::Consistent, Some(hold));
        self.returned(actor, done, op, Outcome::Granted, token, None);
    }

    fn release(&mut self, actor: u32, (asked, done): (u64, u64), hold: u32) {
        self.change(actor, (asked, done), What::Release, Read, hold, 0);
    }

    fn hold(&mut self, actor: u32, times: [u64; 4], mode: Mode, token: u64, died: Option<Died>) {
        let hold = self.take(actor, (times[0], times[1]), mode, token, died);
        self.release(actor, (times[2], times[3]), hold);
    }

    fn refused(&mut self, actor: u32, (asked, done): (u64, u64), mode: Mode) {
        let op = self.invoke(actor, asked, What::Acquire, mode, Way::Try, None);
        self.returned(actor, done, op, Outcome::Refused, 0, None);
    }

    /// Sets value number `number`, in a write hold of that time.
    fn set(&mut self, actor: u32, (from, to): (u64, u64), number: u64) {
        let hold = self.take(actor, (from, from), Write, number, None);
        let op = self.set_begins(actor, from, hold, number);
        self.returned(actor, to, op, Outcome::Granted, 0, None);
        self.release(actor, (to, to), hold);
    }

    fn set_begins(&mut self, actor: u32, ms: u64, hold: u32, number: u64) -> u32 {
        let op = self.invoke(actor, ms, What::SetValue, Write, Way::Try, Some(hold));
        self.logs.get_mut(&actor).unwrap().last_mut().unwrap().token = number;
        op
    }

    fn look(&mut self, actor: u32, (from, to): (u64, u64), number: u64) {
        let op = self.invoke(actor, from, What::Look, Read, Way::Try, None);
        self.returned(actor, to, op, Outcome::Granted, number, None);
    }

    fn signal(&mut self, actor: u32, kind: Kind, ms: u64) {
        let mut record = Record::new(kind, ms * MS);
        (record.op, record.hold) = (actor, 1);
        self.killer.push(record);
    }

    fn kill(&mut self, actor: u32, ms: u64, dead: u64) {
        self.signal(actor, Kind::Kill, ms);
        self.signal(actor, Kind::Dead, dead);
    }

    fn stop(&mut self, actor: u32, from: u64, to: u64) {
        self.signal(actor, Kind::Stop, from);
        self.signal(actor, Kind::Continue, to);
    }

    fn history(&self) -> History {
        let mut begin = Record::new(Kind::Begin, 0);
        (begin.token, begin.op) = (MS, self.limit);
        let killer = [vec![begin], self.killer.clone()].concat();
        let log = |(&process, records): (&u32, &Vec<Record>)| ActorLog {
            process,
            life: 1,
            thread: 0,
            records: records.clone(),
        };
        History::new(&killer, &self.logs.iter().map(log).collect::<Vec<_>>())
    }
}

fn story(tell: impl FnOnce(&mut Story)) -> Story {
    let mut story = Story::default();
    tell(&mut story);
    story
}

#[track_caller]
fn is_fine(rule: Rule, tell: impl FnOnce(&mut Story)) {
    assert_eq!(rule(&story(tell).history()), Vec::<String>::new());
}

#[track_caller]
fn is_a_violation(rule: Rule, tell: impl FnOnce(&mut Story)) {
    assert_ne!(rule(&story(tell).history()), Vec::<String>::new());
}

fn died(actor: u32, token: u64) -> Option<Died> {
    Some(Died { pid: 100 + actor, token })
}

// ---- exclusion

#[test]
fn only_compatible_holds_may_overlap() {
    for (one, other, together) in [
        (Read, Read, true),
        (Read, Upgradable, true),
        (Upgradable, Upgradable, false),
        (Read, Write, false),
        (Upgradable, Write, false),
        (Write, Write, false),
    ] {
        for (one, other) in [(one, other), (other, one)] {
            let tell = |story: &mut Story| {
                story.hold(1, [0, 10, 30, 31], one, 0, None);
                story.hold(2, [0, 20, 40, 41], other, 0, None);
            };
            if together {
                is_fine(exclusion::check, tell);
            } else {
                is_a_violation(exclusion::check, tell);
            }
            is_fine(exclusion::check, |story| {
                story.hold(1, [0, 10, 30, 35], one, 0, None);
                story.hold(2, [0, 31, 40, 41], other, 0, None);
            });
        }
    }
}

#[test]
fn a_short_hold_within_a_long_one_is_found_behind_others() {
    is_a_violation(exclusion::check, |story| {
        story.hold(1, [0, 10, 100, 101], Read, 0, None);
        (0..8).for_each(|n| story.hold(2, [20 + n, 20 + n, 20 + n, 21 + n], Read, 0, None));
        story.hold(3, [0, 50, 51, 52], Write, 0, None);
    });
}

#[test]
fn a_downgrade_leaves_no_gap() {
    let tell = |write_from| {
        move |story: &mut Story| {
            let hold = story.take(1, (0, 10), Write, 1, None);
            story.change(1, (20, 25), What::Downgrade, Read, hold, 0);
            story.release(1, (40, 41), hold);
            story.hold(2, [0, 26, 30, 31], Read, 1, None);
            story.hold(3, [0, write_from, 60, 61], Write, 2, None);
        }
    };
    is_fine(exclusion::check, tell(45));
    is_a_violation(exclusion::check, tell(23));
    is_a_violation(exclusion::check, tell(35));
}

#[test]
fn an_upgrade_keeps_other_upgradable_holders_out_and_then_readers() {
    let tell = |read_to, upgradable_from| {
        move |story: &mut Story| {
            let hold = story.take(1, (0, 10), Upgradable, 1, None);
            story.change(1, (20, 30), What::Upgrade, Write, hold, 2);
            story.change(1, (40, 41), What::Downgrade, Upgradable, hold, 0);
            story.release(1, (50, 51), hold);
            story.hold(2, [0, 5, read_to, read_to + 1], Read, 0, None);
            story.hold(3, [0, upgradable_from, 70, 71], Upgradable, 2, None);
        }
    };
    is_fine(exclusion::check, tell(29, 55));
    is_a_violation(exclusion::check, tell(35, 55));
    is_a_violation(exclusion::check, tell(29, 45));
}

#[test]
fn a_killed_holder_held_it_until_just_before() {
    let tell = |next| {
        move |story: &mut Story| {
            story.take(1, (0, 10), Write, 1, None);
            story.kill(1, 20, 22);
            story.hold(2, [0, next, 30, 31], Write, 2, died(1, 1));
        }
    };
    is_fine(exclusion::check, tell(21));
    is_a_violation(exclusion::check, tell(19));
}

// ---- tokens

#[test]
fn tokens_grow_by_one_with_every_write() {
    let tell = |tokens: [u64; 3]| {
        move |story: &mut Story| {
            for (n, token) in (0..).zip(tokens) {
                story.hold(1 + n, [0, 10 * n as u64 + 1, 10 * n as u64 + 5, 10 * n as u64 + 6], Write, token, None);
            }
        }
    };
    is_fine(tokens::check, tell([7, 8, 9]));
    is_a_violation(tokens::check, tell([7, 7, 8]));
    is_a_violation(tokens::check, tell([7, 9, 8]));
    is_a_violation(tokens::check, tell([7, 8, 10]));
}

#[test]
fn a_token_may_be_lost_with_a_death_before_its_record() {
    let tell = |victim_asks| {
        move |story: &mut Story| {
            story.hold(1, [0, 10, 20, 21], Write, 1, None);
            story.ask(2, victim_asks, Write);
            story.kill(2, victim_asks + 5, victim_asks + 6);
            story.hold(3, [0, 40, 50, 51], Write, 3, None);
        }
    };
    is_fine(tokens::check, tell(25));
    is_a_violation(tokens::check, tell(60));
}

#[test]
fn a_token_may_be_lost_with_a_write_that_was_given_up_after_its_grant() {
    let tell = |outcome| {
        move |story: &mut Story| {
            story.hold(1, [0, 10, 20, 21], Write, 1, None);
            let op = story.ask(2, 25, Write);
            story.returned(2, 30, op, outcome, 0, None);
            story.hold(3, [0, 40, 50, 51], Write, 3, None);
        }
    };
    is_fine(tokens::check, tell(Outcome::Aborted));
    is_fine(tokens::check, tell(Outcome::Closed));
    is_a_violation(tokens::check, tell(Outcome::TimedOut));
}

#[test]
fn a_reader_sees_the_last_writers_token() {
    let tell = |token| {
        move |story: &mut Story| {
            story.hold(1, [0, 10, 20, 21], Write, 4, None);
            story.hold(2, [0, 30, 40, 41], Read, token, None);
            story.hold(1, [0, 50, 60, 61], Write, 5, None);
        }
    };
    is_fine(tokens::check, tell(4));
    is_a_violation(tokens::check, tell(3));
    is_a_violation(tokens::check, tell(5));
}

// ---- ownerDied

/// A writer dies inside with token 1; then other holders, in turn, get the reports in `reported`.
fn after_a_death(reported: &'static [(Mode, Option<Died>)]) -> impl FnOnce(&mut Story) {
    move |story| {
        story.take(1, (0, 10), Write, 1, None);
        story.kill(1, 20, 22);
        let mut token = 1;
        for ((mode, died), n) in reported.iter().zip(3u64..) {
            token += u64::from(*mode == Write);
            story.hold(2, [n * 10, n * 10 + 1, n * 10 + 5, n * 10 + 6], *mode, token, *died);
        }
    }
}

const DIED: Option<Died> = Some(Died { pid: 101, token: 1 });

#[test]
fn a_death_inside_is_reported_until_a_write_hold_ends_consistent() {
    is_fine(owner_died::check, after_a_death(&[(Read, DIED), (Upgradable, DIED), (Write, DIED), (Read, None)]));
    is_a_violation(owner_died::check, after_a_death(&[(Read, None)]));
    is_a_violation(owner_died::check, after_a_death(&[(Write, None)]));
    is_a_violation(owner_died::check, after_a_death(&[(Read, DIED), (Read, None)]));
    is_a_violation(owner_died::check, after_a_death(&[(Write, DIED), (Read, DIED)]));
    is_a_violation(owner_died::check, after_a_death(&[(Read, Some(Died { pid: 101, token: 2 }))]));
    is_a_violation(owner_died::check, after_a_death(&[(Read, Some(Died { pid: 102, token: 1 }))]));
}

#[test]
fn no_death_is_reported_without_a_death_in_a_write_hold() {
    is_fine(owner_died::check, |story| {
        story.hold(1, [0, 10, 20, 21], Write, 1, None);
        story.take(1, (22, 23), Read, 1, None);
        story.kill(1, 30, 31);
        story.hold(2, [0, 40, 50, 51], Write, 2, None);
    });
    is_a_violation(owner_died::check, |story| {
        story.hold(1, [0, 10, 20, 21], Write, 1, None);
        story.kill(1, 30, 31);
        story.hold(2, [0, 40, 50, 51], Write, 2, died(1, 1));
    });
}

#[test]
fn a_death_in_a_release_may_be_reported_or_not_and_a_failure_clears_nothing() {
    let dies_releasing = |reported| {
        move |story: &mut Story| {
            let hold = story.take(1, (0, 10), Write, 1, None);
            story.invoke(1, 20, What::Release, Write, Way::Consistent, Some(hold));
            story.kill(1, 21, 22);
            story.hold(2, [0, 40, 50, 51], Read, 1, reported);
        }
    };
    is_fine(owner_died::check, dies_releasing(None));
    is_fine(owner_died::check, dies_releasing(DIED));
    is_a_violation(owner_died::check, dies_releasing(died(2, 1)));
    let throws = |reported| {
        move |story: &mut Story| {
            after_a_death(&[])(story);
            let hold = story.take(2, (30, 31), Write, 2, DIED);
            let op = story.invoke(2, 32, What::Release, Write, Way::Failed, Some(hold));
            story.returned(2, 33, op, Outcome::Granted, 0, None);
            story.hold(3, [40, 41, 42, 43], Read, 2, reported);
        }
    };
    is_fine(owner_died::check, throws(DIED));
    is_a_violation(owner_died::check, throws(None));
}

#[test]
fn a_death_before_the_record_may_be_reported_with_an_unknown_token() {
    let tell = |reported| {
        move |story: &mut Story| {
            story.hold(1, [0, 10, 20, 21], Write, 1, None);
            story.ask(2, 22, Write);
            story.kill(2, 25, 26);
            story.hold(3, [0, 40, 50, 51], Write, 3, reported);
        }
    };
    is_fine(owner_died::check, tell(died(2, 2)));
    is_fine(owner_died::check, tell(None));
    is_a_violation(owner_died::check, tell(died(2, 1)));
    is_a_violation(owner_died::check, tell(died(1, 2)));
}

// ---- tries

#[test]
fn a_try_is_refused_only_if_there_may_be_an_obstacle() {
    let beside = |mode, refused| {
        move |story: &mut Story| {
            story.hold(1, [0, 10, 20, 25], mode, 1, None);
            story.refused(2, (24, 26), refused);
        }
    };
    for mode in [Read, Upgradable, Write] {
        is_fine(tries::check, beside(mode, Write));
        is_a_violation(tries::check, |story| {
            story.hold(1, [0, 10, 20, 25], mode, 1, None);
            story.refused(2, (26, 27), Write);
        });
    }
    is_fine(tries::check, beside(Upgradable, Upgradable));
    is_fine(tries::check, beside(Write, Read));
    is_a_violation(tries::check, |story| story.refused(2, (26, 27), Read));
    // A reader that has been granted is in no other reader's way, and a waiter may be.
    is_a_violation(tries::check, |story| {
        story.hold(1, [0, 1, 40, 41], Read, 1, None);
        story.refused(2, (24, 26), Read);
    });
    is_fine(tries::check, |story| {
        story.hold(1, [20, 30, 40, 41], Read, 1, None);
        story.refused(2, (24, 26), Read);
    });
}

#[test]
fn what_a_dead_process_left_is_an_obstacle_for_a_short_time() {
    let tell = |tried| {
        move |story: &mut Story| {
            story.take(1, (0, 10), Write, 1, None);
            story.kill(1, 20, 22);
            story.refused(2, (tried, tried + 1), Read);
        }
    };
    is_fine(tries::check, tell(30));
    is_a_violation(tries::check, tell(100));
}

#[test]
fn an_upgrade_that_is_refused_does_not_excuse_itself() {
    let tell = |reader_until| {
        move |story: &mut Story| {
            story.hold(1, [0, 1, reader_until, reader_until + 1], Read, 1, None);
            let hold = story.take(2, (5, 6), Upgradable, 1, None);
            let op = story.invoke(2, 20, What::Upgrade, Write, Way::Try, Some(hold));
            story.returned(2, 21, op, Outcome::Refused, 0, None);
            story.release(2, (30, 31), hold);
        }
    };
    is_fine(tries::check, tell(25));
    is_a_violation(tries::check, tell(10));
}

// ---- waiting

/// One waits from 0 to 3000 ms; a newcomer asks for and gets the lock in between.
fn overtaken(newcomer: u64, modes: (Mode, Mode)) -> impl Fn(&mut Story) {
    move |story| {
        // Something goes on all the time.
        (0..30).for_each(|n| story.hold(4, [n * 100, n * 100 + 1, n * 100 + 2, n * 100 + 3], Read, 1, None));
        story.hold(2, [newcomer, newcomer + 1, newcomer + 2, newcomer + 3], modes.1, 1, None);
        story.hold(1, [0, 3000, 3001, 3002], modes.0, 2, None);
    }
}

#[test]
fn no_newcomer_overtakes_for_long() {
    is_fine(waiting::check, overtaken(900, (Read, Write)));
    is_a_violation(waiting::check, overtaken(1100, (Read, Write)));
    is_a_violation(waiting::check, overtaken(1100, (Write, Read)));
    is_a_violation(waiting::check, overtaken(1100, (Upgradable, Upgradable)));
    is_fine(waiting::check, overtaken(1100, (Read, Upgradable)));
    // The newcomer had asked before.
    is_fine(waiting::check, |story| {
        story.hold(2, [500, 2000, 2001, 2002], Write, 1, None);
        story.hold(1, [0, 3000, 3001, 3002], Write, 2, None);
    });
    // It read already, and a thread that reads may read again.
    is_fine(waiting::check, |story| {
        story.hold(2, [0, 1, 1500, 1501], Read, 1, None);
        story.hold(2, [1200, 1201, 1300, 1301], Read, 1, None);
        story.hold(1, [0, 3000, 3001, 3002], Write, 2, None);
    });
}

#[test]
fn time_while_a_process_is_stopped_or_late_does_not_count() {
    is_fine(waiting::check, |story| {
        story.stop(3, 100, 700);
        overtaken(1100, (Read, Write))(story);
    });
    is_a_violation(waiting::check, |story| {
        story.stop(3, 100, 700);
        overtaken(1900, (Read, Write))(story);
    });
    is_fine(waiting::check, |story| {
        let mut late = Record::new(Kind::Late, 700 * MS);
        late.token = 600 * MS;
        story.killer.push(late);
        overtaken(1100, (Read, Write))(story);
    });
    is_fine(waiting::check, |story| {
        story.stop(3, 1000, 1500);
        overtaken(1600, (Read, Write))(story);
    });
}

#[test]
fn a_grant_follows_while_a_request_waits() {
    let tell = |next| {
        move |story: &mut Story| {
            story.take(1, (0, 10), Read, 1, None);
            story.kill(1, 20, 22);
            story.hold(2, [15, next, next + 1, next + 2], Write, 2, None);
        }
    };
    is_fine(waiting::check, tell(1900));
    is_a_violation(waiting::check, tell(2100));
    is_a_violation(waiting::check, |story| {
        story.ask(1, 0, Read);
        story.kill(1, 2100, 2101);
    });
    is_fine(waiting::check, |story| {
        story.stop(3, 500, 800);
        tell(2100)(story);
    });
}

#[test]
fn no_request_waits_for_ever() {
    let tell = |until: u64| {
        move |story: &mut Story| {
            (0..until / 1000)
                .for_each(|n| story.hold(2, [n * 1000, n * 1000 + 1, n * 1000 + 2, n * 1000 + 3], Read, 1, None));
            story.hold(1, [0, until, until + 1, until + 2], Read, 1, None);
        }
    };
    is_fine(waiting::check, tell(14_000));
    is_a_violation(waiting::check, tell(16_000));
}

// ---- notices

#[test]
fn a_notice_is_not_missed_for_long() {
    let tell = |held, wanted, asked: u64, noticed: u64| {
        move |story: &mut Story| {
            let hold = story.take(1, (0, 1), held, 1, None);
            let notice = story.invoke(1, 100, What::Notice, held, Way::Wait, Some(hold));
            let request = story.ask(2, asked, wanted);
            let outcome = if noticed < 2000 { Outcome::Granted } else { Outcome::TimedOut };
            story.returned(1, noticed, notice, outcome, 0, None);
            story.release(1, (noticed + 1, noticed + 2), hold);
            story.returned(2, noticed + 3, request, Outcome::Granted, 2, None);
            story.release(2, (noticed + 4, noticed + 5), request);
        }
    };
    for (held, wanted) in [(Read, Write), (Upgradable, Upgradable), (Upgradable, Write), (Write, Read), (Write, Write)]
    {
        is_fine(notices::check, tell(held, wanted, 1000, 1400));
        is_a_violation(notices::check, tell(held, wanted, 1000, 1600));
        is_a_violation(notices::check, tell(held, wanted, 1000, 2000));
        // It waited before the notice was asked for.
        is_fine(notices::check, tell(held, wanted, 10, 500));
        is_a_violation(notices::check, tell(held, wanted, 10, 700));
    }
    for (held, wanted) in [(Read, Read), (Read, Upgradable), (Upgradable, Read)] {
        is_fine(notices::check, tell(held, wanted, 1000, 2000));
    }
}

#[test]
fn a_notice_is_not_expected_while_a_process_is_stopped_or_after_a_request_has_ended() {
    let tell = |until, stop: Option<(u64, u64)>| {
        move |story: &mut Story| {
            let hold = story.take(1, (0, 1), Write, 1, None);
            let notice = story.invoke(1, 100, What::Notice, Write, Way::Wait, Some(hold));
            let request = story.ask(2, 200, Read);
            story.returned(2, until, request, Outcome::TimedOut, 0, None);
            story.returned(1, 2000, notice, Outcome::TimedOut, 0, None);
            if let Some((from, to)) = stop {
                story.stop(3, from, to);
            }
        }
    };
    is_fine(notices::check, tell(600, None));
    is_a_violation(notices::check, tell(1000, None));
    is_fine(notices::check, tell(1000, Some((300, 700))));
    is_a_violation(notices::check, tell(1000, Some((1100, 1500))));
}

#[test]
fn a_holder_that_is_killed_has_missed_what_it_should_have_noticed() {
    let tell = |killed| {
        move |story: &mut Story| {
            let hold = story.take(1, (0, 1), Write, 1, None);
            story.invoke(1, 100, What::Notice, Write, Way::Wait, Some(hold));
            story.ask(2, 200, Read);
            story.kill(1, killed, killed + 1);
            story.kill(2, 5000, 5001);
        }
    };
    is_fine(notices::check, tell(600));
    is_a_violation(notices::check, tell(800));
}

// ---- steals

#[test]
fn a_hold_is_stolen_only_for_a_steal_that_waits() {
    let tell = |asked: u64, ended: u64, outcome, stolen: u64| {
        move |story: &mut Story| {
            let hold = story.take(1, (0, 1), Write, 1, None);
            let steal = story.invoke(2, asked, What::Acquire, Write, Way::Steal, None);
            let lost = story.invoke(1, stolen, What::Release, Write, Way::Stolen, Some(hold));
            story.returned(1, stolen + 1, lost, Outcome::Granted, 0, None);
            story.returned(2, ended, steal, outcome, 2, None);
        }
    };
    is_fine(steals::check, tell(1000, 1300, Outcome::Granted, 1200));
    is_a_violation(steals::check, tell(1000, 1300, Outcome::Granted, 900));
    // It was given up.
    is_fine(steals::check, tell(1000, 1100, Outcome::TimedOut, 1250));
    is_a_violation(steals::check, tell(1000, 1100, Outcome::TimedOut, 1350));
}

#[test]
fn a_steal_may_overtake_and_a_stolen_hold_has_failed() {
    let tell = |way| {
        move |story: &mut Story| {
            let hold = story.take(1, (1400, 1401), Write, 1, None);
            let waiting = story.ask(3, 1402, Write);
            for ms in [2600, 3600] {
                let steal = story.invoke(2, ms, What::Acquire, Write, way, None);
                if ms == 2600 {
                    let lost = story.invoke(1, 2610, What::Release, Write, Way::Stolen, Some(hold));
                    story.returned(1, 2620, lost, Outcome::Granted, 0, None);
                }
                story.returned(2, ms + 30, steal, Outcome::Granted, ms, None);
                story.release(2, (ms + 40, ms + 50), steal);
            }
            story.returned(3, 4100, waiting, Outcome::Granted, 5000, None);
            story.release(3, (4110, 4120), waiting);
        }
    };
    for rule in [waiting::check, exclusion::check, steals::check, owner_died::check] {
        is_fine(rule, tell(Way::Steal));
    }
    is_a_violation(waiting::check, tell(Way::Wait));
}

// ---- limit

#[test]
fn there_are_never_more_readers_than_the_limit() {
    let tell = |limit, third| {
        move |story: &mut Story| {
            story.limit = limit;
            story.hold(1, [0, 10, 30, 35], Read, 0, None);
            story.hold(2, [0, 12, 40, 41], Read, 0, None);
            story.hold(3, [0, third, 50, 51], Read, 0, None);
        }
    };
    is_fine(limit::check, tell(0, 20));
    is_fine(limit::check, tell(3, 20));
    is_fine(limit::check, tell(2, 31));
    is_a_violation(limit::check, tell(2, 29));
    is_a_violation(limit::check, tell(1, 45));
}

#[test]
fn a_dead_reader_counts_until_its_death_and_an_upgradable_one_from_its_downgrade() {
    let killed = |next| {
        move |story: &mut Story| {
            story.limit = 1;
            story.take(1, (0, 10), Read, 0, None);
            story.kill(1, 20, 22);
            story.hold(2, [15, next, 30, 31], Read, 0, None);
        }
    };
    is_fine(limit::check, killed(21));
    is_a_violation(limit::check, killed(19));
    let downgraded = |reader_until| {
        move |story: &mut Story| {
            story.limit = 1;
            story.hold(1, [0, 10, reader_until, reader_until + 1], Read, 0, None);
            let hold = story.take(2, (0, 11), Upgradable, 0, None);
            story.change(2, (20, 30), What::Downgrade, Read, hold, 0);
            story.release(2, (40, 41), hold);
        }
    };
    is_fine(limit::check, downgraded(25));
    is_a_violation(limit::check, downgraded(35));
}

#[test]
fn a_try_to_read_is_refused_only_at_the_limit() {
    let tell = |limit| {
        move |story: &mut Story| {
            story.limit = limit;
            story.hold(1, [0, 1, 40, 41], Read, 0, None);
            story.hold(2, [0, 1, 23, 24], Read, 0, None);
            story.refused(3, (25, 26), Read);
        }
    };
    is_fine(tries::check, tell(1));
    is_a_violation(tries::check, tell(2));
    is_a_violation(tries::check, tell(0));
    // A downgrade that was refused leaves the hold upgradable.
    let downgrade = |reader_until: u64| {
        move |story: &mut Story| {
            story.limit = 1;
            story.hold(1, [0, 1, reader_until, reader_until + 1], Read, 0, None);
            let hold = story.take(2, (2, 3), Upgradable, 0, None);
            let op = story.invoke(2, 20, What::Downgrade, Read, Way::Consistent, Some(hold));
            story.returned(2, 21, op, Outcome::Refused, 0, None);
            story.release(2, (30, 31), hold);
        }
    };
    is_fine(tries::check, downgrade(25));
    is_a_violation(tries::check, downgrade(10));
    is_a_violation(exclusion::check, |story| {
        downgrade(25)(story);
        story.hold(3, [20, 25, 28, 29], Upgradable, 0, None);
    });
}

// ---- value

#[test]
fn a_look_finds_what_was_set_last_or_is_being_set() {
    let tell = |times, number| {
        move |story: &mut Story| {
            story.set(1, (10, 20), 7);
            story.set(2, (30, 40), 8);
            story.look(3, times, number);
        }
    };
    for (times, right) in [
        ((1, 2), &[0][..]),
        ((1, 15), &[0, 7]),
        ((12, 15), &[0, 7]),
        ((25, 26), &[7]),
        ((15, 35), &[0, 7, 8]),
        ((25, 35), &[7, 8]),
        ((45, 46), &[8]),
    ] {
        for number in [0, 7, 8, 9] {
            if right.contains(&number) {
                is_fine(value::check, tell(times, number));
            } else {
                is_a_violation(value::check, tell(times, number));
            }
        }
    }
}

#[test]
fn no_look_finds_an_older_value_than_an_earlier_one() {
    let tell = |first, second| {
        move |story: &mut Story| {
            story.set(1, (10, 40), 7);
            story.look(2, (20, 21), first);
            story.look(3, (30, 31), second);
        }
    };
    is_fine(value::check, tell(0, 7));
    is_fine(value::check, tell(7, 7));
    is_a_violation(value::check, tell(7, 0));
}

#[test]
fn a_change_whose_process_died_has_an_effect_or_none() {
    let tell = |first, second, third| {
        move |story: &mut Story| {
            story.set(1, (10, 11), 7);
            let hold = story.take(2, (12, 12), Write, 8, None);
            story.set_begins(2, 13, hold, 8);
            story.kill(2, 15, 16);
            story.look(3, (20, 21), first);
            story.look(3, (22, 23), second);
            story.set(1, (30, 31), 9);
            story.look(3, (40, 41), third);
        }
    };
    is_fine(value::check, tell(7, 7, 9));
    is_fine(value::check, tell(8, 8, 9));
    is_a_violation(value::check, tell(8, 7, 9));
    is_a_violation(value::check, tell(7, 0, 9));
    is_a_violation(value::check, tell(7, 7, 8));
}

#[test]
fn no_value_may_be_set_several_times() {
    let tell = |looks: [u64; 3]| {
        move |story: &mut Story| {
            story.set(1, (10, 11), 7);
            story.set(1, (20, 21), 0);
            story.set(1, (30, 31), 8);
            story.set(1, (40, 50), 0);
            for (ms, number) in [25, 35, 45].into_iter().zip(looks) {
                story.look(2, (ms, ms + 1), number);
            }
            story.look(2, (55, 56), 0);
        }
    };
    is_fine(value::check, tell([0, 8, 0]));
    is_fine(value::check, tell([0, 8, 8]));
    is_a_violation(value::check, tell([0, 0, 0]));
    is_a_violation(value::check, tell([7, 8, 8]));
}

// ---- figures

#[test]
fn recovery_is_timed_where_a_process_waited() {
    let times = |asked| {
        let story = story(|story| {
            story.take(1, (0, 10), Write, 1, None);
            story.kill(1, 20, 22);
            story.hold(2, [asked, 25, 30, 31], Read, 1, DIED);
        });
        recovery::times(&story.history())
    };
    assert_eq!(times(15), recovery::Times { from_kill: vec![5 * MS], from_release: vec![3 * MS] });
    assert_eq!(times(24), recovery::Times::default());
}
