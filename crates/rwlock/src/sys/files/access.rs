//! Who may read a lock's file. Who may only read it can still take shared byte locks, with which recovery and setup wait for
//! nothing, and read the secret of the doorbells. So no class of users has permission to read without that to write.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const READ: u32 = 0o4;
const WRITE: u32 = 0o2;
/// The owner's, the group's and everybody else's three bits: their shift and their letter for chmod(1).
const CLASSES: [(u32, char); 3] = [(6, 'u'), (3, 'g'), (0, 'o')];

/// Makes the file `path`, which must not exist: a symbolic link there is not followed, wherever it leads.
pub(crate) fn make(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    // Permission to read comes with the next call alone: so there is no moment at which somebody can open it only to read. What
    // the umask, or the folder's access list, leaves of the permission to write says who shall have it.
    options.mode(0o622);
    let file = options.open(path)?;
    crash_point!(mode_file);
    // Where the file system keeps no modes, what it shows instead is looked at later.
    let _ = give_mode(&file);
    Ok(file)
}

/// Gives a file that is about to become a lock the mode of one: who may write may read, who may not write may do neither.
pub(crate) fn give_mode(file: &File) -> io::Result<()> {
    let mode = file.metadata()?.mode() & 0o777;
    let mut wanted = paired(mode);
    if has_reader_in_access_list(file) {
        wanted &= !0o070; // the mask of the access list
    }
    // A mode that the file has need not be ours to set.
    if wanted == mode { Ok(()) } else { file.set_permissions(Permissions::from_mode(wanted)) }
}

fn paired(mode: u32) -> u32 {
    CLASSES.iter().fold(mode, |mode, (shift, class)| {
        let may_write = *class == 'u' || mode >> shift & WRITE != 0;
        if may_write { mode | (READ | WRITE) << shift } else { mode & !(READ << shift) }
    })
}

/// What chmod(1) must be told if some class of users may read the file and not write it.
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

/// Whether the access list of `file` lets somebody read who may not write. Source: acl(5), and `posix_acl_xattr.h` of the kernel.
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
        // No list, or one that is too long to have been read.
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
    // A version (4 bytes), then entries: a tag, permissions, and an id of 4 bytes.
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

/// Most symbolic links that are followed one after the other, as in the kernel.
const MAX_LINKS: u32 = 40;

/// Where a file may be made, or laid out, that `path` leads to: a symbolic link is followed only if it belongs to this user
/// or to root, as the kernel's `fs.protected_symlinks` has it in folders like `/tmp`, and if the file, should it exist, is this
/// user's. Else somebody's link would turn a file of ours, or of a third, into a lock. `Err(Ok(why not))`.
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
