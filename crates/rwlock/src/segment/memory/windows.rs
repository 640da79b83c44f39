//! A file of the lock files' directory, mapped.
//!
//! Not the `shared_memory` crate, whose memory is a file on Windows too, but one in `%TEMP%`: with another `%TEMP%` the same id
//! leads elsewhere, and where that cannot be written to there is no memory at all.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::path::PathBuf;

use memmap2::MmapRaw;
use windows_sys::Win32::Storage::FileSystem::{DELETE, FILE_ATTRIBUTE_TEMPORARY, FILE_FLAG_DELETE_ON_CLOSE};

use super::Unusable;
use crate::segment::directory::{self, MEMORY};
use crate::segment::{Backing, disk};

pub(crate) fn id_prefix() -> String {
    "memory-".into()
}

fn path_of(id: &str) -> PathBuf {
    directory::path().join(MEMORY).join(id)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    // Not to be written to the disk as long as there is room for it in memory.
    options.read(true).write(true).attributes(FILE_ATTRIBUTE_TEMPORARY);
    options
}

/// Maps the memory `id`.
pub(crate) fn open(id: &str) -> Result<Backing, Unusable> {
    let opened = disk::patiently(|| options().open(path_of(id)).map_err(disk::gone));
    let file = opened.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Unusable::Gone,
        _ => Unusable::Refused("open", error),
    })?;
    if file.metadata().map_err(|error| Unusable::Refused("fstat", error))?.len() == 0 {
        return Err(Unusable::Empty);
    }
    map(&file).map_err(|error| Unusable::Refused("mmap", error))
}

/// Makes the memory `id`, all zero, with all its pages: a full disk is an error now and not one of a later access. An error comes
/// with the call that failed.
pub(crate) fn create(id: &str, bytes: usize) -> Result<Backing, (&'static str, io::Error)> {
    let made = (|| {
        step!(create_memory);
        let file = options().create_new(true).open(path_of(id)).map_err(|error| ("open", error))?;
        step!(reserve_memory);
        disk::reserve(&file, bytes).map_err(|error| ("ftruncate", error))?;
        map(&file).map_err(|error| ("mmap", error))
    })();
    made.inspect_err(|_| unlink(id))
}

fn map(file: &File) -> io::Result<Backing> {
    MmapRaw::map_raw(file).map(Backing::File)
}

pub(crate) fn unlink(id: &str) {
    // What is mapped cannot be removed, but be told to go with its last handle. What cannot be removed either way goes
    // after the next start of the system.
    if fs::remove_file(path_of(id)).is_err() {
        let _ = OpenOptions::new().access_mode(DELETE).custom_flags(FILE_FLAG_DELETE_ON_CLOSE).open(path_of(id));
    }
}
