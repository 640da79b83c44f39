//! Windows: `WaitOnAddress` works within one process only. So each sleeping thread has its own
//! named event, and stores the event's number next to the word. A waker opens the event by that
//! name.
//!
//! An event is visible within one session only, and any program can create an event of that name.
//! So a sleep ends after [`GLANCE`] at the latest, and its caller checks the word: a failure costs
//! time, but never loses a wake. Source: CreateEventW and "Kernel object namespaces" in the
//! documentation of Win32.

use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use raw_sync::Timeout;
use raw_sync::events::{Event, EventImpl, EventInit, EventState};
use windows_sys::Win32::Foundation::CloseHandle;
use windows_sys::Win32::System::Performance::{QueryPerformanceCounter, QueryPerformanceFrequency};
use windows_sys::Win32::System::Threading::CreateEventW;

use super::word::Word;

/// The longest sleep, in ns: one tick of the system's clock, which is the resolution of its timers.
const GLANCE: u64 = 15_625_000;
/// The longest sleep without an event.
const GLANCE_WITHOUT: u64 = 1_000_000;

const NANOS: u64 = 1_000_000_000;

/// The index, among a word's sleepers, of the thread in [`wait`] and of the thread in [`wait_any`].
const OWNER: usize = 0;
const WATCHER: usize = 1;

/// The event on which this thread sleeps.
struct Bed {
    event: Box<dyn EventImpl>,
    /// Identifies the event for other processes; never 0.
    number: u32,
}

thread_local! {
    // Closed at the end of the thread. If no handle is available, the thread checks the word more
    // often.
    static BED: Option<Bed> = Bed::new();
}

impl Bed {
    fn new() -> Option<Self> {
        // `Event::new` retries after every failure, although that is right only for a name that is
        // in use. SAFETY: no name, no attributes.
        let unnamed = unsafe { CreateEventW(ptr::null(), 0, 0, ptr::null()) };
        if unnamed.is_null() {
            return None;
        }
        // SAFETY: just opened, and not owned by anything else.
        unsafe { CloseHandle(unnamed) };
        let mut number = 0_u32;
        // SAFETY: the number is written to a variable of its type.
        let (event, _) = unsafe { Event::new((&raw mut number).cast(), true) }.ok()?;
        (number != 0).then_some(Self { event, number })
    }
}

/// Monotonic time in ns. Since Windows Vista, all processes have the same counter.
pub(crate) fn now() -> u64 {
    static FREQUENCY: OnceLock<u64> = OnceLock::new();
    let frequency = *FREQUENCY.get_or_init(|| {
        let mut frequency = 0;
        // SAFETY: valid for writes. Cannot fail since Windows XP.
        unsafe { QueryPerformanceFrequency(&raw mut frequency) };
        frequency.max(1) as u64
    });
    let mut count = 0;
    // SAFETY: as above.
    unsafe { QueryPerformanceCounter(&raw mut count) };
    let count = count as u64;
    count / frequency * NANOS + count % frequency * NANOS / frequency
}

#[link(name = "ntdll", kind = "raw-dylib")]
unsafe extern "system" {
    fn RtlDllShutdownInProgress() -> u8;
}

/// Destructors of the last thread's thread-local values run after the other threads have been
/// stopped: see ExitProcess in the documentation of Win32.
pub(super) fn is_process_ending() -> bool {
    // SAFETY: no preconditions.
    unsafe { RtlDllShutdownInProgress() != 0 }
}

/// Windows has no cheaper clock with the same origin.
pub(crate) fn coarse_now() -> u64 {
    now()
}

/// Sleeps while `word` is `expected`, until it is woken or `deadline` has passed. May return early
/// without a reason.
pub(crate) fn wait(word: &Word, expected: u32, deadline: u64) {
    sleep(&[(word, expected)], OWNER, deadline);
}

/// Wakes the threads that sleep on `word`, if any.
pub(crate) fn wake_sleeper(word: &Word) {
    for sleeper in &word.sleepers {
        let mut number = sleeper.load(SeqCst);
        if number == 0 {
            continue;
        }
        // SAFETY: only reads the number.
        if let Ok((event, _)) = unsafe { Event::from_existing((&raw mut number).cast()) } {
            let _ = event.set(EventState::Signaled);
        }
    }
}

/// The number of words on which one thread can sleep: any number, because they share one event.
/// Each costs a store for every sleep.
pub(crate) fn wait_any_limit() -> usize {
    127
}

/// Sleeps while each of `words` has the value paired with it, until one is woken or `deadline` has
/// passed.
pub(crate) fn wait_any(words: &[(&Word, u32)], deadline: u64) {
    sleep(words, WATCHER, deadline);
}

/// Stores its event's number, then loads the word; the waker marks the word, then loads the number.
/// Dekker's scheme: at least one sees the other.
fn sleep(words: &[(&Word, u32)], place: usize, deadline: u64) {
    BED.with(|bed| {
        let number = bed.as_ref().map_or(0, |bed| bed.number);
        for (word, _) in words {
            word.sleepers[place].store(number, SeqCst);
        }
        let time = deadline.saturating_sub(now());
        if time != 0 && words.iter().all(|(word, expected)| word.news.load(SeqCst) == *expected) {
            // In whole milliseconds; 0 would not sleep at all.
            let at_most = |longest: u64| Duration::from_millis(time.min(longest).div_ceil(1_000_000));
            match bed {
                // An error means that the time has passed.
                Some(bed) => drop(bed.event.wait(Timeout::Val(at_most(GLANCE)))),
                None => std::thread::sleep(at_most(GLANCE_WITHOUT)),
            }
        }
        for (word, _) in words {
            word.sleepers[place].store(0, SeqCst);
        }
    });
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const IDLE: u32 = 0;
    const WOKEN: u32 = 1;

    /// How long `wait` sleeps if a wake follows after 20 ms, with `number` instead of its event's
    /// number. `None`: with its own number.
    fn sleeps_on(number: Option<u32>) -> u64 {
        let word = Word::default();
        thread::scope(|scope| {
            let sleeper = scope.spawn(|| {
                while word.news.load(SeqCst) == IDLE {
                    wait(&word, IDLE, now() + 60 * NANOS);
                }
                now()
            });
            thread::sleep(Duration::from_millis(20));
            while word.sleepers[OWNER].load(SeqCst) == 0 {
                thread::yield_now();
            }
            if let Some(number) = number {
                word.sleepers[OWNER].store(number, SeqCst);
            }
            let woken = now();
            word.news.store(WOKEN, SeqCst);
            wake_sleeper(&word);
            sleeper.join().unwrap().saturating_sub(woken)
        })
    }

    #[test]
    fn who_is_woken_by_its_number_sleeps_no_longer_and_who_is_not_found_a_glance_more_at_most() {
        let name: Vec<u16> = "event_4711\0".encode_utf16().collect();
        // An event of another program, which stays set. SAFETY: the name ends with a zero; no
        // attributes.
        let foreign = unsafe { CreateEventW(ptr::null(), 1, 0, name.as_ptr()) };
        assert!(!foreign.is_null());
        let median = |number| {
            let mut times: Vec<_> = (0..15).map(|_| sleeps_on(number)).collect();
            times.sort_unstable();
            times[times.len() / 2]
        };
        let found = median(None);
        let not_found = [0, 1, 4711].map(|number| median(Some(number)));
        // SAFETY: open, and not used by anything else.
        unsafe { CloseHandle(foreign) };
        assert!(not_found.iter().all(|time| (found * 2..NANOS).contains(time)), "{found}, {not_found:?}");
    }
}
