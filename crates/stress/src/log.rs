//! A log: a file that is mapped, so that what was written is there whatever happens to its writer.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, Release};

use memmap2::MmapRaw;

use crate::record::{Record, WORDS};

/// The file has holes: what is not written takes no room.
const RECORDS: usize = 2_000_000;
const RECORD_BYTES: usize = WORDS * size_of::<u64>();

/// The log of one writer.
pub struct Log {
    map: MmapRaw,
    length: usize,
}

impl Log {
    /// A new log at `path`.
    ///
    /// # Errors
    /// If it exists, or cannot be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        file.set_len((RECORDS * RECORD_BYTES) as u64)?;
        Ok(Self { map: MmapRaw::map_raw(&file)?, length: 0 })
    }

    /// Adds a record. It is there when this returns, also if the process is killed then.
    pub fn add(&mut self, record: Record) {
        assert!(self.length < RECORDS, "the log is full: end the actor before, see is_nearly_full");
        let words = record.to_words();
        let start = self.map.as_mut_ptr().cast::<AtomicU64>().wrapping_add(self.length * WORDS);
        for (index, word) in words.into_iter().enumerate() {
            // SAFETY: within the mapping, by the assertion; mappings are aligned to pages.
            let target = unsafe { &*start.wrapping_add(index) };
            target.store(word, if index == WORDS - 1 { Release } else { Relaxed });
        }
        self.length += 1;
    }

    /// Time to begin another one.
    #[must_use]
    pub fn is_nearly_full(&self) -> bool {
        self.length > RECORDS - 10_000
    }
}

/// The records of the log at `path`.
///
/// # Errors
/// If it cannot be read.
pub fn read_log(path: &Path) -> io::Result<Vec<Record>> {
    let file = File::open(path)?;
    // SAFETY: no process shrinks the file; its writer has ended.
    let bytes = unsafe { memmap2::Mmap::map(&file) }?;
    let record = |bytes: &[u8]| {
        let mut words = [0; WORDS];
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = u64::from_ne_bytes(bytes.try_into().expect("eight bytes"));
        }
        Record::from_words(words)
    };
    Ok(bytes.chunks_exact(RECORD_BYTES).map_while(record).collect())
}
