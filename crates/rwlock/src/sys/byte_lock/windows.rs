//! Windows: `LockFileEx`. A lock belongs to the handle through which it was taken. It is dropped
//! when the handle is closed or the process dies.
//!
//! A lock can be queried only by trying to take it. A query tries to take a shared lock, so
//! concurrent queries do not conflict. A process that wants the byte itself may conflict with a
//! query, and tries again. Source: "Locking and Unlocking Byte Ranges in Files", LockFileEx and
//! UnlockFile in the documentation of Win32.

use std::io;
use std::os::windows::io::AsRawHandle;
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::ERROR_LOCK_VIOLATION;
use windows_sys::Win32::Storage::FileSystem::{
    LOCK_FILE_FLAGS, LOCKFILE_EXCLUSIVE_LOCK, LOCKFILE_FAIL_IMMEDIATELY, LockFileEx, UnlockFile,
};
use windows_sys::Win32::System::IO::OVERLAPPED;

use super::ByteLockFile;

/// How long to retry to lock a byte that is being queried. A query takes a microsecond unless its
/// thread is stopped.
const PROBE_GRACE: Duration = Duration::from_millis(100);

/// The offset of the locks of `byte`. A query also locks the byte after it: locks are released by
/// their exact range, so the end of a query never releases the lock of an owner.
fn place_of(byte: u64) -> u64 {
    byte * 2
}

impl ByteLockFile {
    /// Locks `byte`; `false` if another open file holds it.
    pub fn try_lock(&self, byte: u64) -> io::Result<bool> {
        let start = Instant::now();
        loop {
            if self.lock(place_of(byte), 1, LOCKFILE_EXCLUSIVE_LOCK)? {
                return Ok(true);
            }
            if self.is_locked(byte, 1)? || start.elapsed() > PROBE_GRACE {
                return Ok(false);
            }
            std::thread::yield_now();
        }
    }

    pub fn unlock(&self, byte: u64) -> io::Result<()> {
        self.unlock_range(place_of(byte), 1)
    }

    /// Locks `count` bytes from `byte` on, all or none; `false` if another open file holds or
    /// queries one of them. They are released when the file is closed.
    pub fn try_lock_all(&self, byte: u64, count: usize) -> io::Result<bool> {
        self.lock(place_of(byte), 2 * count as u32, LOCKFILE_EXCLUSIVE_LOCK)
    }

    /// Whether any other open file holds one of `count` bytes from `byte` on.
    pub fn is_locked(&self, byte: u64, count: usize) -> io::Result<bool> {
        let (place, length) = (place_of(byte), 2 * count as u32);
        if !self.lock(place, length, 0)? {
            return Ok(true);
        }
        self.unlock_range(place, length)?;
        Ok(false)
    }

    pub fn is_unsupported(_error: &io::Error) -> bool {
        false
    }

    fn lock(&self, place: u64, length: u32, kind: LOCK_FILE_FLAGS) -> io::Result<bool> {
        // SAFETY: plain old data; all zero is a valid value of it.
        let mut at: OVERLAPPED = unsafe { std::mem::zeroed() };
        at.Anonymous.Anonymous.Offset = place as u32;
        at.Anonymous.Anonymous.OffsetHigh = (place >> 32) as u32;
        let flags = kind | LOCKFILE_FAIL_IMMEDIATELY;
        // SAFETY: the handle is open while `self` lives; `at` outlives the call, which returns when
        // it is done.
        if unsafe { LockFileEx(self.file().as_raw_handle(), flags, 0, length, 0, &raw mut at) } != 0 {
            return Ok(true);
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() == Some(ERROR_LOCK_VIOLATION as i32) { Ok(false) } else { Err(error) }
    }

    fn unlock_range(&self, place: u64, length: u32) -> io::Result<()> {
        // SAFETY: the handle is open while `self` lives.
        let done = unsafe { UnlockFile(self.file().as_raw_handle(), place as u32, (place >> 32) as u32, length, 0) };
        if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::path::PathBuf;
    use std::sync::atomic::AtomicBool;
    use std::sync::atomic::Ordering::Relaxed;
    use std::thread;

    use super::*;

    struct Path(PathBuf);

    impl Path {
        fn new(name: &str) -> Self {
            Self(std::env::temp_dir().join(format!("liveness-{name}-{}", std::process::id())))
        }

        fn open(&self) -> ByteLockFile {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            ByteLockFile::open(|| options.open(&self.0)).unwrap()
        }
    }

    impl Drop for Path {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    #[test]
    fn asking_takes_nothing_away_from_the_owner_whoever_asks() {
        let path = Path::new("owner");
        let (owner, other) = (path.open(), path.open());
        let byte = 3;
        assert!(owner.try_lock(byte).unwrap());
        for _ in 0..3 {
            assert!(!owner.is_locked(byte, 1).unwrap(), "one's own does not count");
            assert!(!owner.is_locked(0, 8).unwrap());
            assert!(other.is_locked(byte, 1).unwrap() && other.is_locked(0, 8).unwrap());
            assert!(!other.is_locked(2, 1).unwrap() && !other.is_locked(4, 1).unwrap());
            assert!(!other.try_lock(byte).unwrap());
        }
        owner.unlock(byte).unwrap();
        assert!(other.try_lock(byte).unwrap());
    }

    #[test]
    fn those_who_ask_at_once_do_not_see_each_other_and_whoever_wants_the_byte_gets_it_beside_them() {
        let path = Path::new("asking");
        let byte = 0;
        let (owner, over) = (path.open(), AtomicBool::new(false));
        thread::scope(|scope| {
            let asking: Vec<_> = (0..3)
                .map(|_| {
                    let (file, over) = (path.open(), &over);
                    scope.spawn(move || {
                        (0..).take_while(|_| !over.load(Relaxed)).all(|_| !file.is_locked(byte, 1).unwrap())
                    })
                })
                .collect();
            // The byte is free: a query that finds it locked has found another query.
            thread::sleep(std::time::Duration::from_millis(300));
            over.store(true, Relaxed);
            assert!(asking.into_iter().all(|asking| asking.join().unwrap()));
            over.store(false, Relaxed);
            for _ in 0..3 {
                let (file, over) = (path.open(), &over);
                scope.spawn(move || {
                    while !over.load(Relaxed) {
                        file.is_locked(0, 8).unwrap();
                    }
                });
            }
            let taken = (0..1000).filter(|_| owner.try_lock(byte).unwrap() && owner.unlock(byte).is_ok()).count();
            over.store(true, Relaxed);
            assert_eq!(taken, 1000);
        });
    }
}
