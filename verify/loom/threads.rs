//! Real threads on one mapping. Alone they check little; under ThreadSanitizer and Miri each acquisition and release must
//! carry what the protected memory needs, since these derive what happened before what from the orderings.

use super::helpers::{Lock, PATIENT, Participant};
use crate::attachment::HoldEnd;
use crate::protocol::slot::Mode::{self, Read, Upgradable, Write};

const THREADS: u64 = 4;
/// Miri is some thousand times slower, and tries another schedule and other values with each seed.
const ROUNDS: u64 = if cfg!(miri) { 10 } else { 3_000 };

/// Each thread does `act`, which is given an ever other number, again and again.
fn all_at_once(act: fn(&Participant, u64)) {
    let lock = Lock::new(THREADS as u32);
    let parties: Vec<_> = (0..THREADS).map(|_| lock.attach()).collect();
    let threads: Vec<_> =
        (1..).zip(parties).map(|(seed, party)| party.spawn(move |party| rounds(party, seed, act))).collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

fn rounds(party: &Participant, seed: u64, act: fn(&Participant, u64)) {
    let mut number = seed;
    for _ in 0..ROUNDS {
        // Knuth's MMIX generator; its upper bits are the good ones.
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        act(party, number >> 33);
    }
}

const MODES: [Mode; 4] = [Read, Read, Upgradable, Write];

fn mode(number: u64) -> Mode {
    MODES[number as usize % MODES.len()]
}

#[test]
fn who_tries_sees_what_was_written() {
    all_at_once(|party, number| {
        party.pass(mode(number));
    });
}

#[test]
fn who_waits_sees_what_was_written() {
    all_at_once(|party, number| {
        party.wait(mode(number));
        party.use_up(mode(number));
    });
}

/// One writes, the others look: every look must see the write before it, however little else the threads share.
#[test]
fn readers_see_the_one_writer() {
    let lock = Lock::new(2);
    let [writer, reader] = lock.parties();
    let writer = writer.spawn(|writer| {
        for _ in 0..ROUNDS {
            writer.pass(Write);
        }
    });
    let reader = reader.spawn(|reader| {
        for _ in 0..ROUNDS {
            reader.pass(Read);
        }
    });
    writer.join().unwrap();
    reader.join().unwrap();
}

#[test]
fn whose_hold_changes_its_mode_sees_what_was_written() {
    all_at_once(|party, number| {
        let own = &party.own;
        match number % 5 {
            0 => {
                party.wait(Read);
                party.read();
                if own.try_upgrade() {
                    party.use_up(Write);
                } else {
                    party.use_up(Read);
                }
            }
            1 => {
                party.wait(Upgradable);
                party.read();
                own.wait_upgrade(PATIENT, || false).unwrap();
                party.use_up(Write);
            }
            2 => {
                party.wait(Write);
                party.write();
                own.downgrade_to_read().unwrap();
                party.use_up(Read);
            }
            3 => {
                party.wait(Write);
                party.write();
                own.downgrade_to_upgradable().unwrap();
                party.read();
                own.release_exclusive(HoldEnd::Failed).unwrap();
            }
            _ => {
                party.wait(Read);
                party.use_up(Read);
            }
        }
    });
}
