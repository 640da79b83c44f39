//! Every interleaving, up to a number of preemptions, of two to four threads, in which each load returns each value that
//! C++20 allows (but see [`crate::sync`]). An overlap is found at the protected memory, a lost wake as a deadlock.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, SeqCst};
use std::sync::{Arc, Mutex};

use ::loom::model::Builder;
use ::loom::thread;

use super::helpers::{Lock, NO_LIMIT, Participant, UnsafeCell};
use crate::attachment::HoldEnd;
use crate::attachment::exclusive::PRUNE_INTERVAL;
use crate::attachment::requests::Outcome;
use crate::options::WaitOptions;
use crate::protocol::slot::Mode::{self, Read, Upgradable, Write};
use crate::protocol::slot::Reads;
use crate::protocol::wake;
use crate::seats::Owner;
use crate::shm::claim;
use crate::shm::layout::VALUE_BYTES;
use crate::shm::lock_file::slot_byte;
use crate::shm::removal::{self, Attempt};
use crate::shm::segment::Segment;
use crate::sync::AtomicU64;
use crate::sys::doorbell::Doorbell;
use crate::sys::park;

/// The ends of a model's runs. A model whose runs all end alike checks less than it seems to.
struct Ends(Arc<Mutex<(BTreeSet<String>, usize)>>);

impl Ends {
    #[track_caller]
    fn are(&self, expected: &[&str]) {
        let seen = self.0.lock().unwrap();
        let seen: Vec<&str> = seen.0.iter().map(String::as_str).collect();
        assert_eq!(seen, expected);
    }
}

/// Enough to find each mutant; `LOOM_MAX_PREEMPTIONS` allows more.
const PREEMPTIONS: usize = 3;

/// Runs `model` in every possible way.
fn check<E: End>(model: impl Fn() -> E + Send + Sync + 'static) -> Ends {
    check_within(PREEMPTIONS, model)
}

/// The same with another number of preemptions.
fn check_within<E: End>(preemptions: usize, model: impl Fn() -> E + Send + Sync + 'static) -> Ends {
    let ends = Arc::new(Mutex::new((BTreeSet::new(), 0)));
    let mut builder = Builder::new();
    builder.preemption_bound.get_or_insert(preemptions);
    builder.max_branches = 100_000;
    let seen = ends.clone();
    let start = std::time::Instant::now();
    builder.check(move || {
        let end = model().text();
        let mut seen = seen.lock().unwrap();
        seen.0.insert(end);
        seen.1 += 1;
    });
    println!("{} runs in {:.1?}", ends.lock().unwrap().1, start.elapsed());
    Ends(ends)
}

/// How a run, or a thread of it, ended.
trait End {
    fn text(self) -> String;
}

impl End for String {
    fn text(self) -> String {
        self
    }
}

impl End for &str {
    fn text(self) -> String {
        self.into()
    }
}

impl End for () {
    fn text(self) -> String {
        String::new()
    }
}

/// What a participant's thread returns.
struct Said(thread::JoinHandle<Participant>, Arc<Mutex<String>>);

fn go<E: End>(participant: Participant, act: impl FnOnce(&Participant) -> E + Send + 'static) -> Said {
    let said = Arc::new(Mutex::new(String::new()));
    let says = said.clone();
    Said(participant.spawn(move |participant| *says.lock().unwrap() = act(participant).text()), said)
}

fn ends<const N: usize>(threads: [Said; N]) -> String {
    let joined = threads.map(|Said(thread, said)| (thread.join().unwrap(), said));
    joined.iter().map(|(_, said)| said.lock().unwrap().clone()).collect::<Vec<_>>().join(" ")
}

impl Participant {
    /// Requests, and polls once.
    fn ask(&self, mode: Mode, options: WaitOptions) -> u32 {
        let id = self.own.request(mode, options);
        self.own.poll(0).unwrap();
        id
    }

    /// The outcome of the only request, if it has one.
    fn outcome(&self) -> Option<Outcome> {
        match self.own.take_settled()[..] {
            [] => None,
            [(_, outcome)] => Some(outcome),
            _ => panic!("one request"),
        }
    }

    /// Drives a request to its end, as the binding does: poll, sleep, poll again.
    fn drive(&self) -> Outcome {
        loop {
            self.own.poll(0).unwrap();
            if let Some(outcome) = self.outcome() {
                return outcome;
            }
            park::wait(&self.own.slot().waiting.wake, wake::IDLE, u64::MAX);
        }
    }

    /// Blocks until it has stolen the lock.
    fn steal(&self) {
        self.own.request_steal(NO_LIMIT);
        assert_eq!(self.drive(), Outcome::Granted);
    }

    /// The next write hold, of any participant, prunes idle readers.
    fn next_write_prunes(&self) {
        self.own.segment.gate().last_token.store(PRUNE_INTERVAL - 2, SeqCst);
        assert!(self.pass(Write));
    }

    /// Its process ends here: the kernel drops its byte, and nothing else. (The participant is dropped at the end.)
    fn dies(&self) {
        self.own.segment.lock.unlock(slot_byte(self.own.index)).unwrap();
    }
}

fn tried(granted: bool) -> &'static str {
    if granted { "in" } else { "no" }
}

/// Two threads that each store first and load second, as everywhere in the lock.
#[test]
fn the_model_knows_dekkers_scheme_and_each_of_its_four_orders() {
    let both_miss = |orders: [std::sync::atomic::Ordering; 4]| {
        let ends = check(move || {
            let words = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
            let [swap, load, exchange, check] = orders;
            let theirs = words.clone();
            let other = thread::spawn(move || {
                theirs[1].compare_exchange(0, 1, exchange, Relaxed).unwrap();
                theirs[0].load(check)
            });
            words[0].swap(1, swap);
            let seen = words[1].load(load);
            format!("{seen}{}", other.join().unwrap())
        });
        ends.0.lock().unwrap().0.contains("00")
    };
    let right = [SeqCst; 4];
    assert!(!both_miss(right));
    for (place, weaker) in [(0, AcqRel), (1, Acquire), (2, AcqRel), (3, Acquire)] {
        let mut orders = right;
        orders[place] = weaker;
        assert!(both_miss(orders), "{orders:?}");
    }
}

fn tries<const N: usize>(modes: [Mode; N]) -> Ends {
    check(move || {
        let lock = Lock::new(3);
        let mut modes = modes.into_iter();
        ends(lock.participants::<N>().map(|participant| {
            let mode = modes.next().unwrap();
            go(participant, move |participant| tried(participant.pass(mode)))
        }))
    })
}

#[test]
fn try_read_and_try_write() {
    tries([Read, Write]).are(&["in in", "in no", "no in", "no no"]);
}

#[test]
fn try_write_and_try_write() {
    tries([Write, Write]).are(&["in in", "in no", "no in"]);
}

#[test]
fn try_upgradable_and_try_write() {
    tries([Upgradable, Write]).are(&["in in", "in no", "no in"]);
}

#[test]
fn two_readers_and_try_write() {
    tries([Read, Write, Read]);
}

/// Each participant waits for the lock in its modes, one after the other.
fn waits<const N: usize>(modes: [&'static [Mode]; N]) {
    check(move || {
        let lock = Lock::new(3);
        let mut modes = modes.into_iter();
        ends(lock.participants::<N>().map(|participant| {
            let modes = modes.next().unwrap();
            go(participant, move |participant| {
                for &mode in modes {
                    participant.wait(mode);
                    participant.use_up(mode);
                }
                "in"
            })
        }))
    });
}

#[test]
fn waiting_reader_and_writer() {
    waits([&[Read], &[Write]]);
}

#[test]
fn waiting_writers() {
    waits([&[Write], &[Write]]);
}

#[test]
fn waiting_upgradable_and_writer() {
    waits([&[Upgradable], &[Write]]);
}

#[test]
fn a_writer_between_two_reads() {
    waits([&[Read, Read], &[Write]]);
}

#[test]
fn two_waiting_readers_and_a_writer() {
    waits([&[Read], &[Write], &[Read]]);
}

/// The read says that the write request comes behind it, which is not published.
#[test]
fn in_strict_order_a_reader_does_not_overtake_a_writer_behind_an_earlier_read() {
    check(|| {
        let lock = Lock::new(3);
        let [holder, first, second] = lock.participants();
        let strict = WaitOptions { fairness: 0, ..NO_LIMIT };
        assert!(holder.own.try_write());
        first.own.request(Read, strict);
        first.ask(Write, strict);
        second.ask(Read, strict);
        holder.use_up(Write);
        ends([
            go(first, |first| {
                for mode in [Read, Write] {
                    first.drive();
                    first.use_up(mode);
                }
            }),
            go(second, |second| {
                second.drive();
                let writes = second.own.token().wrapping_sub(second.own.token_base());
                second.use_up(Read);
                writes.to_string()
            }),
        ])
    })
    .are(&[" 2"]);
}

/// A draining writer makes way for a read of its own thread, and is in the queue before the gate is free.
#[test]
fn a_writer_that_makes_way_for_a_nested_read_keeps_its_place() {
    check(|| {
        let lock = Lock::new(2);
        let [own, other] = lock.participants();
        let strict = WaitOptions { fairness: 0, ..NO_LIMIT };
        assert!(own.own.try_read());
        own.ask(Write, strict);
        other.own.request(Write, strict);
        ends([
            go(own, |own| {
                own.wait(Read);
                own.own.release_read();
                own.use_up(Read);
                own.drive();
                let writes = own.own.token().wrapping_sub(own.own.token_base());
                own.use_up(Write);
                writes.to_string()
            }),
            go(other, |other| {
                other.drive();
                other.use_up(Write);
            }),
        ])
    })
    .are(&["1 "]);
}

#[test]
fn a_nested_read_in_turn_is_not_let_in_before_the_writer() {
    check(|| {
        let lock = Lock::new(2);
        let [own, other] = lock.participants();
        assert!(own.own.try_read());
        other.ask(Write, NO_LIMIT);
        own.ask(Read, WaitOptions { in_turn: true, ..NO_LIMIT });
        let let_in = own.ask(Read, NO_LIMIT);
        ends([
            go(own, move |own| {
                own.own.poll(u64::MAX / 2).unwrap(); // later than a nested read is let in
                assert_eq!(own.own.take_settled(), [(let_in, Outcome::Granted)]);
                own.own.release_read();
                own.own.release_read();
                own.drive();
                let writes = own.own.token().wrapping_sub(own.own.token_base());
                own.use_up(Read);
                writes.to_string()
            }),
            go(other, |other| {
                other.drive();
                other.use_up(Write);
            }),
        ])
    })
    .are(&["1 "]);
}

// ---- no wake is lost

#[test]
fn the_last_readers_release_wakes_the_writer_that_drains() {
    check(|| {
        let lock = Lock::new(3);
        let [reader, writer] = lock.participants();
        assert!(reader.own.try_read());
        ends([
            go(reader, |reader| reader.use_up(Read)),
            go(writer, |writer| {
                writer.wait(Write);
                writer.use_up(Write);
            }),
        ])
    });
}

#[test]
fn a_refused_reader_wakes_the_writer_that_drains() {
    check(|| {
        let lock = Lock::new(3);
        let [reader, writer] = lock.participants();
        ends([
            go(reader, |reader| tried(reader.pass(Read))),
            go(writer, |writer| {
                writer.wait(Write);
                writer.use_up(Write);
                "in"
            }),
        ])
    })
    .are(&["in in", "no in"]);
}

/// The reader is refused because the queue is closed, and may not know yet that the writer drains.
#[test]
fn a_reader_that_the_closed_queue_refuses_wakes_the_writer_that_drains() {
    check(|| {
        let lock = Lock::new(3);
        let [holder, reader, writer] = lock.participants();
        assert!(reader.pass(Read)); // registered: otherwise the writer does not scan it
        assert!(holder.own.try_write());
        writer.ask(Write, WaitOptions { fairness: 0, ..NO_LIMIT });
        holder.use_up(Write);
        ends([
            go(reader, |reader| tried(reader.pass(Read))),
            go(writer, |writer| {
                writer.drive();
                writer.use_up(Write);
                "in"
            }),
        ])
    })
    .are(&["in in", "no in"]);
}

/// A holder keeps the lock until it is told that it keeps a request out. A notice that is lost is a deadlock.
fn told(lock: fn() -> Lock, held: Mode, wanted: Mode) {
    check(move || {
        let lock = lock();
        let [holder, waiter] = lock.participants();
        assert!(holder.try_mode(held));
        ends([
            go(holder, move |holder| {
                holder.own.want_notices(&[held]);
                loop {
                    holder.own.take_notice();
                    if holder.own.is_contended(held) {
                        break;
                    }
                    park::wait(&holder.own.slot().waiting.wake, wake::IDLE, u64::MAX);
                }
                holder.own.want_notices(&[]);
                holder.use_up(held);
            }),
            go(waiter, move |waiter| {
                waiter.wait(wanted);
                waiter.use_up(wanted);
            }),
        ])
    });
}

#[test]
fn a_writer_is_told_of_a_reader() {
    told(|| Lock::new(3), Write, Read);
}

#[test]
fn a_writer_is_told_of_a_writer() {
    told(|| Lock::new(3), Write, Write);
}

#[test]
fn a_reader_is_told_of_the_writer_that_drains() {
    told(|| Lock::new(3), Read, Write);
}

#[test]
fn an_upgradable_holder_is_told_of_the_next() {
    told(|| Lock::new(3), Upgradable, Upgradable);
}

/// A holder allows steals, and keeps the lock until one wants it. A steal that it does not learn of is a deadlock.
fn robbed(held: Mode) {
    check(move || {
        let lock = Lock::new(3);
        let [holder, thief] = lock.participants();
        holder.own.want_steals(true);
        let served = Arc::new(AtomicU64::new(0));
        let seen = served.clone();
        ends([
            go(holder, move |holder| {
                if !holder.try_mode(held) {
                    return "not in";
                }
                if seen.load(Relaxed) != 0 {
                    holder.use_up(held);
                    return "later";
                }
                loop {
                    holder.own.take_notice();
                    if holder.own.is_stolen() {
                        break;
                    }
                    park::wait(&holder.own.slot().waiting.wake, wake::IDLE, u64::MAX);
                }
                holder.use_up(held);
                "robbed"
            }),
            go(thief, move |thief| {
                thief.steal();
                served.store(1, Relaxed); // inside: who comes next sees it
                thief.use_up(Write);
                "in"
            }),
        ])
    })
    .are(&["later in", "not in in", "robbed in"]);
}

#[test]
fn a_steal_robs_a_reader() {
    robbed(Read);
}

#[test]
fn a_steal_robs_a_writer() {
    robbed(Write);
}

#[test]
fn a_steal_robs_an_upgradable_holder() {
    robbed(Upgradable);
}

/// A writer drains beside a reader that keeps the lock until it is robbed. The steal takes the turn of the writer.
#[test]
fn a_steal_takes_the_turn_of_a_writer_that_drains() {
    check(|| {
        let lock = Lock::new(3);
        let [reader, writer, thief] = lock.participants();
        assert!(reader.own.try_read());
        reader.own.want_steals(true);
        writer.ask(Write, NO_LIMIT);
        ends([
            go(reader, |reader| {
                loop {
                    reader.own.take_notice();
                    if reader.own.is_stolen() {
                        break;
                    }
                    park::wait(&reader.own.slot().waiting.wake, wake::IDLE, u64::MAX);
                }
                reader.use_up(Read);
            }),
            go(writer, |writer| {
                writer.drive();
                writer.use_up(Write);
            }),
            go(thief, |thief| {
                thief.steal();
                thief.use_up(Write);
            }),
        ])
    });
}

/// A holder releases, and the waiter is granted.
fn handed_over(held: Mode, wanted: Mode) {
    check(move || {
        let lock = Lock::new(3);
        let [holder, waiter] = lock.participants();
        assert!(holder.try_mode(held));
        ends([
            go(holder, move |holder| holder.use_up(held)),
            go(waiter, move |waiter| {
                waiter.wait(wanted);
                waiter.use_up(wanted);
            }),
        ])
    });
}

#[test]
fn a_writers_release_wakes_a_reader() {
    handed_over(Write, Read);
}

#[test]
fn a_writers_release_wakes_a_writer() {
    handed_over(Write, Write);
}

#[test]
fn an_upgradable_holders_release_wakes_the_next() {
    handed_over(Upgradable, Upgradable);
}

#[test]
fn a_release_wakes_a_reader_and_then_a_writer() {
    check(|| {
        let lock = Lock::new(3);
        let [holder, reader, writer] = lock.participants();
        assert!(holder.own.try_write());
        reader.ask(Read, NO_LIMIT);
        writer.ask(Write, NO_LIMIT);
        ends([
            go(holder, |holder| holder.use_up(Write)),
            go(reader, |reader| {
                reader.drive();
                reader.use_up(Read);
            }),
            go(writer, |writer| {
                writer.drive();
                writer.use_up(Write);
            }),
        ])
    });
}

/// One waiter leaves the queue, which is then empty, while another joins it.
#[test]
fn a_joining_waiter_is_not_cleared_from_the_queue() {
    check(|| {
        let lock = Lock::new(3);
        let [holder, leaver, joiner] = lock.participants();
        assert!(holder.own.try_upgradable());
        let asked = leaver.ask(Upgradable, NO_LIMIT);
        ends([
            go(leaver, move |leaver| {
                assert!(leaver.own.cancel(asked));
                leaver.own.poll(0).unwrap();
            }),
            go(joiner, |joiner| {
                joiner.wait(Upgradable);
                joiner.use_up(Upgradable);
            }),
            go(holder, |holder| holder.use_up(Upgradable)),
        ])
    });
}

/// Two writers leave the queue at once, each the last except for the other: one of them must see that a reader can be
/// granted.
#[test]
fn of_two_leaving_waiters_one_wakes_the_next() {
    check(|| {
        let lock = Lock::new(4);
        let [holder, first, second, reader] = lock.participants();
        assert!(holder.own.try_upgradable());
        let asked = [first.ask(Write, NO_LIMIT), second.ask(Write, NO_LIMIT)];
        reader.ask(Read, NO_LIMIT);
        let leave = |participant: Participant, id| {
            go(participant, move |participant| {
                assert!(participant.own.cancel(id));
                participant.own.poll(0).unwrap();
            })
        };
        let leavers = [leave(first, asked[0]), leave(second, asked[1])];
        reader.drive();
        reader.use_up(Read);
        ends(leavers)
    });
}

#[test]
fn a_timeout_wakes_the_next() {
    check(|| {
        let lock = Lock::new(3);
        let [holder, late, waiter] = lock.participants();
        assert!(holder.own.try_read());
        late.ask(Write, WaitOptions { deadline: 5, ..NO_LIMIT });
        waiter.ask(Read, NO_LIMIT);
        let late = go(late, |late| {
            late.own.poll(10).unwrap();
            assert_eq!(late.outcome(), Some(Outcome::TimedOut));
        });
        waiter.drive();
        waiter.use_up(Read);
        ends([late])
    });
}

/// As the above, with a writer that closed the queue at once.
#[test]
fn a_closed_queue_opens_again() {
    check(|| {
        let lock = Lock::new(3);
        let [holder, writer, reader] = lock.participants();
        assert!(holder.own.try_read());
        let strict = WaitOptions { fairness: 0, ..NO_LIMIT };
        let asked = writer.ask(Write, strict);
        let holder = go(holder, |holder| holder.use_up(Read));
        let writer = go(writer, move |writer| {
            if !writer.own.cancel(asked) {
                assert_eq!(writer.outcome(), Some(Outcome::Granted));
                writer.use_up(Write);
                return "granted";
            }
            writer.own.poll(0).unwrap();
            "cancelled"
        });
        reader.wait(Read);
        reader.use_up(Read);
        ends([holder, writer])
    });
}

/// This doorbell swallows every ring. Its owner requested before from its event loop, so other threads know the doorbell.
#[test]
fn a_thread_that_sleeps_on_its_word_is_not_rung_for() {
    for (held, mode) in [(Write, Read), (Read, Write)] {
        check(move || {
            let lock = Lock::new(3);
            let [holder, waiter] = lock.participants();
            assert!(holder.try_mode(held));
            waiter.own.set_doorbell(&Doorbell::open().unwrap(), 0);
            waiter.ask(mode, NO_LIMIT);
            ends([
                go(holder, move |holder| holder.use_up(held)),
                go(waiter, move |waiter| {
                    waiter.wait(mode);
                    waiter.use_up(mode);
                }),
            ])
        });
    }
}

// ---- changing the mode of a hold

#[test]
fn an_upgrade_waits_for_the_readers_and_keeps_writers_out() {
    check(|| {
        let lock = Lock::new(3);
        let [holder, reader] = lock.participants();
        assert!(holder.own.try_upgradable() && reader.own.try_read());
        ends([
            go(reader, |reader| {
                reader.use_up(Read);
                tried(reader.pass(Read))
            }),
            go(holder, |holder| {
                holder.read();
                holder.own.wait_upgrade(NO_LIMIT, || false).unwrap();
                holder.use_up(Write);
                "in"
            }),
        ])
    })
    .are(&["in in", "no in"]);
}

#[test]
fn of_two_readers_one_may_become_the_writer() {
    check(|| {
        let lock = Lock::new(3);
        let upgrade = |participant: Participant| {
            go(participant, |participant| {
                if !participant.own.try_read() {
                    return "none";
                }
                participant.read();
                if participant.own.try_upgrade() {
                    participant.use_up(Write);
                    return "writer";
                }
                participant.use_up(Read);
                "reader"
            })
        };
        ends(lock.participants::<2>().map(upgrade))
    })
    .are(&[
        "none reader",
        "none writer",
        "reader none",
        "reader reader",
        "reader writer",
        "writer none",
        "writer reader",
        "writer writer",
    ]);
}

/// A reader that was the writer sees what it wrote, and the waiter is granted.
fn downgraded(to: Mode, other: Mode) {
    check(move || {
        let lock = Lock::new(3);
        let [holder, waiter] = lock.participants();
        assert!(holder.own.try_write());
        ends([
            go(holder, move |holder| {
                holder.write();
                if to == Read {
                    holder.own.downgrade_to_read().unwrap();
                } else {
                    holder.own.downgrade_to_upgradable().unwrap();
                }
                holder.use_up(to);
            }),
            go(waiter, move |waiter| {
                waiter.wait(other);
                waiter.use_up(other);
            }),
        ])
    });
}

#[test]
fn no_writer_comes_between_writing_and_reading() {
    downgraded(Read, Write);
}

#[test]
fn a_downgrade_to_read_wakes_a_reader() {
    downgraded(Read, Read);
}

#[test]
fn a_downgrade_to_upgradable_wakes_a_reader() {
    downgraded(Upgradable, Read);
}

#[test]
fn a_downgrade_to_upgradable_keeps_writers_waiting() {
    downgraded(Upgradable, Write);
}

// ---- skipped waiters

/// Later than every grace period, and earlier than a phantom hold counts as damage.
const LATE: u64 = 900_000_000;

/// A draining writer continues while another process skips it: only one of the two writes at a time, and both finish.
#[test]
fn a_draining_writer_continues_while_it_is_skipped() {
    check(|| {
        let lock = Lock::new(3);
        let [reader, slow, other] = lock.participants();
        assert!(reader.own.try_read());
        slow.ask(Write, NO_LIMIT);
        reader.use_up(Read);
        other.ask(Write, NO_LIMIT);
        ends([
            go(slow, |slow| {
                slow.drive();
                slow.use_up(Write);
            }),
            go(other, |other| {
                let mut peer_check = other.own.peer_check();
                peer_check.check(0, 1);
                peer_check.check(LATE, 1);
                other.drive();
                other.use_up(Write);
            }),
        ])
    });
}

#[test]
fn a_waiter_comes_while_it_is_skipped() {
    check(|| {
        let lock = Lock::new(3);
        let [holder, slow, other] = lock.participants();
        assert!(holder.own.try_write());
        slow.ask(Write, NO_LIMIT);
        other.ask(Write, NO_LIMIT);
        holder.use_up(Write);
        ends([
            go(slow, |slow| {
                slow.drive();
                slow.use_up(Write);
            }),
            go(other, |other| {
                let mut peer_check = other.own.peer_check();
                peer_check.check(0, 1);
                peer_check.check(LATE, 1);
                other.drive();
                other.use_up(Write);
            }),
        ])
    });
}

// ---- the dead

#[test]
fn a_dead_reader_is_repaired_while_a_writer_drains() {
    check(|| {
        let lock = Lock::new(3);
        let [dead, finder, writer] = lock.participants();
        assert!(dead.own.try_read());
        dead.dies();
        let index = dead.own.index;
        ends([
            go(finder, move |finder| assert!(finder.own.segment.recovery().recover(index))),
            go(writer, |writer| {
                writer.wait(Write);
                writer.use_up(Write);
            }),
        ])
    });
}

/// Two processes find a dead writer at once, and continue.
#[test]
fn a_dead_writer_is_repaired_by_two_at_once() {
    check(|| {
        let lock = Lock::new(3);
        let [dead, first, second] = lock.participants();
        assert!(dead.own.try_write());
        dead.write();
        dead.dies();
        let index = dead.own.index;
        let find = |participant: Participant, mode| {
            go(participant, move |participant| {
                participant.own.segment.recovery().recover(index);
                if !participant.try_mode(mode) {
                    return "no";
                }
                assert!(participant.own.is_poisoned());
                if mode == Read {
                    participant.use_up(Read);
                } else {
                    participant.write();
                    participant.own.release_exclusive(HoldEnd::Failed).unwrap();
                }
                "in"
            })
        };
        ends([find(first, Write), find(second, Read)])
    })
    .are(&["in in", "in no", "no in", "no no"]);
}

/// A dead waiter is repaired while another waiter leaves: the next one is woken.
#[test]
fn a_dead_waiter_is_repaired_while_another_leaves() {
    check(|| {
        let lock = Lock::new(4);
        let [holder, dead, leaver, reader] = lock.participants();
        assert!(holder.own.try_upgradable());
        dead.ask(Write, NO_LIMIT);
        dead.dies();
        let index = dead.own.index;
        let asked = leaver.ask(Write, NO_LIMIT);
        reader.ask(Read, NO_LIMIT);
        let threads = [
            go(holder, move |holder| assert!(holder.own.segment.recovery().recover(index))),
            go(leaver, move |leaver| {
                assert!(leaver.own.cancel(asked));
                leaver.own.poll(0).unwrap();
            }),
        ];
        reader.drive();
        reader.use_up(Read);
        ends(threads)
    });
}

/// The slot of a dead reader gets a new owner while a late repair of the dead one still runs.
#[test]
fn a_late_repair_does_not_clear_the_new_owner_of_a_slot() {
    check(|| {
        let lock = Lock::new(1);
        let dead = lock.attach();
        assert!(dead.own.try_read());
        dead.dies();
        let index = dead.own.index;
        let segment = dead.own.segment.clone();
        let finder = thread::spawn(move || {
            segment.recovery().recover(index);
        });
        let new = lock.attach();
        assert_eq!(new.own.index, index);
        assert!(new.own.try_read());
        finder.join().unwrap();
        assert_eq!(Reads(new.own.slot().reads.load(SeqCst)).count(), 1, "the new reader is gone");
    });
}

// ---- a limit on readers

/// The read holds at one time, counted beside loom.
#[derive(Default)]
struct Inside(std::sync::atomic::AtomicU32);

impl Inside {
    fn pass(&self, participant: &Participant, limit: u32) {
        let inside = self.0.fetch_add(1, SeqCst) + 1;
        assert!(inside <= limit, "{inside} read holds, and the limit is {limit}");
        participant.read();
        thread::yield_now();
        self.0.fetch_sub(1, SeqCst);
        participant.own.release_read();
    }
}

fn limited_tries<const N: usize>(preemptions: usize, limit: u32) -> Ends {
    check_within(preemptions, move || {
        let lock = Lock::limited(3, limit);
        let inside = Arc::new(Inside::default());
        ends(lock.participants::<N>().map(|participant| {
            let inside = inside.clone();
            go(participant, move |participant| {
                let granted = participant.own.try_read();
                if granted {
                    inside.pass(participant, limit);
                }
                tried(granted)
            })
        }))
    })
}

/// They never refuse each other.
#[test]
fn two_tries_for_the_last_hold() {
    limited_tries::<2>(PREEMPTIONS, 1).are(&["in in", "in no", "no in"]);
}

/// (With a third preemption it takes more than ten minutes.)
#[test]
fn three_tries_for_two_holds() {
    limited_tries::<3>(2, 2).are(&["in in in", "in in no", "in no in", "no in in"]);
}

#[test]
fn a_reader_of_a_limited_lock_and_a_writer() {
    check(|| {
        let lock = Lock::limited(3, 1);
        let mut modes = [Read, Write].into_iter();
        ends(lock.participants::<2>().map(|participant| {
            let mode = modes.next().unwrap();
            go(participant, move |participant| tried(participant.pass(mode)))
        }))
    })
    .are(&["in in", "in no", "no in", "no no"]);
}

fn limited_waits<const N: usize>(modes: [Mode; N]) {
    check(move || {
        let lock = Lock::limited(3, 1);
        let inside = Arc::new(Inside::default());
        let mut modes = modes.into_iter();
        ends(lock.participants::<N>().map(|participant| {
            let (mode, inside) = (modes.next().unwrap(), inside.clone());
            go(participant, move |participant| {
                participant.wait(mode);
                if mode == Read { inside.pass(participant, 1) } else { participant.use_up(mode) }
            })
        }))
    });
}

#[test]
fn two_wait_for_one_hold() {
    limited_waits([Read, Read]);
}

#[test]
fn a_limited_reader_and_a_writer_wait() {
    limited_waits([Read, Write]);
}

/// The holder keeps its other hold.
#[test]
fn the_release_of_a_nested_read_wakes_a_reader() {
    check(|| {
        let lock = Lock::limited(3, 2);
        let [holder, reader] = lock.participants();
        assert!(holder.own.try_read() && holder.own.try_read());
        ends([
            go(holder, |holder| holder.own.release_read()),
            go(reader, |reader| {
                reader.wait(Read);
                reader.use_up(Read);
            }),
        ])
    });
}

/// The claim of a nested read is retracted. Then the holds end, and the writer must see that.
#[test]
fn a_refused_nested_read_and_a_writer() {
    check(|| {
        let lock = Lock::limited(3, 2);
        let [reader, other, writer] = lock.participants();
        assert!(reader.own.try_read() && other.own.try_read());
        let reader = go(reader, |reader| {
            let granted = reader.own.try_read();
            if granted {
                reader.use_up(Read);
            }
            reader.use_up(Read);
            tried(granted)
        });
        let writer = go(writer, |writer| {
            writer.wait(Write);
            writer.use_up(Write);
            "in"
        });
        other.use_up(Read);
        ends([reader, writer])
    })
    .are(&["in in", "no in"]);
}

#[test]
fn a_reader_is_told_of_one_that_the_limit_keeps_out() {
    told(|| Lock::limited(3, 1), Read, Read);
}

/// Two find the dead reader at once: one gets its hold, never both at the same time.
#[test]
fn a_dead_reader_makes_room_for_one() {
    check(|| {
        let lock = Lock::limited(3, 1);
        let [dead, first, second] = lock.participants();
        assert!(dead.own.try_read());
        dead.dies();
        let index = dead.own.index;
        let inside = Arc::new(Inside::default());
        ends([first, second].map(|participant| {
            let inside = inside.clone();
            go(participant, move |participant| {
                participant.own.segment.recovery().recover(index);
                let granted = participant.own.try_read();
                if granted {
                    inside.pass(participant, 1);
                }
                tried(granted)
            })
        }))
    })
    .are(&["in in", "in no", "no in"]);
}

// ---- attaching

/// A writer scans only the slots in use: it must not miss one just claimed.
#[test]
fn a_writer_sees_a_new_attachment() {
    check(|| {
        let lock = Lock::new(3);
        let writer = lock.attach();
        let late = Arc::new(lock);
        let newcomer = thread::spawn(move || {
            let participant = late.attach();
            let granted = participant.pass(Read);
            (participant, granted)
        });
        let writer = go(writer, |writer| tried(writer.pass(Write)));
        let (_party, granted) = newcomer.join().unwrap();
        format!("{} {}", tried(granted), ends([writer]))
    })
    .are(&["in in", "in no", "no in", "no no"]);
}

/// A close lowers the high-water mark, up to which writers scan, but not below an attachment made meanwhile.
#[test]
fn a_writer_sees_an_attachment_made_during_a_close() {
    check(|| {
        let lock = Lock::new(3);
        let [writer, leaver] = lock.participants();
        let leaves = thread::spawn(move || drop(leaver));
        let participant = lock.attach();
        assert!(participant.own.try_read());
        let writer = go(writer, |writer| tried(writer.own.try_write()));
        leaves.join().unwrap();
        ends([writer])
    })
    .are(&["no"]);
}

fn removes(segment: &Segment) -> &'static str {
    match removal::try_remove(segment, |_| true).unwrap() {
        Attempt::Removed => "removed",
        _ => "not",
    }
}

/// Either the attaching process finds the lock removed, or the removing one finds it in use.
#[test]
fn a_lock_is_not_removed_under_a_new_attachment() {
    check(|| {
        let heap = Lock::new(1).heap;
        let (attaching, removing) = (heap.segment(), heap.segment());
        let attaches = thread::spawn(move || {
            let stays = claim::slot(&attaching).unwrap().is_some() && removal::veto(&attaching);
            (attaching, stays)
        });
        let removed = removes(&removing);
        let (_segment, stays) = attaches.join().unwrap();
        format!("{} {removed}", if stays { "stays" } else { "turns away" })
    })
    .are(&["stays not", "turns away removed"]);
}

#[test]
fn of_two_removals_one_succeeds_and_no_process_attaches() {
    check(|| {
        let heap = Lock::new(1).heap;
        let [attaching, one, two] = std::array::from_fn(|_| heap.segment());
        let first = thread::spawn(move || removes(&one));
        let attaches = thread::spawn(move || {
            let stays = claim::slot(&attaching).unwrap().is_some() && removal::veto(&attaching);
            (attaching, stays)
        });
        let removed = [removes(&two), first.join().unwrap()];
        let (_segment, stays) = attaches.join().unwrap();
        let removals = removed.iter().filter(|said| **said == "removed").count();
        assert!(removals <= 1 && !(stays && removals != 0), "{removed:?}, and one stays: {stays}");
    });
}

// ---- the reader bitmap

/// The reader may read before the threads begin, and so be registered. The writer's first hold may prune idle readers.
fn a_reader_and_a_writer_that_writes_twice(registered: bool, prunes: bool) {
    check(move || {
        let lock = Lock::new(3);
        let [reader, writer] = lock.participants();
        if registered {
            assert!(reader.pass(Read));
        }
        if prunes {
            writer.next_write_prunes();
        }
        ends([
            go(reader, |reader| tried(reader.pass(Read))),
            go(writer, |writer| [tried(writer.pass(Write)), tried(writer.pass(Write))].concat()),
        ])
    })
    .are(&["in inin", "in inno", "in noin", "in nono", "no inin", "no inno", "no noin", "no nono"]);
}

#[test]
fn a_writer_sees_a_registered_reader() {
    a_reader_and_a_writer_that_writes_twice(true, false);
}

#[test]
fn a_writer_sees_a_reader_that_registers() {
    a_reader_and_a_writer_that_writes_twice(false, false);
}

#[test]
fn a_writer_sees_a_reader_that_it_may_have_pruned() {
    a_reader_and_a_writer_that_writes_twice(true, true);
}

#[test]
fn a_reader_registers_while_a_writer_prunes() {
    a_reader_and_a_writer_that_writes_twice(false, true);
}

#[test]
fn a_writer_sees_a_reader_that_another_may_have_pruned() {
    for registered in [false, true] {
        check(move || {
            let lock = Lock::new(3);
            let [reader, unlister, writer] = lock.participants();
            if registered {
                assert!(reader.pass(Read));
            }
            unlister.next_write_prunes();
            ends([
                go(reader, |reader| tried(reader.pass(Read))),
                go(unlister, |unlister| tried(unlister.pass(Write))),
                go(writer, |writer| tried(writer.pass(Write))),
            ])
        });
    }
}

// ---- the value

impl Participant {
    /// Sets the value of the given number: it fills both words of a buffer.
    fn set(&self, number: u8) {
        self.own.set_value(Some(&[number; VALUE_BYTES])).unwrap();
    }

    /// The number of the value. A mixture of two values has a wrong checksum: then there is none, or an earlier one.
    fn seen(&self) -> u8 {
        let value = self.own.value().expect("a value");
        assert!(value.len() == VALUE_BYTES && value.iter().all(|byte| *byte == value[0]), "a mixture: {value:?}");
        value[0]
    }

    fn write_value(&self, numbers: &[u8]) {
        self.wait(Write);
        numbers.iter().for_each(|number| self.set(*number));
        self.use_up(Write);
    }
}

/// The value is number 0 at the start, and the third change fills the buffer of the first one again.
fn value_of(writers: [&'static [u8]; 2], looks: usize) -> Ends {
    check(move || {
        let lock = Lock::new(3);
        let [one, two, reader] = lock.participants();
        one.write_value(&[0]);
        let one = one.spawn(move |writer| writer.write_value(writers[0]));
        let two = (!writers[1].is_empty()).then(|| two.spawn(move |writer| writer.write_value(writers[1])));
        let seen: Vec<u8> = (0..looks).map(|_| reader.seen()).collect();
        one.join().unwrap();
        two.map(|two| two.join().unwrap());
        seen.into_iter().map(|number| number.to_string()).collect::<String>()
    })
}

#[test]
fn a_reader_without_a_hold_finds_a_whole_value() {
    value_of([&[1, 2], &[]], 1).are(&["0", "1", "2"]);
}

#[test]
fn a_reader_without_a_hold_finds_no_older_value_than_before() {
    value_of([&[1, 2], &[]], 2).are(&["00", "01", "02", "11", "12", "22"]);
}

#[test]
fn a_reader_without_a_hold_finds_a_whole_value_of_two_writers_in_sequence() {
    value_of([&[1], &[2]], 1).are(&["0", "1", "2"]);
}

/// Two readers with a hold, or a writer, find what the last write hold left.
#[test]
fn a_holder_finds_the_value_of_the_last_write_hold() {
    check(|| {
        let lock = Lock::new(3);
        let [writer, next, reader] = lock.participants();
        writer.write_value(&[0]);
        ends([
            go(writer, |writer| writer.write_value(&[1, 2])),
            go(next, |next| {
                next.wait(Upgradable);
                let seen = next.seen().to_string();
                next.use_up(Upgradable);
                seen
            }),
            go(reader, |reader| {
                reader.wait(Read);
                let seen = reader.seen().to_string();
                reader.use_up(Read);
                seen
            }),
        ])
    })
    .are(&[" 0 0", " 0 2", " 2 0", " 2 2"]);
}

/// What a seat of a handle contains, for one thread at a time.
struct SharedSeat(Owner, UnsafeCell<usize>);

// SAFETY: the cell is used by the owner only, which is what is checked.
unsafe impl Sync for SharedSeat {}
// SAFETY: numbers.
unsafe impl Send for SharedSeat {}

impl SharedSeat {
    /// Uses the seat if nobody has it, and leaves it. How often it was used before.
    fn pass(&self, thread: u64) -> Option<usize> {
        if !self.0.claim(thread) {
            return None;
        }
        assert!(self.0.is(thread) && !self.0.is(thread + 1));
        // SAFETY: this thread is the owner.
        let before = self.1.with_mut(|used| unsafe { used.replace(*used + 1) });
        self.0.leave();
        Some(before)
    }
}

/// What a thread did with a seat happens before what the next one does with it.
#[test]
fn a_seat_belongs_to_one_thread_after_the_other() {
    check(|| {
        let seat = Arc::new(SharedSeat(Owner::nobody(), UnsafeCell::new(0)));
        let others: Vec<_> = [1, 2]
            .map(|number| {
                let seat = seat.clone();
                thread::spawn(move || seat.pass(number))
            })
            .into_iter()
            .collect();
        let own = seat.pass(3);
        let mut passed: Vec<_> = others.into_iter().filter_map(|other| other.join().unwrap()).chain(own).collect();
        passed.sort_unstable();
        format!("{passed:?}")
    })
    .are(&["[0, 1, 2]", "[0, 1]", "[0]"]);
}
