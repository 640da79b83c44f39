//! The processes of the kill storm that are written in Rust; see `storm/main.js`, which starts them.
//!
//! ```text
//! process-rwlock-storm work FOLDER PLACE FAIRNESS PROCESS LIFE SEED   use the lock at random until told to end, or killed
//! process-rwlock-storm keep FOLDER PLACE CAPACITY                     make the lock; look whether all is well in the end
//! process-rwlock-storm check FOLDER                                   check the histories in FOLDER
//! ```
//!
//! PLACE is `name:` or `path:` and what follows; FAIRNESS is in ms.

mod check;
mod keep;
mod work;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use process_rwlock::{OpenOptions, Result, RwLock};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |word: &str| word.parse::<u64>().expect("a number");
    match words[..] {
        ["work", folder, place, fairness, process, life, seed] => work::run(&work::Job {
            folder: PathBuf::from(folder),
            place: place.into(),
            fairness: std::time::Duration::from_millis(number(fairness)),
            process: number(process) as usize,
            life: number(life) as u32,
            seed: number(seed),
        }),
        ["keep", folder, place, capacity] => return keep::run(Path::new(folder), place, number(capacity) as u32),
        ["check", folder] => return check::run(Path::new(folder)),
        _ => {
            eprintln!("see the head of crates/storm/src/main.rs");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn open(place: &str, options: &OpenOptions) -> Result<RwLock> {
    match place.split_once(':') {
        Some(("name", name)) => options.open(name),
        Some(("path", path)) => options.open_path(path),
        _ => panic!("where is {place:?}?"),
    }
}
