//! Permissions of a lock's file. A user who can only read the file can still take shared byte
//! locks, which make recovery and setup wait in vain, and can read the secret of the doorbells. So
//! no class of users may have permission to read without permission to write.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const READ: u32 = 0o4;
const WRITE: u32 = 0o2;
/// The permission bits of the owner, the group and others: their shift, and their letter for
/// chmod(1).
const CLASSES: [(u32, char); 3] = [(6, 'u'), (3, 'g'), (0, 'o')];

/// Creates the file `path`, which must not exist: a symbolic link is not followed, wherever it
/// leads.
pub(crate) fn make(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    // Permission to read is added by the next call, so at no moment can another user open the file
    // only for reading. The write permissions that the umask or the folder's access list leave
    // decide who gets access.
    options.mode(0o622);
    let file = options.open(path)?;
    crash_point!(mode_file);
    // If the file system does not store modes, the mode that it shows instead is checked later.
    let _ = give_mode(&file);
    Ok(file)
}

/// Gives a file that is about to become a lock its mode: whoever has write permission gets read
/// permission, all others get neither.
pub(crate) fn give_mode(file: &File) -> io::Result<()> {
    let mode = file.metadata()?.mode() & 0o777;
    let mut wanted = paired(mode);
    if has_reader_in_access_list(file) {
        wanted &= !0o070; // the mask of the access list
    }
    // If the file has the mode already, this user need not be its owner.
    if wanted == mode { Ok(()) } else { file.set_permissions(Permissions::from_mode(wanted)) }
}

fn paired(mode: u32) -> u32 {
    CLASSES.iter().fold(mode, |mode, (shift, class)| {
        let may_write = *class == 'u' || mode >> shift & WRITE != 0;
        if may_write { mode | (READ | WRITE) << shift } else { mode & !(READ << shift) }
    })
}

/// The argument for chmod(1) if some class of users can read the file but not write it.
pub(crate) fn mending(file: &File) -> io::Result<Option<String>> {
    let mode = file.metadata()?.mode();
    let only_reads = |(shift, _): &&(u32, char)| mode >> shift & (READ | WRITE) == READ;
    let readers: String = CLASSES[1..].iter().filter(only_reads).map(|(_, class)| class).collect();
    let mut changes = Vec::new();
    if CLASSES[..1].iter().any(|class| only_reads(&class)) {
        changes.push("u+w".into());
    }
    if !readers.is_empty() {
        changes.push(format!("{readers}-r"));
    } else if has_reader_in_access_list(file) {
        changes.push("g-r".into()); // the mask of the access list
    }
    Ok((!changes.is_empty()).then(|| changes.join(",")))
}

/// Whether the access list of `file` lets a user read who may not write. Source: acl(5), and
/// `posix_acl_xattr.h` of the kernel.
#[cfg(target_os = "linux")]
fn has_reader_in_access_list(file: &File) -> bool {
    use std::os::fd::AsRawFd;

    let mut list = [0_u8; 4096];
    // SAFETY: the descriptor is open, the name is a C string, and `list` is valid for writes of its length.
    let length = unsafe {
        libc::fgetxattr(file.as_raw_fd(), c"system.posix_acl_access".as_ptr(), list.as_mut_ptr().cast(), list.len())
    };
    match usize::try_from(length) {
        Ok(length) => lists_reader(&list[..length]),
        // No list, or one that was too long for the buffer.
        Err(_) => io::Error::last_os_error().raw_os_error() == Some(libc::ERANGE),
    }
}

#[cfg(target_os = "macos")]
fn has_reader_in_access_list(_file: &File) -> bool {
    false
}

#[cfg(target_os = "linux")]
fn lists_reader(list: &[u8]) -> bool {
    const USER: u16 = 0x02;
    const OWNING_GROUP: u16 = 0x04;
    const GROUP: u16 = 0x08;
    const MASK: u16 = 0x10;
    // A version (4 bytes), then entries: a tag, permissions, and an ID of 4 bytes.
    let entries = list.get(4..).unwrap_or_default().chunks_exact(8);
    let entries = entries.map(|entry| {
        let number = |at: usize| u16::from_le_bytes([entry[at], entry[at + 1]]);
        (number(0), u32::from(number(2)))
    });
    let mask = entries.clone().find_map(|(tag, bits)| (tag == MASK).then_some(bits)).unwrap_or(0o7);
    entries
        .filter(|(tag, _)| matches!(*tag, USER | OWNING_GROUP | GROUP))
        .any(|(_, bits)| bits & mask & (READ | WRITE) == READ)
}

/// The maximum number of consecutive symbolic links, as in the kernel.
const MAX_LINKS: u32 = 40;

/// The path of the file that `path` leads to, if a file may be created or initialized there: a
/// symbolic link is followed only if it belongs to this user or root, like the kernel's
/// `fs.protected_symlinks` in folders like `/tmp`, and if the file, should it exist, belongs to
/// this user. Otherwise another user's link could turn any file of ours into a lock.
/// `Err(Ok(reason))` if not.
pub(crate) fn own_target(path: &Path) -> Result<PathBuf, io::Result<String>> {
    let mut target = path.to_path_buf();
    for links in 0..=MAX_LINKS {
        let found = match fs::symlink_metadata(&target) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(target),
            Err(error) => return Err(Err(error)),
        };
        if !found.is_symlink() {
            return if links == 0 || is_own(&found) {
                Ok(target)
            } else {
                Err(Ok(format!("is a symbolic link to a file of user {} that is no lock yet", found.uid())))
            };
        }
        if !is_own(&found) && found.uid() != 0 {
            return Err(Ok(format!("leads through a symbolic link of user {} to what is no lock yet", found.uid())));
        }
        let next = fs::read_link(&target).map_err(Err)?;
        target = target.parent().map_or_else(|| next.clone(), |folder| folder.join(&next));
    }
    Err(Err(io::Error::from_raw_os_error(libc::ELOOP)))
}

fn is_own(found: &Metadata) -> bool {
    // SAFETY: geteuid has no preconditions and cannot fail.
    found.uid() == unsafe { libc::geteuid() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_not_write_may_not_read() {
        for (mode, wanted) in [
            (0o622, 0o666),
            (0o620, 0o660),
            (0o600, 0o600),
            (0o644, 0o600),
            (0o664, 0o660),
            (0o646, 0o606),
            (0o000, 0o600),
            (0o755, 0o711),
        ] {
            assert_eq!(paired(mode), wanted, "{mode:o}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_reader_in_an_access_list_is_found() {
        let list = |entries: &[(u16, u16)]| {
            let entries =
                entries.iter().flat_map(|(tag, bits)| [tag.to_le_bytes(), bits.to_le_bytes(), [0; 2], [0; 2]]);
            [2_u32.to_le_bytes().to_vec(), entries.flatten().collect()].concat()
        };
        assert!(lists_reader(&list(&[(1, 6), (2, 4), (4, 6), (0x10, 6), (0x20, 0)])));
        assert!(lists_reader(&list(&[(1, 6), (2, 6), (4, 4), (0x10, 6), (0x20, 0)])));
        assert!(!lists_reader(&list(&[(1, 6), (2, 4), (4, 6), (0x10, 2), (0x20, 0)])));
        assert!(!lists_reader(&list(&[(1, 6), (2, 6), (4, 0), (0x10, 6), (0x20, 0)])));
        assert!(lists_reader(&list(&[(2, 6), (0x10, 4)])), "the mask leaves it the permission to read alone");
        assert!(!lists_reader(&[]));
    }
}
