//! Windows: `WaitOnAddress` sees the threads of its own process alone, so each thread that sleeps has a named event of its own,
//! and says its number beside the word. Whoever wakes opens the event by that name.
//!
//! An event is seen within one session only, and its name may be anybody's. So a sleep ends after [`GLANCE`] at the latest,
//! and its caller looks at the word: what went wrong costs time, and never a wake-up for good.
//! Source: CreateEventW and "Kernel object namespaces" in the documentation of Win32.

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

/// The longest sleep, in ns: a tick of the system's clock, which is what its timers can tell.
const GLANCE: u64 = 15_625_000;
/// The longest without an event.
const GLANCE_WITHOUT: u64 = 1_000_000;

const NANOS: u64 = 1_000_000_000;

/// The place of who sleeps in [`wait`] among a word's sleepers, and of who sleeps in [`wait_any`].
const OWNER: usize = 0;
const WATCHER: usize = 1;

/// What this thread sleeps on.
struct Bed {
    event: Box<dyn EventImpl>,
    /// By which others find it; never 0.
    number: u32,
}

thread_local! {
    // Closed with the thread. Without one, for want of handles, it looks more often.
    static BED: Option<Bed> = Bed::new();
}

impl Bed {
    fn new() -> Option<Self> {
        // `Event::new` tries for as long as it fails, which is right for a name that is taken, and for nothing else.
        // SAFETY: no name, no attributes.
        let unnamed = unsafe { CreateEventW(ptr::null(), 0, 0, ptr::null()) };
        if unnamed.is_null() {
            return None;
        }
        // SAFETY: just opened, and nobody else's.
        unsafe { CloseHandle(unnamed) };
        let mut number = 0_u32;
        // SAFETY: the number is written to where it belongs.
        let (event, _) = unsafe { Event::new((&raw mut number).cast(), true) }.ok()?;
        (number != 0).then_some(Self { event, number })
    }
}

/// Monotonic time in ns: the counter is the same for all processes, since Windows Vista.
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

/// Destructors of the last thread's locals run when the others have been stopped: see ExitProcess in the documentation of Win32.
pub(super) fn is_process_ending() -> bool {
    // SAFETY: no preconditions.
    unsafe { RtlDllShutdownInProgress() != 0 }
}

/// There is no cheaper clock that counts from the same moment.
pub(crate) fn coarse_now() -> u64 {
    now()
}

/// Sleeps while `word` is `expected`, until woken or past `deadline`. May return early for no reason.
pub(crate) fn wait(word: &Word, expected: u32, deadline: u64) {
    sleep(&[(word, expected)], OWNER, deadline);
}

/// Wakes the threads that sleep on `word`, if there are any.
pub(crate) fn wake_sleeper(word: &Word) {
    for sleeper in &word.sleepers {
        let mut number = sleeper.load(SeqCst);
        if number == 0 {
            continue;
        }
        // SAFETY: reads the number only.
        if let Ok((event, _)) = unsafe { Event::from_existing((&raw mut number).cast()) } {
            let _ = event.set(EventState::Signaled);
        }
    }
}

/// How many words one thread can sleep on: any number, since it is one event. Each costs a store at every sleep.
pub(crate) fn wait_any_limit() -> usize {
    127
}

/// Sleeps while every one of `words` has the value beside it, until one is woken or past `deadline`.
pub(crate) fn wait_any(words: &[(&Word, u32)], deadline: u64) {
    sleep(words, WATCHER, deadline);
}

/// Says where it sleeps, then looks; the waker marks the word, then looks who sleeps there. Dekker's scheme: one sees the other.
fn sleep(words: &[(&Word, u32)], place: usize, deadline: u64) {
    BED.with(|bed| {
        let number = bed.as_ref().map_or(0, |bed| bed.number);
        for (word, _) in words {
            word.sleepers[place].store(number, SeqCst);
        }
        let time = deadline.saturating_sub(now());
        if time != 0 && words.iter().all(|(word, expected)| word.news.load(SeqCst) == *expected) {
            // In whole milliseconds, and none is no sleep at all.
            let at_most = |longest: u64| Duration::from_millis(time.min(longest).div_ceil(1_000_000));
            match bed {
                // An error means that time is up.
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

    /// How long `wait` sleeps that begins 20 ms before a wake-up, if `number` is where its own should be. `None`: its own is.
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
        // Somebody else's, which stays set.
        // SAFETY: the name ends with a zero; no attributes.
        let foreign = unsafe { CreateEventW(ptr::null(), 1, 0, name.as_ptr()) };
        assert!(!foreign.is_null());
        let median = |number| {
            let mut times: Vec<_> = (0..15).map(|_| sleeps_on(number)).collect();
            times.sort_unstable();
            times[times.len() / 2]
        };
        let found = median(None);
        let not_found = [0, 1, 4711].map(|number| median(Some(number)));
        // SAFETY: open, and used by nobody else.
        unsafe { CloseHandle(foreign) };
        assert!(not_found.iter().all(|time| (found * 2..NANOS).contains(time)), "{found}, {not_found:?}");
    }
}
