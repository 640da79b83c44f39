use std::fs::OpenOptions;
use std::path::Path;

use memmap2::MmapRaw;

const WORDS: usize = 16;

/// Unprotected numbers that processes share: a process that enters without holding the lock leaves
/// traces here.
pub struct Page(MmapRaw);

impl Page {
    /// Maps the file at `path`, and creates it if it is missing.
    pub fn open(path: &Path) -> Self {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).unwrap();
        file.set_len((WORDS * size_of::<u64>()) as u64).unwrap();
        Self(MmapRaw::map_raw(&file).unwrap())
    }

    fn word(&self, index: usize) -> *mut u64 {
        assert!(index < WORDS);
        self.0.as_mut_ptr().cast::<u64>().wrapping_add(index)
    }

    pub fn get(&self, index: usize) -> u64 {
        // SAFETY: within the mapping, which is page-aligned. Volatile: another process may write it meanwhile, which is
        // the very thing that is tested for.
        unsafe { self.word(index).read_volatile() }
    }

    pub fn set(&self, index: usize, value: u64) {
        // SAFETY: as in `get`.
        unsafe { self.word(index).write_volatile(value) }
    }
}
