//! The workloads, which are the same for every lock.

use std::thread;
use std::time::Duration;

use serde::Serialize;

use super::Result;
use super::clock::{now, sleep_until, spin_until};
use super::histogram::{Histogram, Summary};
use super::protocol::{Mix, Mode};
use super::systems::Lock;

/// A batch grows until it takes this long, in ns, so that reading the clock costs nothing in
/// comparison.
const BATCH: u64 = 20_000;

#[derive(Serialize)]
pub struct Pairs {
    pairs: u64,
    ns: u64,
}

#[derive(Serialize)]
pub struct Mixed {
    reads: u64,
    writes: u64,
    ns: u64,
    waits: Waits,
}

#[derive(Serialize)]
pub struct Waits {
    read: Summary,
    write: Summary,
}

#[derive(Serialize)]
pub struct Handoffs {
    /// The times of the request, the grant, and the release.
    holds: Vec<(u64, u64, u64)>,
}

pub fn pairs<L: Lock>(lock: &L, mode: Mode, ns: u64, at: Option<u64>) -> Result<Pairs> {
    let start = begin(at);
    match mode {
        Mode::Read => repeat(start, ns, || lock.read().map(drop)),
        Mode::Write => repeat(start, ns, || lock.write().map(drop)),
    }
}

fn repeat(start: u64, ns: u64, mut pair: impl FnMut() -> Result<()>) -> Result<Pairs> {
    let (mut pairs, mut batch, mut checked) = (0, 1, start);
    loop {
        for _ in 0..batch {
            pair()?;
        }
        pairs += batch;
        let time = now();
        if time - start >= ns {
            return Ok(Pairs { pairs, ns: time - start });
        }
        if time - checked < BATCH {
            batch *= 2;
        }
        checked = time;
    }
}

pub fn mix<L: Lock>(lock: &L, Mix { read_share, body, ns, at }: &Mix) -> Result<Mixed> {
    let mut random = fastrand::Rng::new();
    let (mut reads, mut writes) = (Histogram::new(), Histogram::new());
    let start = begin(Some(*at));
    let mut called = now();
    while called - start < *ns {
        let (waits, held) = if random.f64() < *read_share {
            let _reading = lock.read()?;
            (&mut reads, stay(*body))
        } else {
            let _writing = lock.write()?;
            (&mut writes, stay(*body))
        };
        waits.add(held - called);
        called = now();
    }
    Ok(Mixed {
        reads: reads.count(),
        writes: writes.count(),
        ns: called - start,
        waits: Waits { read: reads.summary(), write: writes.summary() },
    })
}

pub fn handoffs<L: Lock>(lock: &L, times: usize, hold: u64, pause: u64) -> Result<Handoffs> {
    let mut holds = Vec::with_capacity(times);
    for _ in 0..times {
        let asked = now();
        let writing = lock.write()?;
        let start = stay(hold);
        holds.push((asked, start, now()));
        drop(writing);
        thread::sleep(Duration::from_nanos(pause)); // meanwhile the other process acquires it
    }
    Ok(Handoffs { holds })
}

/// Waits for the common start, if there is one.
fn begin(at: Option<u64>) -> u64 {
    match at {
        Some(at) => {
            sleep_until(at);
            at
        }
        None => now(),
    }
}

/// Stays in the hold for this many ns. Returns its start.
fn stay(ns: u64) -> u64 {
    let start = now();
    if ns > 0 {
        spin_until(start + ns);
    }
    start
}
