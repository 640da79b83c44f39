//! Windows has no `fork`, and Miri does not run it.

use std::fs::File;
use std::io;

use super::Substitute;

pub(crate) fn generation() -> u32 {
    0
}

pub(crate) fn watch() -> u32 {
    0
}

pub(crate) struct OpenFile(File);

impl OpenFile {
    pub fn open(mut open: impl FnMut() -> io::Result<File>) -> io::Result<Self> {
        open().map(Self)
    }

    pub fn file(&self) -> &File {
        &self.0
    }
}

pub(crate) struct Mapping;

impl Mapping {
    pub fn of(_base: *mut u8, _length: usize, _substitute: Substitute) -> Self {
        Self
    }

    #[allow(clippy::unused_self)] // same signature as on other systems
    pub fn is_forked(&self) -> bool {
        false
    }
}
