//! Signals that interrupt system calls, as profilers and timers send them. Which calls they
//! interrupt depends on the kernel and the file system, so here the calls themselves report an
//! interruption: functions of this program replace those of the C library for all code that links
//! to them.

use std::cell::Cell;
use std::ffi::{c_char, c_int};

use process_rwlock::{MAX_CAPACITY, OpenOptions};

use crate::helpers::TestLock;

thread_local! {
    /// How many calls were interrupted; `None`: do not interrupt any.
    static INTERRUPTED: Cell<Option<u32>> = const { Cell::new(None) };
    static IS_REPEATED: Cell<bool> = const { Cell::new(false) };
}

/// Interrupts every other call.
fn is_interrupted() -> bool {
    INTERRUPTED.get().is_some_and(|count| {
        IS_REPEATED.set(!IS_REPEATED.get());
        if IS_REPEATED.get() {
            INTERRUPTED.set(Some(count + 1));
        }
        IS_REPEATED.get()
    })
}

fn errno() -> &'static Cell<c_int> {
    // SAFETY: has no preconditions.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: it is this thread's own, for as long as it lives.
    unsafe { Cell::from_mut(&mut *errno) }
}

fn interrupt() -> c_int {
    errno().set(libc::EINTR);
    -1
}

#[unsafe(no_mangle)]
extern "C" fn fallocate(descriptor: c_int, mode: c_int, offset: libc::off_t, length: libc::off_t) -> c_int {
    if is_interrupted() {
        return interrupt();
    }
    // SAFETY: takes numbers alone.
    unsafe { libc::syscall(libc::SYS_fallocate, descriptor, mode, offset, length) as c_int }
}

/// Unlike the other functions, this one returns its error.
#[unsafe(no_mangle)]
extern "C" fn posix_fallocate(descriptor: c_int, offset: libc::off_t, length: libc::off_t) -> c_int {
    if is_interrupted() {
        return libc::EINTR;
    }
    // SAFETY: as above.
    match unsafe { libc::syscall(libc::SYS_fallocate, descriptor, 0, offset, length) } {
        0 => 0,
        _ => errno().get(),
    }
}

#[unsafe(no_mangle)]
extern "C" fn fstatfs(descriptor: c_int, about: *mut libc::statfs) -> c_int {
    if is_interrupted() {
        return interrupt();
    }
    // SAFETY: the caller's pointer is valid.
    unsafe { libc::syscall(libc::SYS_fstatfs, descriptor, about) as c_int }
}

/// # Safety
/// `name` must be a C string.
#[unsafe(no_mangle)]
unsafe extern "C" fn shm_open(name: *const c_char, flags: c_int, mode: libc::mode_t) -> c_int {
    if is_interrupted() {
        return interrupt();
    }
    // SAFETY: as the caller promises.
    let name = unsafe { std::ffi::CStr::from_ptr(name) };
    let path = std::ffi::CString::new([b"/dev/shm/", name.to_bytes()].concat()).unwrap();
    let flags = flags | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    // SAFETY: `path` is a C string.
    unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, mode) as c_int }
}

#[test]
fn a_lock_is_opened_and_removed_despite_interrupting_signals() {
    for lock in TestLock::both_kinds() {
        INTERRUPTED.set(Some(0));
        let opened = lock.open_with(&OpenOptions::new().capacity(MAX_CAPACITY));
        let again = lock.open_with(&OpenOptions::new());
        let count = INTERRUPTED.take();
        assert!(
            opened.and_then(|own| again.map(|again| own.try_write().is_some() && again.try_read().is_some())).unwrap()
        );
        assert!(count.is_some_and(|count| count > 2), "{count:?} calls were interrupted");
    }
}
