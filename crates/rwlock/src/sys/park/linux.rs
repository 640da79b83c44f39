//! Linux: a shared futex (never `FUTEX_PRIVATE_FLAG`: the sleepers are in other processes).

#[cfg(not(miri))]
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU8, AtomicUsize};

use super::clock::{self, NANOS};
use super::word::Word;

/// The maximum number of entries of `futex_waitv` (`FUTEX_WAITV_MAX`), minus one for the watcher's
/// own word.
const WAITV_WORDS: usize = 127;

/// The offset of the monotonic clock of this process' time namespace from the machine's, in ns;
/// `None`: unknown. A process never changes its time namespace.
#[cfg(not(miri))]
#[inline]
pub(crate) fn clock_offset() -> Option<i64> {
    const NOT_READ: i64 = i64::MIN;
    const UNKNOWN: i64 = i64::MAX;
    // Not a `OnceLock`: every thread computes the same number.
    static OFFSET: AtomicI64 = AtomicI64::new(NOT_READ);
    let mut offset = OFFSET.load(Relaxed);
    if offset == NOT_READ {
        offset = read_clock_offset().unwrap_or(UNKNOWN);
        OFFSET.store(offset, Relaxed);
    }
    (offset != UNKNOWN).then_some(offset)
}

/// Source: time_namespaces(7).
#[cfg(not(miri))]
#[cold]
fn read_clock_offset() -> Option<i64> {
    use std::fs;
    let Ok(own) = fs::read_link("/proc/self/ns/time") else {
        // The kernel has no time namespaces, or /proc is not mounted.
        return fs::read_link("/proc/self/ns/pid").is_ok().then_some(0);
    };
    // The offsets are those of the namespace of the process' children. That is its own, unless it
    // has just created one for them.
    if fs::read_link("/proc/self/ns/time_for_children").ok()? != own {
        return None;
    }
    let offsets = fs::read_to_string("/proc/self/timens_offsets").ok()?;
    let monotonic = offsets.lines().find_map(|line| line.trim_start().strip_prefix("monotonic"))?;
    let mut numbers = monotonic.split_whitespace().map(str::parse::<i64>);
    let (seconds, nanos) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    seconds.checked_mul(NANOS as i64)?.checked_add(nanos)
}

/// Monotonic time in ns.
pub(crate) fn now() -> u64 {
    clock(libc::CLOCK_MONOTONIC)
}

/// The kernel's clock, which its waits and the other processes use. If a preloaded library replaces
/// it (libfaketime), the kernel is called directly, which takes ten times as long.
#[inline]
fn clock(id: libc::clockid_t) -> u64 {
    if is_clock_faked() { clock_of_kernel(id).unwrap_or_default() } else { clock::clock(id) }
}

fn clock_of_kernel(id: libc::clockid_t) -> Option<u64> {
    let mut time = timespec(0);
    // SAFETY: `time` is valid for writes, and has the kernel's layout on 64-bit systems.
    let done = unsafe { libc::syscall(libc::SYS_clock_gettime, id, &raw mut time) };
    (done == 0).then(|| time.tv_sec as u64 * NANOS + time.tv_nsec as u64)
}

#[inline]
fn is_clock_faked() -> bool {
    let kind = if cfg!(miri) { REAL } else { KIND.load(Relaxed) };
    kind != REAL && (kind == FAKED || find_out_kind())
}

const UNKNOWN: u8 = 0;
const REAL: u8 = 1;
const FAKED: u8 = 2;
static KIND: AtomicU8 = AtomicU8::new(UNKNOWN);

#[cold]
fn find_out_kind() -> bool {
    let kernel = || clock_of_kernel(libc::CLOCK_MONOTONIC);
    let (before, told, after) = (kernel(), clock::clock(libc::CLOCK_MONOTONIC), kernel());
    let is_faked = before.is_some_and(|before| told < before) || after.is_some_and(|after| told > after);
    KIND.store(if is_faked { FAKED } else { REAL }, Relaxed);
    is_faked
}

/// The same clock with the resolution of the scheduler's tick (1 to 10 ms), at a fifth of the cost.
pub(crate) fn coarse_now() -> u64 {
    clock(libc::CLOCK_MONOTONIC_COARSE)
}

fn timespec(nanos: u64) -> libc::timespec {
    libc::timespec { tv_sec: (nanos / NANOS) as _, tv_nsec: (nanos % NANOS) as _ }
}

/// Sleeps while `word` is `expected`, until it is woken or `deadline` has passed. May return early
/// without a reason.
pub(crate) fn wait(word: &Word, expected: u32, deadline: u64) {
    let until = timespec(deadline);
    // FUTEX_WAIT_BITSET takes an absolute time of CLOCK_MONOTONIC. Plain FUTEX_WAIT takes a
    // relative time, which would drift. SAFETY: `word` and `until` outlive the call; the kernel
    // only reads both.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.news.as_ptr(),
            libc::FUTEX_WAIT_BITSET,
            expected,
            &raw const until,
            std::ptr::null::<u32>(),
            libc::FUTEX_BITSET_MATCH_ANY,
        );
    }
}

/// Wakes the thread that sleeps on `word`, if any.
pub(crate) fn wake_sleeper(word: &Word) {
    // SAFETY: FUTEX_WAKE does not access the word, it only identifies it. It wakes all sleepers (an
    // attachment has one).
    unsafe { libc::syscall(libc::SYS_futex, word.news.as_ptr(), libc::FUTEX_WAKE, i32::MAX) };
}

/// The number of words on which one thread can sleep: many with `futex_waitv` (Linux 5.16),
/// otherwise one.
pub(crate) fn wait_any_limit() -> usize {
    // Not a `OnceLock`: a forked child would wait for a thread that it does not have.
    static LIMIT: AtomicUsize = AtomicUsize::new(0);
    let mut limit = LIMIT.load(Relaxed);
    if limit == 0 {
        // Without entries the call fails: EINVAL if it exists, ENOSYS or EPERM (seccomp) if it
        // cannot be used. SAFETY: zero entries are read.
        let result = unsafe {
            libc::syscall(libc::SYS_futex_waitv, std::ptr::null::<Waiter>(), 0, 0, std::ptr::null::<u8>(), 0)
        };
        let exists = result == -1 && std::io::Error::last_os_error().raw_os_error() == Some(libc::EINVAL);
        limit = if exists { WAITV_WORDS } else { 1 };
        LIMIT.store(limit, Relaxed);
    }
    limit
}

/// `struct futex_waitv` of the kernel.
#[repr(C)]
struct Waiter {
    value: u64,
    address: u64,
    flags: u32,
    reserved: u32,
}

/// `FUTEX2_SIZE_U32`; shared, because `FUTEX2_PRIVATE` is not set.
const SIZE_U32: u32 = 2;

/// Sleeps while each of `words` has the value paired with it, until one is woken or `deadline` has
/// passed.
pub(crate) fn wait_any(words: &[(&Word, u32)], deadline: u64) {
    if let [(word, expected)] = words {
        return wait(word, *expected, deadline);
    }
    debug_assert!(words.len() <= WAITV_WORDS + 1);
    let waiters: Vec<Waiter> = words
        .iter()
        .map(|(word, expected)| Waiter {
            value: u64::from(*expected),
            address: word.news.as_ptr() as u64,
            flags: SIZE_U32,
            reserved: 0,
        })
        .collect();
    let until = timespec(deadline);
    // SAFETY: `waiters` holds `len` entries whose words are borrowed for the whole call; `until` is read only.
    unsafe {
        libc::syscall(
            libc::SYS_futex_waitv,
            waiters.as_ptr(),
            waiters.len(),
            0,
            &raw const until,
            libc::CLOCK_MONOTONIC,
        );
    }
}
