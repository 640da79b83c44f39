//! Files that are being turned into locks. A crash or a power failure can happen at any moment;
//! this module recognizes what is left.

use std::fs::File;
use std::io::{self, Read, Seek};

use memmap2::MmapRaw;

use super::backing::Backing;
use super::layout::{MAGIC_UNFINISHED, bytes_of};
use super::location::LockLocation;
use super::lock_file::{LockFile, slot_byte};
use super::segment::{New, Segment};
use crate::error::{Error, ErrorKind, Result};
use crate::options::MAX_CAPACITY;
use crate::sys::files::{self, read_start, write_start};

/// An empty file, or one whose creator died before the lock was complete.
pub(super) fn is_unfinished(lock: &LockFile, location: &LockLocation) -> Result<bool> {
    Ok(location.metadata(lock.file())?.len() == 0 || is_begun(lock, location)?)
}

/// A file whose creator began to initialize it and died.
pub(super) fn is_begun(lock: &LockFile, location: &LockLocation) -> Result<bool> {
    let mut magic = [0; 8];
    crash_point!(read_magic);
    match read_start(lock.file(), &mut magic) {
        Ok(()) if magic == [0; 8] => is_zero_lock(lock.file()).map_err(|error| location.refused("read", "read", error)),
        Ok(()) => Ok(u64::from_le_bytes(magic) == MAGIC_UNFINISHED),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(location.refused("read", "read", error)),
    }
}

/// Whether the file consists of zeros only and has the size of a lock: a power failure before any
/// data was written back. The size of a lock is 64 bytes more than a multiple of 128, so this is not
/// a file of other data for which whole blocks were preallocated.
fn is_zero_lock(mut file: &File) -> io::Result<bool> {
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let (shortest, next) = (bytes_of(1), bytes_of(2));
    if length < shortest || length > bytes_of(MAX_CAPACITY) || !(length - shortest).is_multiple_of(next - shortest) {
        return Ok(false);
    }
    let mut bytes = Vec::with_capacity(length);
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes.iter().all(|&byte| byte == 0))
}

/// Creates a lock in an unfinished file, with a slot for the caller. The caller must hold the setup
/// byte.
pub(super) fn create(lock: LockFile, location: &LockLocation, new: New) -> Result<(Segment, usize)> {
    if lock.is_in_use().map_err(|error| location.refused("check", "fcntl", error))? {
        return Err(location.not_a_lock("it was emptied while processes had it open"));
    }
    claim(&lock, location)?;
    let bytes = bytes_of(new.capacity);
    match lay_out(lock.file(), bytes) {
        Ok(map) => Ok((Segment::create(Backing::File(map), lock, location.clone(), new), 0)),
        Err((syscall, error)) => {
            // An empty file is the initial state. An error here would hide the original error.
            let _ = lock.file().set_len(0);
            Err(location.no_room(bytes, syscall, error))
        }
    }
}

/// Creates a lock in a file that has no name yet, with a slot for the caller.
pub(super) fn create_unnamed(lock: LockFile, location: &LockLocation, new: New) -> Result<(Segment, usize)> {
    claim(&lock, location)?;
    let bytes = bytes_of(new.capacity);
    let laid_out = files::prepare(lock.file()).map_err(|error| ("ioctl", error));
    let map = laid_out.and_then(|()| reserve(lock.file(), bytes));
    let map = map.map_err(|(syscall, error)| location.no_room(bytes, syscall, error))?;
    Ok((Segment::create(Backing::File(map), lock, location.clone(), new), 0))
}

/// Takes the first slot.
fn claim(lock: &LockFile, location: &LockLocation) -> Result<()> {
    crash_point!(claim_file);
    if lock.try_lock(slot_byte(0)).map_err(|error| location.cannot_lock(error))? {
        Ok(())
    } else {
        Err(location.not_a_lock("it was emptied while processes had it open"))
    }
}

/// The marker is on disk before the space is allocated whose content it explains. (Zeros show the
/// same, but not every file system shows zeros for data that was not written back.) This costs some
/// milliseconds, once in the life of a lock.
fn lay_out(file: &File, bytes: usize) -> Result<MmapRaw, (&'static str, io::Error)> {
    let during = |syscall| move |error| (syscall, error);
    crash_point!(clear_file);
    file.set_len(0).map_err(during("ftruncate"))?; // of an unfinished one, so that what follows is zero
    files::prepare(file).map_err(during("ioctl"))?;
    crash_point!(mark_unfinished);
    write_start(file, &MAGIC_UNFINISHED.to_le_bytes()).map_err(during("write"))?;
    crash_point!(sync_mark);
    match file.sync_data() {
        Err(error) if error.kind() != io::ErrorKind::InvalidInput => return Err(("fdatasync", error)),
        _ => {} // (EINVAL for files that are never written back)
    }
    reserve(file, bytes)
}

fn reserve(file: &File, bytes: usize) -> Result<MmapRaw, (&'static str, io::Error)> {
    crash_point!(reserve_file);
    files::reserve(file, bytes).map_err(|error| ("fallocate", error))?;
    MmapRaw::map_raw(file).map_err(|error| ("mmap", error))
}

/// Before a file is initialized: sets the mode of a new lock, and refuses another user's file that
/// a symbolic link leads to.
pub(super) fn accept(lock: &LockFile, location: &LockLocation) -> Result<()> {
    let LockLocation::File { path } = location else { return Ok(()) };
    let target = files::own_target(path).map_err(|why| not_to_be_followed(location, why))?;
    if files::identity_at(&target).ok() != files::identity(lock.file()).ok() {
        return Err(Error::new(ErrorKind::Busy, format!("{location} changed while it was opened: open it again")));
    }
    let given = files::give_mode(lock.file());
    refuse_readers(lock, location).map_err(|refused| match given {
        Ok(()) => refused,
        Err(error) => location.mode_not_given(error),
    })
}

/// Refuses a file that some users can read but not write.
pub(super) fn refuse_readers(lock: &LockFile, location: &LockLocation) -> Result<()> {
    let mending = files::mending(lock.file()).map_err(|error| location.refused("check", "fstat", error))?;
    let (Some(mending), LockLocation::File { path }) = (mending, location) else { return Ok(()) };
    Err(Error::new(
        ErrorKind::Access,
        format!(
            "{location} can be read by users who may not write to it, and who could stop all others: run chmod {mending} {}",
            quoted(&path.to_string_lossy())
        ),
    ))
}

/// The path as an argument of a shell command.
fn quoted(path: &str) -> String {
    let is_plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+:@%,".contains(&byte));
    if is_plain { path.into() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

pub(super) fn not_to_be_followed(location: &LockLocation, why: io::Result<String>) -> Error {
    match why {
        Ok(why) => Error::new(ErrorKind::Access, format!("{location} {why}: use the path of the file itself")),
        Err(error) => location.refused("check", "lstat", error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_quoted_for_a_shell() {
        assert_eq!(quoted("/tmp/a-b_1.lock"), "/tmp/a-b_1.lock");
        assert_eq!(quoted("/tmp/it's $x"), r"'/tmp/it'\''s $x'");
    }
}
