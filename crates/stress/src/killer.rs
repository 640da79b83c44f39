//! What the driver does to processes, with a log of it.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::log::Log;
use crate::oracle_page::OraclePage;
use crate::record::{Kind, Record};
use crate::system::{self, has_byte};

/// How long the kernel may take to free what a killed process had.
const DEATH_BOUND: u64 = 10_000_000_000;

/// Kills and stops.
pub struct Killer {
    page: OraclePage,
    file: File,
    log: Log,
}

impl Killer {
    /// The killer of the stress test in `folder`, whose lock has this fairness in ns, and so many read holds at most (0: no
    /// limit).
    ///
    /// # Errors
    /// If the page or the log cannot be made.
    pub fn new(folder: &Path, fairness: u64, limit: u32) -> io::Result<Self> {
        let page = OraclePage::open(folder)?;
        page.set_limit(limit);
        let file = File::options().read(true).write(true).open(folder.join("oracle-page"))?;
        let mut log = Log::create(&folder.join("killer.log"))?;
        let mut begin = Record::new(Kind::Begin, crate::now());
        (begin.token, begin.op) = (fairness, limit);
        log.add(begin);
        Ok(Self { page, file, log })
    }

    /// The page.
    #[must_use]
    pub fn page(&self) -> &OraclePage {
        &self.page
    }

    fn note(&mut self, kind: Kind, process: usize, life: u32) {
        let mut record = Record::new(kind, crate::now());
        (record.op, record.hold) = (process as u32, life);
        self.log.add(record);
    }

    /// Kills a process that has not been waited for, and returns when the kernel has freed what it had open.
    pub fn kill(&mut self, process: usize, life: u32, pid: u32) -> io::Result<()> {
        self.note(Kind::Kill, process, life);
        system::kill(pid)?;
        let start = crate::now();
        // In small steps, so that the time is exact.
        while has_byte(&self.file, process)? {
            if crate::now() - start > DEATH_BOUND {
                return Err(io::Error::other(format!("process {pid} was killed, and lives on")));
            }
            std::thread::sleep(std::time::Duration::from_micros(20));
        }
        self.note(Kind::Dead, process, life);
        Ok(())
    }

    /// Stops a process that has not been waited for.
    pub fn stop(&mut self, process: usize, life: u32, pid: u32) -> io::Result<()> {
        self.note(Kind::Stop, process, life);
        system::stop(pid)
    }

    /// Lets it go on.
    pub fn resume(&mut self, process: usize, life: u32, pid: u32) -> io::Result<()> {
        system::resume(pid)?;
        self.note(Kind::Continue, process, life);
        Ok(())
    }

    /// A process has ended, and was waited for.
    pub fn ended(&mut self, process: usize, life: u32) {
        self.note(Kind::Dead, process, life);
        self.page.clear_process(process);
    }
}
