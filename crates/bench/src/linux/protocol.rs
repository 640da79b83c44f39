//! What drivers are told, a line of JSON each. The drivers of other languages understand the same.

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "lowercase", deny_unknown_fields)]
pub enum Command {
    /// Takes and releases the lock for about `ns`, from the time `at` on: `{"pairs":n,"ns":elapsed}`.
    Pair { mode: Mode, ns: u64, at: Option<u64> },
    /// Reads and writes by lot, without a pause, until `ns` after `at`:
    /// `{"reads":n,"writes":n,"ns":elapsed,"waits":{"read":H,"write":H}}` with H = `{"buckets":[[index,count],…],"max":ns}`,
    /// where index = floor(8 log2(ns + 1)).
    Mix(Mix),
    /// Writes `times`, for `hold` ns each, and stays away for `pause` ns after each: `{"holds":[[asked,start,released],…]}`.
    Handoff { times: usize, hold: u64, pause: u64 },
    /// Takes the lock and keeps it: `{"start":ns}`.
    Hold { mode: Mode },
    /// Ends that: `{"released":ns}`.
    Release,
    /// Takes the lock and releases it: `{"start":ns}`.
    Acquire { mode: Mode },
    /// Opens the lock that much more often, and keeps it open: `{"attached":times}`.
    Attach { times: usize },
    /// Takes memory and keeps it: `{"grown":mb}`.
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
    /// Of all acquisitions, how many are for reading: 0 to 1.
    pub read_share: f64,
    /// How long each holds the lock, in ns.
    pub body: u64,
    pub ns: u64,
    pub at: u64,
}
