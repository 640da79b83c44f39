//! Shared memory for the locks that need it.

use std::fs::File;
use std::path::Path;

use memmap2::MmapRaw;

use super::Result;

const PAGE: u64 = 4096;

/// Maps the page in the file at `path`. The first process initialises it from zero; the others wait
/// meanwhile.
pub fn page(path: &Path, initialise: impl FnOnce(*mut u8) -> Result<()>) -> Result<MmapRaw> {
    let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
    file.lock()?;
    let is_new = file.metadata()?.len() == 0;
    file.set_len(PAGE)?;
    let page = MmapRaw::map_raw(&file)?;
    if is_new {
        initialise(page.as_mut_ptr())?;
    }
    file.unlock()?; // closing is not enough while the file is mapped
    Ok(page)
}
