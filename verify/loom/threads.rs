//! Real threads on one mapping. Alone they check little; under ThreadSanitizer and Miri each acquisition and release must
//! carry what the protected memory needs, because these tools derive the order of events from the orderings.

use super::helpers::{Lock, NO_LIMIT, Participant};
use crate::attachment::HoldEnd;
use crate::protocol::slot::Mode::{self, Read, Upgradable, Write};

const THREADS: u64 = 4;
/// Miri is about a thousand times slower, and tries another schedule and other values with each seed.
const ROUNDS: u64 = if cfg!(miri) { 10 } else { 3_000 };

/// Each thread repeats `act` with a different number each time.
fn all_at_once(act: fn(&Participant, u64)) {
    let lock = Lock::new(THREADS as u32);
    let participants: Vec<_> = (0..THREADS).map(|_| lock.attach()).collect();
    let threads: Vec<_> = (1..)
        .zip(participants)
        .map(|(seed, participant)| participant.spawn(move |participant| rounds(participant, seed, act)))
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

fn rounds(participant: &Participant, seed: u64, act: fn(&Participant, u64)) {
    let mut number = seed;
    for _ in 0..ROUNDS {
        // Knuth's MMIX generator, whose upper bits are the good ones.
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        act(participant, number >> 33);
    }
}

const MODES: [Mode; 4] = [Read, Read, Upgradable, Write];

fn mode(number: u64) -> Mode {
    MODES[number as usize % MODES.len()]
}

#[test]
fn a_try_sees_what_was_written() {
    all_at_once(|participant, number| {
        participant.pass(mode(number));
    });
}

#[test]
fn a_wait_sees_what_was_written() {
    all_at_once(|participant, number| {
        participant.wait(mode(number));
        participant.use_up(mode(number));
    });
}

/// One thread writes, the others read: each read must see the write before it, although the threads share nothing else.
#[test]
fn readers_see_the_one_writer() {
    let lock = Lock::new(2);
    let [writer, reader] = lock.participants();
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
fn a_converted_hold_sees_what_was_written() {
    all_at_once(|participant, number| {
        let own = &participant.own;
        match number % 5 {
            0 => {
                participant.wait(Read);
                participant.read();
                if own.try_upgrade() {
                    participant.use_up(Write);
                } else {
                    participant.use_up(Read);
                }
            }
            1 => {
                participant.wait(Upgradable);
                participant.read();
                own.wait_upgrade(NO_LIMIT, || false).unwrap();
                participant.use_up(Write);
            }
            2 => {
                participant.wait(Write);
                participant.write();
                own.downgrade_to_read().unwrap();
                participant.use_up(Read);
            }
            3 => {
                participant.wait(Write);
                participant.write();
                own.downgrade_to_upgradable().unwrap();
                participant.read();
                own.release_exclusive(HoldEnd::Failed).unwrap();
            }
            _ => {
                participant.wait(Read);
                participant.use_up(Read);
            }
        }
    });
}
