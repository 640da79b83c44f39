//! The commands of drivers in all languages, one line of JSON each; see
//! `bench/drivers/protocol.md`.

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "lowercase", deny_unknown_fields)]
pub enum Command {
    /// Acquires and releases the lock for about `ns`, from the time `at` on:
    /// `{"pairs":n,"ns":elapsed}`.
    Pair { mode: Mode, ns: u64, at: Option<u64> },
    /// Reads and writes at random, without a pause, until `ns` after `at`:
    /// `{"reads":n,"writes":n,"ns":elapsed,"waits":{"read":H,"write":H}}` with H = `{"buckets":[[index,count],…],"max":ns}`,
    /// where index = floor(8 log2(ns + 1)).
    Mix(Mix),
    /// Writes `times` times, for `hold` ns each, with a pause of `pause` ns after each:
    /// `{"holds":[[asked,start,released],…]}`.
    Handoff { times: usize, hold: u64, pause: u64 },
    /// Acquires the lock and holds it: `{"start":ns}`.
    Hold { mode: Mode },
    /// Ends the hold: `{"released":ns}`.
    Release,
    /// Acquires the lock and releases it: `{"start":ns}`.
    Acquire { mode: Mode },
    /// Opens the lock `times` more times, and keeps it open: `{"attached":times}`.
    Attach { times: usize },
    /// Allocates memory and keeps it: `{"grown":mb}`.
    Grow { mb: usize },
    /// `{"now":ns}`.
    Ping,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Read,
    Write,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mix {
    /// The share of reads: 0 to 1.
    pub read_share: f64,
    /// The duration of each hold, in ns.
    pub body: u64,
    pub ns: u64,
    pub at: u64,
}
