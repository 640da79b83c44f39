//! A process that uses one lock as it is commanded.

use std::io::{self, BufRead, Write};
use std::path::Path;

use serde_json::{Value, json};

use super::clock::now;
use super::protocol::{Command, Mode};
use super::systems::{Fcntl, Flock, Futex, Lock, Nothing, PreferReader, PreferWriter, ProcessRwLock, Pthread, RawSync};
use super::{Result, workloads};

pub fn main(system: &str, prefix: &Path) -> Result<()> {
    // The benchmark may be killed while this process waits for a lock that is never released.
    // SAFETY: the arguments are numbers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    match system {
        "process-rwlock" => serve::<ProcessRwLock>(system, prefix),
        "pthread" => serve::<Pthread<PreferReader>>(system, prefix),
        "pthread-prefer-writer" => serve::<Pthread<PreferWriter>>(system, prefix),
        "raw_sync" => serve::<RawSync>(system, prefix),
        "flock" => serve::<Flock>(system, prefix),
        "fcntl" => serve::<Fcntl>(system, prefix),
        "nothing" => serve::<Nothing>(system, prefix),
        "futex" => serve::<Futex>(system, prefix),
        _ => Err(format!("there is no system {system:?}").into()),
    }
}

fn serve<L: Lock>(system: &str, prefix: &Path) -> Result<()> {
    let lock = L::open(prefix)?;
    let mut driver = Driver { lock: &lock, prefix, hold: None, attached: Vec::new(), memory: Vec::new() };
    say(&json!({ "ready": true, "system": system, "version": L::version() }))?;
    for line in io::stdin().lock().lines() {
        let answer = driver.carry_out(&line?).unwrap_or_else(|error| json!({ "error": error.to_string() }));
        say(&answer)?;
    }
    Ok(())
}

fn say(answer: &Value) -> Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{answer}")?;
    Ok(output.flush()?)
}

struct Driver<'a, L: Lock> {
    lock: &'a L,
    prefix: &'a Path,
    hold: Option<Hold<'a, L>>,
    attached: Vec<L>,
    memory: Vec<Vec<u8>>,
}

/// A hold, until it is dropped.
enum Hold<'a, L: Lock + 'a> {
    Read { _guard: L::Read<'a> },
    Write { _guard: L::Write<'a> },
}

impl<'a, L: Lock> Driver<'a, L> {
    fn carry_out(&mut self, command: &str) -> Result<Value> {
        Ok(match serde_json::from_str(command)? {
            Command::Pair { mode, ns, at } => serde_json::to_value(workloads::pairs(self.free()?, mode, ns, at)?)?,
            Command::Mix(mix) => serde_json::to_value(workloads::mix(self.free()?, &mix)?)?,
            Command::Handoff { times, hold, pause } => {
                serde_json::to_value(workloads::handoffs(self.free()?, times, hold, pause)?)?
            }
            Command::Hold { mode } => {
                let (hold, start) = self.acquire(mode)?;
                self.hold = Some(hold);
                json!({ "start": start })
            }
            Command::Release => {
                let hold = self.hold.take().ok_or("nothing is held")?;
                let released = now();
                drop(hold);
                json!({ "released": released })
            }
            Command::Acquire { mode } => {
                let (_hold, start) = self.acquire(mode)?;
                json!({ "start": start })
            }
            Command::Attach { times } => {
                for _ in 0..times {
                    self.attached.push(L::open(self.prefix)?);
                }
                json!({ "attached": times })
            }
            Command::Grow { mb } => {
                self.memory.push(vec![1; mb << 20]); // not zero: the kernel allocates zeroed pages only when they are written
                json!({ "grown": mb })
            }
            Command::Ping => json!({ "now": now() }),
        })
    }

    fn acquire(&self, mode: Mode) -> Result<(Hold<'a, L>, u64)> {
        let lock = self.free()?;
        let hold = match mode {
            Mode::Read => Hold::Read { _guard: lock.read()? },
            Mode::Write => Hold::Write { _guard: lock.write()? },
        };
        Ok((hold, now()))
    }

    /// The lock, unless this process holds it: most locks would block on themselves.
    fn free(&self) -> Result<&'a L> {
        if self.hold.is_some() { Err("this driver holds the lock already".into()) } else { Ok(self.lock) }
    }
}
