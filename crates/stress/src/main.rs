//! The processes of the stress test that are written in Rust. `verify/stress/main.js` starts them.
//!
//! ```text
//! process-rwlock-stress work FOLDER LOCATION FAIRNESS PROCESS LIFE SEED   use the lock at random until the end of the round
//! process-rwlock-stress keep-lock FOLDER LOCATION CAPACITY LIMIT          make the lock, keep it, check it at the end
//! process-rwlock-stress check FOLDER                                      check the histories in FOLDER
//! ```
//!
//! LOCATION is `name:NAME` or `path:PATH`. FAIRNESS is in ms.

mod check;
mod lock_keeper;
mod work;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use process_rwlock::{OpenOptions, Result, RwLock};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |word: &str| word.parse::<u64>().expect("a number");
    match words[..] {
        ["work", folder, location, fairness, process, life, seed] => work::run(&work::Job {
            folder: PathBuf::from(folder),
            location: location.into(),
            fairness: std::time::Duration::from_millis(number(fairness)),
            process: number(process) as usize,
            life: number(life) as u32,
            seed: number(seed),
        }),
        ["keep-lock", folder, location, capacity, limit] => {
            return lock_keeper::run(Path::new(folder), location, number(capacity) as u32, number(limit) as u32);
        }
        ["check", folder] => return check::run(Path::new(folder)),
        _ => {
            eprintln!("unknown arguments; crates/stress/src/main.rs lists the commands");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn open(location: &str, options: &OpenOptions) -> Result<RwLock> {
    match location.split_once(':') {
        Some(("name", name)) => options.open(name),
        Some(("path", path)) => options.open_path(path),
        _ => panic!("a location begins with `name:` or `path:`: {location:?}"),
    }
}
