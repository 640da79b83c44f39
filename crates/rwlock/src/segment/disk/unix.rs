//! Linux and macOS.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use crate::attachment::Identity;

/// For a file in a directory that nobody else has access to.
pub(crate) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    options
}

/// For a file that the umask may let others into. `O_NONBLOCK`: a pipe at its path must give an error, not block.
pub(crate) fn shared() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o666).custom_flags(libc::O_NONBLOCK);
    options
}

/// A file without a name, in `folder`, which [`link`] gives one once it is complete. `None` where the file system has no such.
#[cfg(target_os = "linux")]
pub(crate) fn unnamed(folder: &Path) -> io::Result<Option<File>> {
    match shared().custom_flags(libc::O_TMPFILE).open(folder) {
        Err(error) if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EISDIR | libc::EINVAL)) => Ok(None),
        file => file.map(Some),
    }
}

#[cfg(target_os = "macos")]
pub(crate) fn unnamed(_folder: &Path) -> io::Result<Option<File>> {
    Ok(None)
}

/// Gives an unnamed file its name. `AlreadyExists`: something has it.
///
/// Source: open(2), `O_TMPFILE`; linkat(2), `AT_EMPTY_PATH`, which needs no `/proc`, but a privilege before Linux 6.10.
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

/// What tells a file from every other on the machine.
pub(crate) fn identity(file: &File) -> io::Result<Identity> {
    Ok(identity_of(&file.metadata()?))
}

pub(crate) fn identity_at(path: &Path) -> io::Result<Identity> {
    Ok(identity_of(&std::fs::metadata(path)?))
}

fn identity_of(metadata: &Metadata) -> Identity {
    Identity::File(metadata.dev(), metadata.ino().into())
}

/// Gives `file` its length and its pages, so that a full disk is an error now and not a signal later.
#[cfg(target_os = "linux")]
pub(crate) fn reserve(file: &File, bytes: usize) -> io::Result<()> {
    // SAFETY: takes a descriptor and two numbers.
    match unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, bytes as libc::off_t) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// As on Linux. Where the file system cannot reserve (`ENOTSUP`) the file is sparse.
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
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_PREALLOCATE, &raw mut request) } == -1 {
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::ENOTSUP) {
            return Err(error);
        }
    }
    file.set_len(bytes as u64)
}

/// Nobody can keep another from opening or removing a file.
pub(crate) fn patiently<T>(mut act: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    act()
}

/// A file that is removed is gone at once.
pub(crate) fn gone(error: io::Error) -> io::Error {
    error
}

fn about(file: &File) -> io::Result<libc::statfs> {
    // SAFETY: `statfs` is plain old data; all zero is a valid value of it.
    let mut about: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: the descriptor is open and `about` is valid for writes.
    if unsafe { libc::fstatfs(file.as_raw_fd(), &raw mut about) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(about)
}

/// The name of the file system if other machines may have it mounted too.
#[cfg(target_os = "macos")]
pub(crate) fn network_file_system(file: &File) -> io::Result<Option<String>> {
    let about = about(file)?;
    let is_local = about.f_flags & libc::MNT_LOCAL as u32 != 0;
    let name = about.f_fstypename.iter().map(|&byte| byte as u8).take_while(|&byte| byte != 0).collect::<Vec<_>>();
    Ok((!is_local).then(|| String::from_utf8_lossy(&name).into_owned()))
}

/// The name of the file system if other machines may have it mounted too.
#[cfg(target_os = "linux")]
pub(crate) fn network_file_system(file: &File) -> io::Result<Option<String>> {
    Ok(network_file_system_of(about(file)?.f_type as u32).map(Into::into))
}

/// Magic numbers: statfs(2) and the kernel's `linux/magic.h`.
#[cfg(target_os = "linux")]
fn network_file_system_of(magic: u32) -> Option<&'static str> {
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_told_from_local_ones() {
        assert_eq!(network_file_system_of(0x6969), Some("nfs"));
        assert_eq!(network_file_system_of(0xff53_4d42), Some("cifs"));
        for local in [
            0xef53,      /* ext4 */
            0x5846_5342, /* xfs */
            0x9123_683e, /* btrfs */
            0x0102_1994, /* tmpfs */
            0x794c_7630, /* overlay */
        ] {
            assert_eq!(network_file_system_of(local), None);
        }
    }
}
