//! `crowd [--json] [--readers 1,10,100,1000,4000]`: the cost of many readers, for a refused `try_write` and for an inspection.
//!
//! All attachments belong to this process. A refused try sometimes checks the readers that block
//! it, so both its mean and its slowest time are printed.

use std::fs;
use std::path::Path;
use std::process;
use std::time::{Duration, Instant};

use process_rwlock::{Attachment, LockRef, MAX_CAPACITY, Options};
use serde_json::json;

use super::Result;
use super::statistics::median;

const READERS: [u32; 5] = [1, 10, 100, 1000, 4000];
/// Long compared with the tick of the coarse clock, at which a refused try checks.
const ROUND: Duration = Duration::from_millis(50);
const ROUNDS: usize = 9;

struct Row {
    readers: u32,
    attach: f64,
    refused: f64,
    worst: f64,
    inspect: f64,
}

pub fn main(options: &[&str]) -> Result<()> {
    let (mut as_json, mut numbers) = (false, READERS.to_vec());
    let mut options = options.iter();
    while let Some(&option) = options.next() {
        match option {
            "--json" => as_json = true,
            "--readers" => {
                let given = options.next().ok_or("--readers takes numbers")?;
                numbers = given.split(',').map(str::parse).collect::<std::result::Result<_, _>>()?;
            }
            _ => return Err(format!("there is no option {option}").into()),
        }
    }
    super::pairs::allow_descriptors();
    let rows = numbers.into_iter().map(measured).collect::<Result<Vec<_>>>()?;
    if as_json {
        let rows = rows.iter().map(|row| {
            json!({
                "size": row.readers,
                "attach": row.attach,
                "refused": row.refused,
                "worst": row.worst,
                "inspect": row.inspect,
            })
        });
        println!("{}", rows.collect::<serde_json::Value>());
    } else {
        println!("{:>8} {:>12} {:>14} {:>12} {:>12}  ns", "readers", "attach", "refused try", "slowest", "inspect");
        for row in rows {
            println!(
                "{:>8} {:>12.0} {:>14.0} {:>12.0} {:>12.0}",
                row.readers, row.attach, row.refused, row.worst, row.inspect
            );
        }
    }
    Ok(())
}

fn measured(readers: u32) -> Result<Row> {
    let path = Path::new("/dev/shm").join(format!("process-rwlock-crowd-{}", process::id()));
    let options = Options { capacity: Some(MAX_CAPACITY), ..Options::default() };
    let open = || Attachment::open(LockRef::Path(&path), &options);
    let writer = open()?;
    let start = Instant::now();
    let crowd = (0..readers).map(|_| open()).collect::<std::result::Result<Vec<_>, _>>();
    let attach = nanos(start) / f64::from(readers);
    fs::remove_file(&path)?;
    let crowd = crowd?;
    if !crowd.iter().all(Attachment::try_read) {
        return Err("a reader was refused".into());
    }
    let (mut means, mut worsts) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (start, mut tries, mut worst) = (Instant::now(), 0, 0.0_f64);
        while start.elapsed() < ROUND {
            let begun = Instant::now();
            if writer.try_write() {
                return Err("a writer was granted together with readers".into());
            }
            worst = worst.max(nanos(begun));
            tries += 1;
        }
        means.push(nanos(start) / f64::from(tries));
        worsts.push(worst);
    }
    let inspections = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        let holders = writer.inspect().holders.len();
        (nanos(start), holders)
    });
    let inspections: Vec<_> = inspections.collect();
    if inspections.iter().any(|&(_, holders)| holders != readers as usize) {
        return Err("not all readers were seen".into());
    }
    let inspect = median(inspections.into_iter().map(|(time, _)| time).collect());
    Ok(Row { readers, attach, refused: median(means), worst: median(worsts), inspect })
}

fn nanos(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e9
}
