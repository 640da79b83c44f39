//! The recorder and the killer of the stress test, for its Node processes. Modes, ways and outcomes
//! are the numbers of `process_rwlock_stress`.

#![allow(missing_docs)] // each calls the Rust function of the same name

use std::path::Path;

use napi::bindgen_prelude::{BigInt, Result, Uint8Array};
use napi_derive::napi;
use process_rwlock_stress::{CANARY_STEPS, Died, Killer, Mode, Outcome, Recorder, THREADS, Way};

fn known<T>(what: Option<T>) -> Result<T> {
    what.ok_or_else(|| napi::Error::from_reason("a number that stands for nothing"))
}

fn mode(number: u32) -> Result<Mode> {
    known(Mode::from_number(number.into()))
}

fn way(number: u32) -> Result<Way> {
    known(Way::from_number(number.into()))
}

/// An `ownerDied` from JavaScript.
#[napi(object)]
pub struct OwnerDied {
    pub pid: u32,
    pub token: BigInt,
}

fn died(died: Option<OwnerDied>) -> Option<Died> {
    died.map(|died| Died { pid: died.pid, token: number(&died.token) })
}

/// A change of the lock's value that is about to begin.
#[napi(object)]
pub struct ValueChange {
    pub op: u32,
    pub value: Option<Uint8Array>,
}

fn number(value: &BigInt) -> u64 {
    value.get_u64().1
}

#[napi]
pub struct StressRecorder(Recorder);

#[napi]
impl StressRecorder {
    #[napi(constructor)]
    pub fn new(folder: String, process: u32, life: u32, thread: u32) -> Result<Self> {
        Ok(Self(Recorder::new(Path::new(&folder), process as usize, life, thread as usize)?))
    }

    #[napi]
    pub fn acquire(&mut self, mode_number: u32, way_number: u32) -> Result<u32> {
        Ok(self.0.acquire(mode(mode_number)?, way(way_number)?))
    }

    #[napi]
    pub fn upgrade(&mut self, hold: u32, way_number: u32) -> Result<u32> {
        Ok(self.0.upgrade(hold, way(way_number)?))
    }

    #[napi]
    pub fn notice(&mut self, hold: u32, mode_number: u32) -> Result<u32> {
        Ok(self.0.notice(hold, mode(mode_number)?))
    }

    #[napi]
    pub fn denied(&mut self, op: u32, outcome: u32) -> Result<()> {
        self.0.denied(op, known(Outcome::from_number(outcome.into()))?);
        Ok(())
    }

    #[napi]
    pub fn granted(&mut self, op: u32, mode_number: u32, token: BigInt, owner_died: Option<OwnerDied>) -> Result<()> {
        self.0.granted(op, mode(mode_number)?, number(&token), died(owner_died));
        Ok(())
    }

    #[napi]
    pub fn upgraded(&mut self, op: u32, from: u32, token: BigInt, owner_died: Option<OwnerDied>) -> Result<()> {
        self.0.upgraded(op, mode(from)?, number(&token), died(owner_died));
        Ok(())
    }

    #[napi]
    pub fn downgrade(&mut self, hold: u32, from: u32, to: u32) -> Result<u32> {
        Ok(self.0.downgrade(hold, mode(from)?, mode(to)?))
    }

    #[napi]
    pub fn stays_upgradable(&mut self, op: u32) {
        self.0.stays_upgradable(op);
    }

    #[napi]
    pub fn release(&mut self, hold: u32, mode_number: u32, way_number: u32) -> Result<u32> {
        Ok(self.0.release(hold, mode(mode_number)?, way(way_number)?))
    }

    #[napi]
    pub fn set_value(&mut self, hold: u32, none: bool) -> ValueChange {
        let (op, value) = self.0.set_value(hold, none);
        ValueChange { op, value: value.map(Into::into) }
    }

    #[napi]
    pub fn look(&mut self) -> u32 {
        self.0.look()
    }

    #[napi]
    pub fn saw(&mut self, op: u32, value: Option<Uint8Array>) {
        self.0.saw(op, value.as_deref());
    }

    #[napi]
    pub fn done(&mut self, op: u32) {
        self.0.done(op);
    }

    #[napi]
    pub fn canary(&self) -> Vec<BigInt> {
        self.0.canary().map(BigInt::from).into()
    }

    #[napi]
    pub fn check_canary(&self, canary: Vec<BigInt>) {
        let mut words = [0; CANARY_STEPS];
        for (word, value) in words.iter_mut().zip(&canary) {
            *word = number(value);
        }
        self.0.check_canary(words);
    }

    #[napi]
    pub fn write_canary(&self, step: u32, token: BigInt) {
        self.0.write_canary(step as usize, number(&token));
    }

    #[napi(getter)]
    pub fn steps(&self) -> u32 {
        CANARY_STEPS as u32
    }

    #[napi]
    pub fn ends(&mut self) {
        self.0.ends();
    }

    #[napi]
    pub fn terminates(&mut self) {
        self.0.terminates();
    }

    #[napi]
    pub fn terminated(&mut self) {
        self.0.terminated();
    }

    #[napi]
    pub fn violation(&self, text: String) {
        self.0.violation(&text);
    }

    #[napi(getter)]
    pub fn is_over(&self) -> bool {
        self.0.is_over()
    }

    #[napi(getter)]
    pub fn limit(&self) -> u32 {
        self.0.page().limit()
    }

    #[napi(getter)]
    pub fn is_calm(&self) -> bool {
        self.0.page().is_calm()
    }
}

/// A pending wait.
#[napi(object)]
pub struct StressWait {
    pub process: u32,
    pub since: BigInt,
}

#[napi]
pub struct StressKiller(Option<Killer>);

impl StressKiller {
    fn open(&self) -> Result<&Killer> {
        self.0.as_ref().ok_or_else(|| napi::Error::from_reason("it is closed"))
    }

    fn open_mut(&mut self) -> Result<&mut Killer> {
        self.0.as_mut().ok_or_else(|| napi::Error::from_reason("it is closed"))
    }
}

#[napi]
impl StressKiller {
    /// `fairness` in ms; `limit` on read holds, or 0.
    #[napi(constructor)]
    pub fn new(folder: String, fairness: u32, limit: u32) -> Result<Self> {
        Ok(Self(Some(Killer::new(Path::new(&folder), u64::from(fairness) * 1_000_000, limit)?)))
    }

    #[napi]
    pub fn kill(&mut self, process: u32, life: u32, pid: u32) -> Result<()> {
        Ok(self.open_mut()?.kill(process as usize, life, pid)?)
    }

    #[napi]
    pub fn stop(&mut self, process: u32, life: u32, pid: u32) -> Result<()> {
        Ok(self.open_mut()?.stop(process as usize, life, pid)?)
    }

    #[napi]
    pub fn resume(&mut self, process: u32, life: u32, pid: u32) -> Result<()> {
        Ok(self.open_mut()?.resume(process as usize, life, pid)?)
    }

    #[napi]
    pub fn ended(&mut self, process: u32, life: u32) -> Result<()> {
        self.open_mut()?.ended(process as usize, life);
        Ok(())
    }

    /// Tells every process to end.
    #[napi]
    pub fn end_all(&self) -> Result<()> {
        self.open()?.page().stop();
        Ok(())
    }

    #[napi(setter)]
    pub fn set_calm(&self, calm: bool) -> Result<()> {
        self.open()?.page().set_calm(calm);
        Ok(())
    }

    #[napi(setter)]
    pub fn set_bargers(&self, processes: u32) -> Result<()> {
        self.open()?.page().set_bargers(processes);
        Ok(())
    }

    #[napi(getter)]
    pub fn is_failed(&self) -> Result<bool> {
        Ok(self.open()?.page().is_failed())
    }

    #[napi]
    pub fn inside_exclusively(&self) -> Result<Option<u32>> {
        Ok(self.open()?.page().inside_exclusively().map(|process| process as u32))
    }

    #[napi]
    pub fn waits(&self) -> Result<Vec<StressWait>> {
        let wait = |(actor, since): (usize, u64)| StressWait { process: (actor / THREADS) as u32, since: since.into() };
        Ok(self.open()?.page().waits().into_iter().map(wait).collect())
    }

    /// Closes the files of the folder, so that they can be removed.
    #[napi]
    pub fn close(&mut self) {
        self.0 = None;
    }
}
