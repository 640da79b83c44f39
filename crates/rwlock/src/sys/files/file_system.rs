//! File systems that cannot hold a lock: on some of them, memory and byte locks are not those of a
//! single kernel.

use std::fs::{File, read_to_string};
use std::io;
use std::os::unix::fs::MetadataExt;

use super::Unfit;

pub(super) const BTRFS: u32 = 0x9123_683e;
const FUSE: u32 = 0x6573_5546;

/// For file systems of which it is unknown how they share files.
const FUSE_WHY: &str =
    "whether its files are shared memory, and know the locks of processes, is up to the program behind it";
/// For file systems shared with another machine.
const SHARED_WHY: &str = "processes on the other side would not see the lock";

pub(super) fn unfit(file: &File, magic: u32) -> io::Result<Option<Unfit>> {
    if magic != FUSE {
        return Ok(unfit_by_magic(magic));
    }
    let device = file.metadata()?.dev();
    let mounts = read_to_string("/proc/self/mountinfo").unwrap_or_default();
    Ok(Some(of_fuse(&type_of_mount(&mounts, device).unwrap_or_else(|| "fuse".into()))))
}

/// The magic numbers are from statfs(2), the kernel's `linux/magic.h`, and `stat.c` of GNU
/// coreutils for those that are not in the kernel.
fn unfit_by_magic(magic: u32) -> Option<Unfit> {
    let network = match magic {
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
        0x1983_0326 => "beegfs",
        0x4750_4653 => "gpfs",
        0x2003_0528 => "orangefs",
        0xaad7_aaea => "panfs",
        0xbeef_dead => "snfs",
        0x0131_11a8 => "ibrix",
        0x6163_6673 => "acfs",
        _ => "",
    };
    let shared = match magic {
        0x0102_1997 => "9p",
        0x786f_4256 => "vboxsf",
        0xbacb_acbc => "hgfs",
        0x7c7c_6673 => "prl_fs",
        _ => "",
    };
    match (network, shared) {
        ("", "") => None,
        ("", name) => Some(shared_folder(name)),
        (name, _) => Some(Unfit::network(name)),
    }
}

fn shared_folder(name: &str) -> Unfit {
    Unfit { what: format!("{name} (a virtual machine's shared folder)"), why: SHARED_WHY }
}

/// A mount of type `fuse.NAME`, `fuse`, `fuseblk` or `virtiofs`.
fn of_fuse(kind: &str) -> Unfit {
    match kind.strip_prefix("fuse.").unwrap_or(kind) {
        "virtiofs" | "vmhgfs-fuse" | "prl_fsd" => shared_folder(kind),
        "sshfs" | "rclone" | "s3fs" | "gcsfuse" | "glusterfs" | "ceph-fuse" | "davfs" | "curlftpfs" | "juicefs"
        | "goofys" | "mount-s3" | "moosefs" | "lizardfs" | "smbnetfs" | "blobfuse2" => Unfit::network(kind),
        _ => Unfit { what: format!("a FUSE file system ({kind})"), why: FUSE_WHY },
    }
}

/// The type of the mount with `device`; proc_pid_mountinfo(5).
fn type_of_mount(mounts: &str, device: u64) -> Option<String> {
    let wanted = format!("{}:{}", libc::major(device), libc::minor(device));
    mounts.lines().find_map(|line| {
        let (mount, system) = line.split_once(" - ")?;
        (mount.split(' ').nth(2)? == wanted).then(|| system.split(' ').next().unwrap_or_default().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what(magic: u32) -> Option<String> {
        unfit_by_magic(magic).map(|unfit| unfit.what)
    }

    #[test]
    fn network_file_systems_are_told_from_local_ones() {
        assert_eq!(what(0x6969).unwrap(), "a network file system (nfs)");
        assert_eq!(what(0xff53_4d42).unwrap(), "a network file system (cifs)");
        for (magic, name) in
            [(0x1983_0326, "beegfs"), (0x4750_4653, "gpfs"), (0x2003_0528, "orangefs"), (0xaad7_aaea, "panfs")]
        {
            assert_eq!(what(magic).unwrap(), format!("a network file system ({name})"));
        }
        for (magic, name) in [(0x0102_1997, "9p"), (0x786f_4256, "vboxsf"), (0xbacb_acbc, "hgfs")] {
            assert_eq!(what(magic).unwrap(), format!("{name} (a virtual machine's shared folder)"));
        }
        for local in [
            0xef53,      /* ext4 */
            0x5846_5342, /* xfs */
            BTRFS,
            0x0102_1994, /* tmpfs */
            0x794c_7630, /* overlay */
        ] {
            assert_eq!(what(local), None);
        }
    }

    #[test]
    fn a_fuse_file_system_is_named_as_it_is_mounted() {
        let mounts = "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
                      40 22 0:33 / /mnt/a\\040b rw,nosuid shared:7 - fuse.sshfs host:/ rw,user_id=0\n\
                      41 22 0:34 / /mnt/c rw - fuse.example example rw\n";
        let named = |device| of_fuse(&type_of_mount(mounts, device).unwrap()).what;
        assert_eq!(named(libc::makedev(0, 33)), "a network file system (fuse.sshfs)");
        assert_eq!(named(libc::makedev(0, 34)), "a FUSE file system (fuse.example)");
        assert_eq!(of_fuse("virtiofs").what, "virtiofs (a virtual machine's shared folder)");
        assert_eq!(type_of_mount(mounts, libc::makedev(0, 35)), None);
    }
}
