//! What the processes of one case share, outside the lock: a mailbox for each, and the checker page, which says which
//! actors are inside. All zero at the start of a case.

use std::ptr;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

/// The victim and its peers, `a` to `e`; `o` observes what is left.
pub const ACTORS: &str = "vabcdeo";
pub const VICTIM: usize = 0;
pub const OBSERVER: usize = ACTORS.len() - 1;

/// The limit of every wait for a condition. The conditions take milliseconds.
pub const BOUND: Duration = Duration::from_secs(10);

/// How many crash points of a victim's operation are kept.
const TRACE: usize = 1 << 14;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Inside {
    Nobody,
    Read,
    Upgradable,
    Write,
}

/// What an actor itself knows of its write hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It has none.
    Outside,
    /// It has called for one.
    Entering,
    /// It was granted one.
    Inside,
    /// It has called to end it.
    Leaving,
}

#[repr(C)]
pub struct Stage {
    /// Changes with everything that the driver may wait for.
    news: AtomicU32,
    pub actors: [Actor; ACTORS.len()],
    /// The pid that every holder must report as that of a writer that died inside.
    pub expected: AtomicU32,
    /// The number of the lock's value, and of the one that a writer sets or has set. 0: there is none.
    value: [AtomicU32; 2],
    /// The greatest fencing token seen.
    token: AtomicU64,
    /// Equal, except during a write.
    canary: [AtomicU64; 2],
    /// What went wrong first.
    violation: Text<512>,
    /// The crash points of the victim's operation, in order.
    steps: AtomicU32,
    trace: [AtomicU8; TRACE],
}

#[repr(C)]
pub struct Actor {
    pub command: Text<256>,
    pub answer: Text<128>,
    /// Commands given and carried out.
    pub told: AtomicU32,
    pub done: AtomicU32,
    /// How often it went to sleep.
    pub sleeps: AtomicU32,
    inside: AtomicU32,
    phase: AtomicU32,
    /// It reaches no further crash point: it is being killed, or stops.
    pub halts: AtomicU32,
    /// It is dead, or counts as dead.
    pub gone: AtomicU32,
}

/// A text that one process writes and another reads after a notification.
#[repr(C)]
pub struct Text<const N: usize> {
    length: AtomicU32,
    bytes: [AtomicU8; N],
}

impl<const N: usize> Text<N> {
    pub fn set(&self, text: &str) {
        let length = text.len().min(N);
        for (byte, value) in self.bytes.iter().zip(text.bytes()) {
            byte.store(value, SeqCst);
        }
        self.length.store(length as u32, SeqCst);
    }

    pub fn get(&self) -> String {
        let length = self.length.load(SeqCst) as usize;
        let bytes: Vec<u8> = self.bytes[..length].iter().map(|byte| byte.load(SeqCst)).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// What processes forked later share with this one.
///
/// # Safety
/// All zero is a valid value, and so is whatever any of them writes.
pub unsafe trait Shared: Sized + 'static {
    fn share() -> &'static Self {
        // SAFETY: takes numbers; asks for new memory.
        let memory = unsafe {
            libc::mmap(
                ptr::null_mut(),
                size_of::<Self>(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        assert_ne!(memory, libc::MAP_FAILED);
        // SAFETY: mapped for good, page-aligned and long enough; all zero is valid, as the implementor says.
        unsafe { &*memory.cast::<Self>() }
    }
}

// SAFETY: atomics alone.
unsafe impl Shared for Stage {}

impl Stage {
    /// Resets everything but the greatest token, because tokens grow over all cases. No other process may use it.
    pub fn clear(&self) {
        let token = self.token.load(SeqCst);
        // SAFETY: the memory is writable and this long, and no other process uses it now.
        unsafe { ptr::write_bytes(ptr::from_ref(self).cast_mut(), 0, 1) };
        self.token.store(token, SeqCst);
    }

    // ---- the value

    /// A writer sets the value of this number. If it dies in `set`, either may be the value.
    pub fn set_value(&self, number: u32, set: impl FnOnce()) {
        self.value[1].store(number, SeqCst);
        set();
        self.value[0].store(number, SeqCst);
    }

    /// The value is one that may be seen now.
    pub fn check_value(&self, me: usize, look: impl FnOnce() -> Result<u32, String>) {
        let before = self.value[0].load(SeqCst);
        let seen = look();
        let after = self.value.each_ref().map(|number| number.load(SeqCst));
        match seen {
            Ok(seen) if seen == before || after.contains(&seen) || after[0] != before => {}
            seen => self.fail(&format!("{} finds the value {seen:?}, not {before} or one of {after:?}", letter(me))),
        }
    }

    // ---- news

    pub fn tell_news(&self) {
        self.news.fetch_add(1, SeqCst);
        wake(&self.news);
    }

    pub fn news(&self) -> u32 {
        self.news.load(SeqCst)
    }

    /// Until there is news since `seen`, or for a millisecond.
    pub fn await_news(&self, seen: u32) {
        wait(&self.news, seen, Some(Duration::from_millis(1)));
    }

    pub fn fail(&self, what: &str) {
        if self.violation.get().is_empty() {
            self.violation.set(what);
        }
        self.tell_news();
    }

    pub fn failure(&self) -> Option<String> {
        Some(self.violation.get()).filter(|text| !text.is_empty())
    }

    // ---- the victim's crash points

    pub fn note_step(&self, label: usize) {
        let index = self.steps.fetch_add(1, SeqCst) as usize;
        if let Some(entry) = self.trace.get(index) {
            entry.store(label as u8, SeqCst);
        }
    }

    pub fn steps(&self) -> Vec<usize> {
        let length = (self.steps.load(SeqCst) as usize).min(TRACE);
        self.trace[..length].iter().map(|label| usize::from(label.load(SeqCst))).collect()
    }

    // ---- the checker page

    /// `me` holds the lock now. `token` is that of a write hold.
    pub fn enter(&self, me: usize, mode: Inside, token: u64) {
        self.actors[me].inside.store(mode as u32, SeqCst);
        for (other, actor) in self.actors.iter().enumerate().filter(|(other, _)| *other != me) {
            let held = actor.inside.load(SeqCst);
            let bad = match mode {
                Inside::Nobody => false,
                Inside::Read => held == Inside::Write as u32,
                Inside::Upgradable => held >= Inside::Upgradable as u32,
                Inside::Write => held != Inside::Nobody as u32,
            };
            if bad && actor.gone.load(SeqCst) == 0 {
                self.fail(&format!("{} holds {mode:?} while {} holds {held}", letter(me), letter(other)));
            }
        }
        if mode == Inside::Write {
            let last = self.token.fetch_max(token, SeqCst);
            if token <= last {
                self.fail(&format!("{} has token {token} after {last}", letter(me)));
            }
            self.canary[0].fetch_add(1, SeqCst);
        } else if self.expected.load(SeqCst) == 0 && self.canary[0].load(SeqCst) != self.canary[1].load(SeqCst) {
            self.fail(&format!("{} sees half a write, and no death was reported", letter(me)));
        }
    }

    /// `me` is about to release what it holds beyond `mode`.
    /// At most `limit` actors read.
    pub fn check_readers(&self, limit: u32) {
        let reads = |actor: &&Actor| actor.inside.load(SeqCst) == Inside::Read as u32 && actor.gone.load(SeqCst) == 0;
        let readers = self.actors.iter().filter(reads).count();
        if readers > limit as usize {
            self.fail(&format!("{readers} actors read, and the limit is {limit}"));
        }
    }

    pub fn leave(&self, me: usize, mode: Inside) {
        let writes = self.actors[me].inside.load(SeqCst) == Inside::Write as u32;
        if writes && mode != Inside::Write {
            self.canary[1].store(self.canary[0].load(SeqCst), SeqCst);
        }
        self.actors[me].inside.store(mode as u32, SeqCst);
    }

    pub fn set_phase(&self, me: usize, phase: Phase) {
        self.actors[me].phase.store(phase as u32, SeqCst);
    }

    pub fn is_in_phase(&self, me: usize, phase: Phase) -> bool {
        self.actors[me].phase.load(SeqCst) == phase as u32
    }
}

pub fn letter(actor: usize) -> &'static str {
    &ACTORS[actor..=actor]
}

/// Wakes the waiters for `word`, in any process.
pub fn wake(word: &AtomicU32) {
    // SAFETY: the call only names the word.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, i32::MAX) };
}

/// Sleeps while `word` is `value`, for `time` at most.
pub fn wait(word: &AtomicU32, value: u32, time: Option<Duration>) {
    let time = time.map(|time| libc::timespec { tv_sec: time.as_secs() as _, tv_nsec: time.subsec_nanos().into() });
    let time: *const libc::timespec = time.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: `word` and `time` outlive the call, which only reads them.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT, value, time) };
}
