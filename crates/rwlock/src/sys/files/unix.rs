//! Linux and macOS.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::{FileId, Unfit};

/// For a file in a directory that no other user can access.
pub(crate) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    options
}

/// For an existing file that other users may use too. `O_NONBLOCK`: opening a pipe must return an
/// error instead of blocking.
pub(crate) fn shared() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(libc::O_NONBLOCK);
    options
}

/// Creates a file without a name in `folder`. [`link`] gives it a name when it is complete. `None`
/// if the file system does not support this.
#[cfg(target_os = "linux")]
pub(crate) fn unnamed(folder: &Path) -> io::Result<Option<File>> {
    // The mode is that of `make` until `give_mode` completes it; no other process can open the file
    // before it has a name.
    match shared().mode(0o622).custom_flags(libc::O_TMPFILE).open(folder) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EISDIR | libc::EINVAL)) => Ok(None),
        file => file.map(Some),
    }
}

#[cfg(target_os = "macos")]
pub(crate) fn unnamed(_folder: &Path) -> io::Result<Option<File>> {
    Ok(None)
}

/// Gives an unnamed file its name. `AlreadyExists`: the name is in use.
///
/// Source: open(2), `O_TMPFILE`; linkat(2), `AT_EMPTY_PATH`, which works without `/proc`, but needs
/// a privilege before Linux 6.10.
#[cfg(target_os = "linux")]
pub(crate) fn link(file: &File, path: &Path) -> io::Result<()> {
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt;

    let to = CString::new(path.as_os_str().as_bytes())?;
    let link = |from: &std::ffi::CStr, directory, flags| {
        // SAFETY: the descriptors are open or stand for the working directory, and the names are C strings.
        match unsafe { libc::linkat(directory, from.as_ptr(), libc::AT_FDCWD, to.as_ptr(), flags) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    let itself = CString::new(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    match link(&itself, libc::AT_FDCWD, libc::AT_SYMLINK_FOLLOW) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => link(c"", file.as_raw_fd(), libc::AT_EMPTY_PATH),
        done => done,
    }
}

#[cfg(target_os = "macos")]
pub(crate) fn link(_file: &File, _path: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Repeats a system call that was interrupted by a signal; -1 is failure. (`std` does this in its
/// own calls.)
pub(crate) fn retried<T: From<i8> + PartialEq>(mut call: impl FnMut() -> T) -> io::Result<T> {
    loop {
        let result = call();
        if result != T::from(-1) {
            return Ok(result);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Identifies a file on the machine.
pub(crate) fn identity(file: &File) -> io::Result<FileId> {
    Ok(identity_of(&file.metadata()?))
}

pub(crate) fn identity_at(path: &Path) -> io::Result<FileId> {
    Ok(identity_of(&std::fs::metadata(path)?))
}

fn identity_of(metadata: &Metadata) -> FileId {
    FileId { device: metadata.dev(), number: metadata.ino().into() }
}

/// Called before an empty file gets its space: every later write must succeed in that space. With
/// copy on write, each write would need new space, and raise a signal when the disk is full.
/// Source: btrfs(5), "nodatacow".
#[cfg(target_os = "linux")]
pub(crate) fn prepare(file: &File) -> io::Result<()> {
    const COMPRESSED: libc::c_uint = 0x4; // FS_COMPR_FL, which excludes FS_NOCOW_FL
    const NO_COPY_ON_WRITE: libc::c_uint = 0x0080_0000; // FS_NOCOW_FL

    if about(file)?.f_type as u32 == super::file_system::BTRFS {
        let mut flags: libc::c_uint = 0;
        // SAFETY: the descriptor is open, and the kernel writes an `int` to `flags`, whatever the request's name says.
        retried(|| unsafe { libc::ioctl(file.as_raw_fd(), libc::FS_IOC_GETFLAGS, &raw mut flags) })?;
        flags = flags & !COMPRESSED | NO_COPY_ON_WRITE;
        // SAFETY: as above; it reads an `int`.
        retried(|| unsafe { libc::ioctl(file.as_raw_fd(), libc::FS_IOC_SETFLAGS, &raw const flags) })?;
    }
    Ok(())
}

#[cfg(target_os = "macos")]
pub(crate) fn prepare(_file: &File) -> io::Result<()> {
    Ok(())
}

/// Gives `file` its length and its pages, so that a full disk is an error now instead of a signal
/// later.
#[cfg(target_os = "linux")]
pub(crate) fn reserve(file: &File, bytes: usize) -> io::Result<()> {
    /// Bytes for each call: if a signal interrupts a call, tmpfs releases what that call has
    /// reserved.
    const STEP: usize = 64 << 10;

    // The length first, so that a crash in between leaves either the length of a lock or none.
    file.set_len(bytes as u64)?;
    for from in (0..bytes).step_by(STEP) {
        let length = STEP.min(bytes - from);
        // SAFETY: takes a descriptor and three numbers.
        match retried(|| unsafe { libc::fallocate(file.as_raw_fd(), 0, from as libc::off_t, length as libc::off_t) }) {
            Err(error) if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOSYS)) => {
                return write_zeros(file, bytes);
            }
            result => result?,
        };
    }
    Ok(())
}

/// If the file system cannot reserve space, writing allocates it. Does not write over the magic,
/// which may exist already.
#[cfg(target_os = "linux")]
fn write_zeros(file: &File, bytes: usize) -> io::Result<()> {
    use std::os::unix::fs::FileExt;

    file.write_all_at(&vec![0; bytes - size_of::<u64>()], size_of::<u64>() as u64)
}

/// As on Linux. If the file system cannot reserve space (`ENOTSUP`), the file is sparse.
#[cfg(target_os = "macos")]
pub(crate) fn reserve(file: &File, bytes: usize) -> io::Result<()> {
    let mut request = libc::fstore_t {
        fst_flags: libc::F_ALLOCATEALL,
        fst_posmode: libc::F_PEOFPOSMODE,
        fst_offset: 0,
        fst_length: bytes as libc::off_t,
        fst_bytesalloc: 0,
    };
    // SAFETY: the descriptor is open, and `request` is valid for reads and writes.
    match retried(|| unsafe { libc::fcntl(file.as_raw_fd(), libc::F_PREALLOCATE, &raw mut request) }) {
        Err(error) if error.raw_os_error() != Some(libc::ENOTSUP) => return Err(error),
        _ => {}
    }
    file.set_len(bytes as u64)
}

/// No other process can prevent a file from being opened or removed, so there is no retry.
pub(crate) fn with_retries<T>(mut act: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    act()
}

/// A removed file is gone immediately.
pub(crate) fn gone(error: io::Error) -> io::Error {
    error
}

fn about(file: &File) -> io::Result<libc::statfs> {
    // SAFETY: `statfs` is plain old data; all zero is a valid value of it.
    let mut about: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: the descriptor is open and `about` is valid for writes.
    retried(|| unsafe { libc::fstatfs(file.as_raw_fd(), &raw mut about) })?;
    Ok(about)
}

/// The file system of the file, if it cannot hold a lock.
#[cfg(target_os = "macos")]
pub(crate) fn unfit_file_system(file: &File) -> io::Result<Option<Unfit>> {
    let about = about(file)?;
    let is_local = about.f_flags & libc::MNT_LOCAL as u32 != 0;
    let name = about.f_fstypename.iter().map(|&byte| byte as u8).take_while(|&byte| byte != 0).collect::<Vec<_>>();
    Ok((!is_local).then(|| Unfit::network(&String::from_utf8_lossy(&name))))
}

/// The file system of the file, if it cannot hold a lock.
#[cfg(target_os = "linux")]
pub(crate) fn unfit_file_system(file: &File) -> io::Result<Option<Unfit>> {
    super::file_system::unfit(file, about(file)?.f_type as u32)
}
