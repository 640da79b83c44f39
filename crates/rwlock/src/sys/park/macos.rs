//! macOS: `os_sync_wait_on_address` since 14.4; before that, `__ulock`, on which it is based. Both
//! identify a word by the memory in which it is, whatever its address in each process. Source:
//! `os/os_sync_wait_on_address.h`; for `__ulock`, `bsd/sys/ulock.h` of the kernel.

use std::ffi::{CStr, c_int, c_void};
use std::mem::transmute_copy;
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::time::Duration;

use super::clock::{NANOS, clock};
use super::word::Word;

/// The longest sleep, in ns. The kernel does not document a limit.
const LONGEST: u64 = NANOS;
/// The longest sleep that cannot be interrupted.
const GLANCE: u64 = 1_000_000;

/// `OS_SYNC_WAIT_ON_ADDRESS_SHARED`, `OS_SYNC_WAKE_BY_ADDRESS_SHARED`.
const SHARED: u32 = 1;
/// `OS_CLOCK_MACH_ABSOLUTE_TIME`.
const CLOCK: u32 = 32;
/// `UL_COMPARE_AND_WAIT_SHARED`.
const COMPARE_AND_WAIT_SHARED: u32 = 3;
/// `ULF_WAKE_ALL`.
const WAKE_ALL: u32 = 0x100;

type OsWait = unsafe extern "C" fn(*mut c_void, u64, size: usize, flags: u32, clock: u32, timeout_ns: u64) -> c_int;
type OsWake = unsafe extern "C" fn(*mut c_void, size: usize, flags: u32) -> c_int;
type UlockWait = unsafe extern "C" fn(operation: u32, *mut c_void, u64, timeout_us: u32) -> c_int;
type UlockWake = unsafe extern "C" fn(operation: u32, *mut c_void, u64) -> c_int;

/// The functions that this system has.
enum Kernel {
    OsSync(OsWait, OsWake),
    Ulock(UlockWait, UlockWake),
    /// None.
    None,
}

fn kernel() -> &'static Kernel {
    static KERNEL: OnceLock<Kernel> = OnceLock::new();
    KERNEL.get_or_init(|| os_sync().or_else(ulock).unwrap_or(Kernel::None))
}

fn os_sync() -> Option<Kernel> {
    Some(Kernel::OsSync(symbol(c"os_sync_wait_on_address_with_timeout")?, symbol(c"os_sync_wake_by_address_all")?))
}

fn ulock() -> Option<Kernel> {
    Some(Kernel::Ulock(symbol(c"__ulock_wait")?, symbol(c"__ulock_wake")?))
}

/// The function `name`, which must have the type `F`.
fn symbol<F: Copy>(name: &CStr) -> Option<F> {
    const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
    // SAFETY: a C string; searches the libraries that the process has loaded.
    let address = NonNull::new(unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) })?;
    // SAFETY: a function pointer of the type that the system declares for this name.
    Some(unsafe { transmute_copy(&address) })
}

/// Monotonic time in ns, the same for a process under Rosetta. It stops while the machine sleeps,
/// as on Linux.
pub(crate) fn now() -> u64 {
    clock(libc::CLOCK_UPTIME_RAW)
}

/// The last value of the same clock that the kernel recorded, which is cheaper.
pub(crate) fn coarse_now() -> u64 {
    clock(libc::CLOCK_UPTIME_RAW_APPROX)
}

/// Sleeps while `word` is `expected`, until it is woken or `deadline` has passed. May return early
/// without a reason.
pub(crate) fn wait(word: &Word, expected: u32, deadline: u64) {
    let time = deadline.saturating_sub(now()).min(LONGEST);
    if time == 0 {
        return; // for `__ulock_wait`, 0 means forever
    }
    let address = word.news.as_ptr().cast();
    let result = match kernel() {
        // SAFETY: the word outlives the call; the kernel only reads it.
        Kernel::OsSync(wait, _) => unsafe { wait(address, expected.into(), size_of::<u32>(), SHARED, CLOCK, time) },
        // SAFETY: as above.
        Kernel::Ulock(wait, _) => unsafe {
            let micros = time.div_ceil(1000) as u32;
            wait(COMPARE_AND_WAIT_SHARED, address, expected.into(), micros)
        },
        Kernel::None => -1,
    };
    // If the kernel cannot sleep on the word (an unmapped page, an unsupported system), the caller
    // must not spin.
    let reason = std::io::Error::last_os_error().raw_os_error();
    if result < 0 && !matches!(reason, Some(libc::ETIMEDOUT | libc::EINTR)) {
        std::thread::sleep(Duration::from_nanos(time.min(GLANCE)));
    }
}

/// Wakes the threads that sleep on `word`, if any.
pub(crate) fn wake_sleeper(word: &Word) {
    let address = word.news.as_ptr().cast();
    match kernel() {
        // SAFETY: the word is identified, not accessed.
        Kernel::OsSync(_, wake) => unsafe {
            wake(address, size_of::<u32>(), SHARED);
        },
        // SAFETY: as above.
        Kernel::Ulock(_, wake) => unsafe {
            wake(COMPARE_AND_WAIT_SHARED | WAKE_ALL, address, 0);
        },
        Kernel::None => {}
    }
}

/// The number of words on which one thread can sleep.
pub(crate) fn wait_any_limit() -> usize {
    1
}

/// Sleeps while the one word has the value paired with it, until it is woken or `deadline` has
/// passed.
pub(crate) fn wait_any(words: &[(&Word, u32)], deadline: u64) {
    for (word, expected) in words {
        wait(word, *expected, deadline);
    }
}
