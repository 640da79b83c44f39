//! Locks found by path: the file itself is mapped, and it stays the user's.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

use memmap2::MmapRaw;

use super::{Backing, Place, SETUP_PATIENCE, Segment, enter_setup, fence, no_such_file, not_a_lock};
use crate::attachment::Identity;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::{DEFAULT_CAPACITY, MAGIC_UNFINISHED, bytes_of};
use crate::liveness::LockFile;

/// Opens the lock at `path`, making it if the file is missing or empty. Returns with the setup byte held.
pub(crate) fn open(path: &Path, capacity: Option<u32>) -> Result<Segment> {
    let place = Place::File { path: path.to_path_buf() };
    loop {
        let lock = open_lock(path, &place, true)?.expect("it is made if missing");
        enter_setup(&lock, &place, SETUP_PATIENCE)?;
        if !is_at(&lock, path, &place)? {
            continue; // removed while we waited for it
        }
        if is_unfinished(&lock, &place)? {
            return create(lock, place, capacity.unwrap_or(DEFAULT_CAPACITY));
        }
        let segment = map(lock, place)?;
        segment.check_capacity(capacity)?;
        return Ok(segment);
    }
}

/// Opens the lock at `path` if there is one. Returns with the setup byte held.
pub(crate) fn find(path: &Path) -> Result<Option<Segment>> {
    let place = Place::File { path: path.to_path_buf() };
    let Some(lock) = open_lock(path, &place, false)? else { return Ok(None) };
    enter_setup(&lock, &place, SETUP_PATIENCE)?;
    if !is_at(&lock, path, &place)? {
        return Ok(None);
    }
    if is_begun(&lock, &place)? {
        return create(lock, place, DEFAULT_CAPACITY).map(Some); // what its maker began, and died
    }
    map(lock, place).map(Some)
}

/// Removes the file of a lock that nobody else has open. The setup byte must be held.
pub(crate) fn remove(segment: &Segment, path: &Path) -> io::Result<()> {
    fence::note(segment.gate().fence.load(Relaxed));
    step!(remove_file);
    fs::remove_file(path)
}

fn open_lock(path: &Path, place: &Place, create: bool) -> Result<Option<LockFile>> {
    let irregular = || not_a_lock(place, "it is not a regular file");
    let cannot = |error: io::Error| match error.raw_os_error() {
        Some(libc::EISDIR | libc::ENXIO) => irregular(),
        _ => Error::access(format!("cannot open {place}"), error),
    };
    let mut options = OpenOptions::new();
    // O_NONBLOCK: a pipe at this path must give an error, not block.
    options.read(true).write(true).mode(0o666).custom_flags(libc::O_NONBLOCK);
    // An existing file is opened without O_CREAT, which Linux refuses for another user's file in a folder like /tmp
    // (fs.protected_regular, proc_sys_fs(5)).
    step!(open_file);
    let mut opened = no_such_file(options.open(path)).map_err(cannot)?;
    if opened.is_none() && create {
        step!(make_file);
        opened = match options.create(true).open(path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::access(format!("cannot make {place}: its folder does not exist"), error));
            }
            Err(error) => return Err(Error::access(format!("cannot make {place}"), error)),
        };
    }
    let Some(file) = opened else { return Ok(None) };
    let metadata = metadata(&file, place)?;
    if !metadata.is_file() {
        return Err(irregular());
    }
    refuse_network(&file, place)?;
    Ok(Some(LockFile::new(file)))
}

pub(crate) fn metadata(file: &File, place: &Place) -> Result<fs::Metadata> {
    file.metadata().map_err(|error| Error::access(format!("cannot look at {place}"), error))
}

/// What tells this file from every other on the machine.
pub(crate) fn identity(metadata: &fs::Metadata) -> Identity {
    Identity::File(metadata.dev(), metadata.ino())
}

/// Whether `lock` is still the file that `path` leads to.
pub(super) fn is_at(lock: &LockFile, path: &Path, place: &Place) -> Result<bool> {
    let Some(there) =
        no_such_file(fs::metadata(path)).map_err(|error| Error::access(format!("cannot look at {place}"), error))?
    else {
        return Ok(false);
    };
    Ok(identity(&metadata(lock.file(), place)?) == identity(&there))
}

/// An empty file, or one whose maker died before it was a lock.
fn is_unfinished(lock: &LockFile, place: &Place) -> Result<bool> {
    Ok(metadata(lock.file(), place)?.len() == 0 || is_begun(lock, place)?)
}

fn is_begun(lock: &LockFile, place: &Place) -> Result<bool> {
    let mut magic = [0; 8];
    step!(read_magic);
    match lock.file().read_exact_at(&mut magic, 0) {
        Ok(()) => Ok(u64::from_le_bytes(magic) == MAGIC_UNFINISHED),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(Error::access(format!("cannot read {place}"), error)),
    }
}

/// Makes a lock of an unfinished file.
fn create(lock: LockFile, place: Place, capacity: u32) -> Result<Segment> {
    if lock.is_in_use().map_err(|error| Error::access(format!("cannot look at {place}"), error))? {
        return Err(not_a_lock(&place, "it was emptied while processes had it open"));
    }
    let file = lock.file();
    let laid_out = (|| {
        step!(clear_file);
        file.set_len(0)?; // of an unfinished one, so that what follows is zero
        step!(mark_unfinished);
        file.write_all_at(&MAGIC_UNFINISHED.to_le_bytes(), 0)?;
        step!(reserve_file);
        reserve(file, bytes_of(capacity))?;
        MmapRaw::map_raw(file)
    })();
    match laid_out {
        Ok(map) => Ok(Segment::create(Backing::File(map), lock, place, capacity, fence::seed())),
        Err(error) => {
            // The empty file is where we began; an error here would hide the one that matters.
            let _ = file.set_len(0);
            Err(Error::access(format!("cannot make {place} of {} bytes", bytes_of(capacity)), error))
        }
    }
}

fn map(lock: LockFile, place: Place) -> Result<Segment> {
    let length = metadata(lock.file(), &place)?.len();
    if length == 0 {
        return Err(not_a_lock(&place, "the file is empty"));
    }
    step!(map_file);
    let map = MmapRaw::map_raw(lock.file()).map_err(|error| Error::access(format!("cannot map {place}"), error))?;
    Segment::existing(Backing::File(map), lock, place).map_err(|(error, _)| error)
}

/// Gives `file` its length and its pages, so that a full disk is an error now and not a signal later.
pub(super) fn reserve(file: &File, bytes: usize) -> io::Result<()> {
    // SAFETY: takes a descriptor and two numbers.
    match unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, bytes as libc::off_t) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// Memory mapped from a network file system is not shared between machines, and its byte locks may not be the kernel's.
fn refuse_network(file: &File, place: &Place) -> Result<()> {
    // SAFETY: `statfs` is plain old data; all zero is a valid value of it.
    let mut about: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: the descriptor is open and `about` is valid for writes.
    if unsafe { libc::fstatfs(file.as_raw_fd(), &raw mut about) } == -1 {
        return Err(Error::access(format!("cannot look at {place}"), io::Error::last_os_error()));
    }
    match network_file_system(about.f_type as u32) {
        None => Ok(()),
        Some(system) => Err(Error::new(
            ErrorKind::Access,
            format!(
                "{place} lies on a network file system ({system}): processes on other machines would not see the lock; put it on a local disk"
            ),
        )),
    }
}

/// The name of a file system that other machines may share. Magic numbers: statfs(2) and the kernel's `linux/magic.h`.
fn network_file_system(magic: u32) -> Option<&'static str> {
    Some(match magic {
        0x6969 => "nfs",
        0x517b => "smb",
        0xff53_4d42 => "cifs",
        0xfe53_4d42 => "smb2",
        0x5346_414f | 0x6b41_4653 => "afs",
        0x7375_7245 => "coda",
        0x564c => "ncp",
        0x00c3_6400 => "ceph",
        0x0bd0_0bd0 => "lustre",
        0x0116_1970 => "gfs2",
        0x7461_636f => "ocfs2",
        0x0102_1997 => "9p",
        0x6573_5546 => "fuse",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_told_from_local_ones() {
        assert_eq!(network_file_system(0x6969), Some("nfs"));
        assert_eq!(network_file_system(0xff53_4d42), Some("cifs"));
        for local in [
            0xef53,      /* ext4 */
            0x5846_5342, /* xfs */
            0x9123_683e, /* btrfs */
            0x0102_1994, /* tmpfs */
            0x794c_7630, /* overlay */
        ] {
            assert_eq!(network_file_system(local), None);
        }
    }
}
