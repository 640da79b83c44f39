//! Drivers follow the protocol, and two drivers of one lock exclude each other.
//!
//! To check the drivers of other languages:
//!
//! ```text
//! DRIVER=".cache/bench/python/bin/python bench/drivers/driver.py" LOCKS="fasteners prwlock" \
//!     cargo test -p process-rwlock-bench --test drivers
//! ```

#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

const LOCKS: &str = "process-rwlock pthread pthread-prefer-writer raw_sync flock fcntl";
/// Time limit for an answer that needs no time itself.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Time in which a wait must not end.
const MOMENT: Duration = Duration::from_millis(50);
const MS: u64 = 1_000_000;

#[test]
fn writers_exclude_each_other_in_a_mix() {
    // Longer than a time slice, so that holds span a switch to another process.
    let body = 5 * MS;
    each_lock(|system, [one, other]| {
        let (mut reads, mut writes) = (0, 0);
        // A busy machine has so few holds in this time that all of them may be of one kind.
        for _ in 0..40 {
            let at = one.ask(json!({ "do": "ping" }))["now"].as_u64().unwrap() + 20 * MS;
            let mix = json!({ "do": "mix", "readShare": 0.3, "body": body, "ns": 300 * MS, "at": at });
            one.tell(&mix);
            other.tell(&mix);
            let found = [one.answer(), other.answer()];
            let sum = |what: &str| found.iter().map(|answer| answer[what].as_u64().unwrap()).sum::<u64>();
            let time = found.iter().map(|answer| answer["ns"].as_u64().unwrap()).max().unwrap();
            assert!(sum("writes") * body <= time, "{system}: more was written than fits into {time} ns: {found:?}");
            for answer in &found {
                for (waits, number) in [("read", "reads"), ("write", "writes")] {
                    let buckets = answer["waits"][waits]["buckets"].as_array().unwrap();
                    let counted: u64 = buckets.iter().map(|bucket| bucket[1].as_u64().unwrap()).sum();
                    assert_eq!(counted, answer[number].as_u64().unwrap(), "{system}: {answer}");
                }
            }
            (reads, writes) = (reads + sum("reads"), writes + sum("writes"));
            if reads > 0 && writes > 0 {
                break;
            }
        }
        assert!(reads > 0 && writes > 0, "{system}: {reads} reads, {writes} writes");
    });
}

#[test]
fn holds_of_two_processes_do_not_overlap() {
    for system in locks().chain(floors()) {
        let prefix = Prefix::new();
        let [one, other] = [Driver::new(&system, &prefix.0), Driver::new(&system, &prefix.0)];
        for driver in [&one, &other] {
            driver.tell(&json!({ "do": "handoff", "times": 50, "hold": MS / 10, "pause": 0 }));
        }
        let mut holds: Vec<[u64; 3]> = [one, other]
            .iter()
            .flat_map(|driver| serde_json::from_value::<Vec<_>>(driver.answer()["holds"].take()).unwrap())
            .collect();
        holds.sort_unstable_by_key(|&[_, start, _]| start);
        assert_eq!(holds.len(), 100, "{system}");
        assert!(
            holds.iter().all(|[asked, start, release]| asked <= start && release - start >= MS / 10),
            "{system}: {holds:?}"
        );
        assert!(holds.windows(2).all(|pair| pair[0][2] <= pair[1][1]), "{system}: {holds:?}");
    }
}

#[test]
fn readers_share_and_a_writer_waits_for_them() {
    each_lock(|system, [one, other]| {
        one.ask(json!({ "do": "hold", "mode": "read" }));
        other.ask(json!({ "do": "acquire", "mode": "read" }));
        other.tell(&json!({ "do": "acquire", "mode": "write" }));
        assert_eq!(other.answer_within(MOMENT), None, "{system}");
        let released = one.ask(json!({ "do": "release" }))["released"].as_u64();
        assert!(other.answer()["start"].as_u64() >= released, "{system}");
    });
}

#[test]
fn a_killed_driver_leaves_no_process() {
    each_lock(|system, [mut holder, mut waiter]| {
        holder.ask(json!({ "do": "hold", "mode": "write" }));
        waiter.tell(&json!({ "do": "acquire", "mode": "write" }));
        assert_eq!(waiter.answer_within(MOMENT), None, "{system}");
        for driver in [&mut waiter, &mut holder] {
            driver.process.kill().unwrap();
            // No process has its output open.
            assert_eq!(driver.answers.recv_timeout(ANSWER_TIMEOUT), Err(RecvTimeoutError::Disconnected), "{system}");
        }
    });
}

#[test]
fn two_prefixes_are_two_locks() {
    for system in locks() {
        let prefixes = [Prefix::new(), Prefix::new()];
        let [one, other] = [0, 1].map(|index| Driver::new(&system, &prefixes[index].0));
        one.ask(json!({ "do": "hold", "mode": "write" }));
        other.ask(json!({ "do": "acquire", "mode": "write" }));
    }
}

#[test]
fn pairs_take_the_requested_time() {
    each_lock(|system, [one, other]| {
        for mode in ["read", "write"] {
            let found = one.ask(json!({ "do": "pair", "mode": mode, "ns": 5 * MS }));
            assert!(found["pairs"].as_u64() > Some(0), "{system}: {found}");
            assert!(found["ns"].as_u64() >= Some(5 * MS), "{system}: {found}");
        }
        drop(other);
    });
}

#[test]
fn a_failed_command_is_answered_and_the_driver_continues() {
    each_lock(|system, [one, _]| {
        one.ask(json!({ "do": "hold", "mode": "write" }));
        for mistake in [
            json!({ "do": "nonsense" }),
            json!({ "do": "hold" }),
            json!({ "do": "acquire", "mode": "write" }),
            json!({ "do": "pair", "mode": "read", "ns": 1, "what": 1 }),
        ] {
            one.tell(&mistake);
            assert!(one.raw_answer()["error"].is_string(), "{system}: {mistake}");
        }
        one.ask(json!({ "do": "release" }));
        one.tell(&json!({ "do": "release" }));
        assert!(one.raw_answer()["error"].is_string(), "{system}");
        assert_eq!(one.ask(json!({ "do": "grow", "mb": 3 })), json!({ "grown": 3 }));
    });
}

fn locks() -> impl Iterator<Item = String> {
    let locks = env::var("LOCKS").unwrap_or(LOCKS.into());
    locks.split(' ').map(String::from).collect::<Vec<_>>().into_iter()
}

/// A floor that has handoffs, but is no lock.
fn floors() -> Option<String> {
    env::var_os("LOCKS").is_none().then(|| "futex".into())
}

fn each_lock(check: impl Fn(&str, [Driver; 2])) {
    for system in locks() {
        let prefix = Prefix::new();
        check(&system, [Driver::new(&system, &prefix.0), Driver::new(&system, &prefix.0)]);
    }
}

/// A prefix in its own directory, which is removed with it.
struct Prefix(PathBuf);

impl Prefix {
    fn new() -> Self {
        let number = fastrand::u64(..);
        let directory = env::temp_dir().join(format!("process-rwlock-bench-{}-{number}", process::id()));
        fs::create_dir(&directory).unwrap();
        Self(directory.join("lock"))
    }
}

impl Drop for Prefix {
    fn drop(&mut self) {
        fs::remove_dir_all(self.0.parent().unwrap()).unwrap();
    }
}

/// Killed when it is dropped.
struct Driver {
    process: process::Child,
    commands: process::ChildStdin,
    answers: Receiver<Value>,
}

impl Driver {
    fn new(system: &str, prefix: &Path) -> Self {
        let driver = env::var("DRIVER").unwrap_or(env!("CARGO_BIN_EXE_process-rwlock-bench").into());
        let mut command = driver.split(' ');
        let mut process = Command::new(command.next().unwrap())
            .args(command)
            .args([system.as_ref(), prefix])
            // Paths are relative to the workspace.
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let commands = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (said, answers) = channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = said.send(serde_json::from_str(&line).unwrap());
            }
        });
        let driver = Self { process, commands, answers };
        let ready = driver.answer();
        assert_eq!((&ready["ready"], &ready["system"]), (&json!(true), &json!(system)), "{ready}");
        assert!(ready["version"].as_str().is_some_and(|version| version.contains('.')), "{ready}");
        driver
    }

    fn tell(&self, command: &Value) {
        writeln!(&self.commands, "{command}").unwrap();
    }

    fn ask(&self, command: Value) -> Value {
        self.tell(&command);
        self.answer()
    }

    fn answer(&self) -> Value {
        let answer = self.raw_answer();
        assert_eq!(answer.get("error"), None);
        answer
    }

    /// Like `answer`, but accepts an error.
    fn raw_answer(&self) -> Value {
        self.answer_within(ANSWER_TIMEOUT).expect("an answer")
    }

    fn answer_within(&self, time: Duration) -> Option<Value> {
        self.answers.recv_timeout(time).ok()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
