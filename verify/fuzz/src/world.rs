//! A private `/dev/shm`: named locks, the token floor and the files of path locks belong to this process alone, and vanish
//! when it ends.

use std::ffi::CStr;
use std::fs;
use std::io::Error;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use libc::{CLONE_NEWNS, CLONE_NEWUSER, MS_PRIVATE, MS_REC};

pub const SHM: &str = "/dev/shm";
/// The lock file of the path targets.
pub const LOCK: &str = "/dev/shm/fuzzed";

/// Call it once, before a second thread exists.
pub fn enter() {
    // SAFETY: these take no arguments but numbers.
    let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
    // SAFETY: as above. The lock must inspect what the fuzzer writes, not refuse it for its mode.
    unsafe { libc::umask(0o077) };
    // SAFETY: as above. A user namespace allows mounts without root.
    let entered = unsafe { libc::unshare(if user == 0 { CLONE_NEWNS } else { CLONE_NEWNS | CLONE_NEWUSER }) } == 0;
    let mapped = user == 0
        || fs::write("/proc/self/setgroups", "deny").is_ok()
            && fs::write("/proc/self/uid_map", format!("{user} {user} 1")).is_ok()
            && fs::write("/proc/self/gid_map", format!("{group} {group} 1")).is_ok();
    if !entered || !mapped || !mount(c"none", c"/", MS_PRIVATE | MS_REC) || !mount(c"tmpfs", c"/dev/shm", 0) {
        eprintln!(
            "The fuzzers need a /dev/shm of their own, and the system refuses one: {}.\n\
             Run them as root, or allow user namespaces (on Ubuntu: sysctl kernel.apparmor_restrict_unprivileged_userns=0).",
            Error::last_os_error()
        );
        std::process::exit(2);
    }
}

fn mount(what: &CStr, at: &CStr, flags: libc::c_ulong) -> bool {
    // SAFETY: C strings, and no data. The type is ignored if only flags change.
    unsafe { libc::mount(what.as_ptr(), at.as_ptr(), what.as_ptr(), flags, std::ptr::null()) == 0 }
}

/// Removes every file.
pub fn clear() {
    for entry in fs::read_dir(SHM).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
    }
}

/// The directory of this user's named locks.
pub fn directory() -> PathBuf {
    // SAFETY: geteuid has no preconditions.
    Path::new(SHM).join(format!("process-rwlock-{}", unsafe { libc::geteuid() }))
}

/// Files of locks that this process has open. (One socket stays for all rings, and for a while what watches for exits.)
pub fn descriptors() -> usize {
    let open = fs::read_dir("/proc/self/fd").unwrap();
    open.filter(|entry| fs::read_link(entry.as_ref().unwrap().path()).is_ok_and(|file| file.starts_with(SHM))).count()
}

/// Ends an input: no more files may be open than `before`. The watcher's thread drops a lock when it wakes up.
pub fn leave(before: usize) {
    let start = Instant::now();
    while descriptors() != before {
        assert!(start.elapsed() < Duration::from_secs(3), "{before} files were open, and now {}", descriptors());
        thread::sleep(Duration::from_micros(100));
    }
    clear();
}
