mod clock;
mod crowd;
mod driver;
mod histogram;
mod pairs;
pub mod protocol;
mod statistics;
mod systems;
mod workloads;

use std::env;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

pub fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let end = match arguments[..] {
        ["pairs", ref options @ ..] => pairs::main(options),
        ["crowd", ref options @ ..] => crowd::main(options),
        [system, prefix] => driver::main(system, Path::new(prefix)),
        _ => {
            Err("usage: process-rwlock-bench <system> <path-prefix>, or process-rwlock-bench pairs|crowd [options]"
                .into())
        }
    };
    match end {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
