use std::path::Path;

use process_rwlock::{OpenOptions, ReadGuard, RwLock, WriteGuard};

use super::{Lock, Result};

/// The lock of this repository.
pub struct ProcessRwLock(RwLock);

impl ProcessRwLock {
    pub fn with(prefix: &Path, options: &OpenOptions) -> Result<Self> {
        Ok(Self(options.open_path(prefix)?))
    }
}

impl Lock for ProcessRwLock {
    type Read<'a> = ReadGuard<'a>;
    type Write<'a> = WriteGuard<'a>;

    fn open(prefix: &Path) -> Result<Self> {
        Self::with(prefix, &OpenOptions::new())
    }

    fn version() -> String {
        env!("CARGO_PKG_VERSION").into() // the version of the workspace
    }

    fn read(&self) -> Result<ReadGuard<'_>> {
        Ok(self.0.read()?)
    }

    fn write(&self) -> Result<WriteGuard<'_>> {
        Ok(self.0.write()?)
    }
}
