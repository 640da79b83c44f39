//! The page that all processes of a stress test share: which actors believe that they hold the lock, a canary that only
//! holders touch, and what the driver requests. Nothing of the lock under test protects it or is needed to read it.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicU32, AtomicU64};

use memmap2::MmapRaw;

use crate::record::Mode;
use crate::system::is_gone;

/// Threads of a process that are actors.
pub const THREADS: usize = 2;
/// Actors that the page has room for: 16 processes, and the lock keeper.
pub const ACTORS: usize = 17 * THREADS;
/// Waits of one actor that are watched at once.
const WAITS: usize = 8;

/// Words of the canary.
pub(crate) const CANARY: usize = 8;

/// What is shared. All zero at first.
#[repr(C)]
pub(crate) struct Shared {
    /// Not zero: a process found a violation and has recorded it.
    pub failed: AtomicU32,
    /// Not zero: every process shall end by itself.
    pub stop: AtomicU32,
    /// Not zero: the calm fault profile. Actors pause long between operations.
    pub calm: AtomicU32,
    /// A bit for every process that takes the lock as often as it can without waiting.
    pub bargers: AtomicU32,
    /// The most read holds at once; 0: no limit.
    pub limit: AtomicU32,
    /// The token of the last writer that came inside.
    pub last_token: AtomicU64,
    /// The same in every word, unless a writer is inside or died there. Never accessed atomically.
    canary: [u64; CANARY],
    pub actors: [Entry; ACTORS],
}

/// An actor.
#[repr(C, align(128))]
pub(crate) struct Entry {
    /// See [`Inside`].
    pub inside: AtomicU64,
    /// When each of its waits began; 0: none.
    pub waits: [AtomicU64; WAITS],
}

/// ```text
/// bit  0..16  reads      read holds
///     16..18  exclusive  0 none, else 2 upgradable or 3 write
///     18      leaving    it is about to end by itself, or to be terminated: what it holds no longer counts
///     32..64  pid        0: none
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Inside(pub u64);

const READS: u64 = 0xffff;
const EXCLUSIVE_SHIFT: u32 = 16;
const LEAVING: u64 = 1 << 18;
const PID_SHIFT: u32 = 32;

impl Inside {
    fn of(pid: u32) -> Self {
        Self(u64::from(pid) << PID_SHIFT)
    }

    pub fn pid(self) -> u32 {
        (self.0 >> PID_SHIFT) as u32
    }

    fn reads(self) -> u64 {
        self.0 & READS
    }

    fn exclusive(self) -> u64 {
        (self.0 >> EXCLUSIVE_SHIFT) & 0b11
    }

    fn is_leaving(self) -> bool {
        self.0 & LEAVING != 0
    }

    pub fn with(self, mode: Mode) -> Self {
        if mode == Mode::Read { Self(self.0 + 1) } else { Self(self.0 | (mode as u64) << EXCLUSIVE_SHIFT) }
    }

    pub fn without(self, mode: Mode) -> Self {
        if mode == Mode::Read { Self(self.0 - 1) } else { Self(self.0 & !(0b11 << EXCLUSIVE_SHIFT)) }
    }

    /// The two cannot be inside at once.
    fn conflicts(self, other: Self) -> bool {
        let write = Mode::Write as u64;
        (self.exclusive() == write && (other.reads() != 0 || other.exclusive() != 0))
            || (other.exclusive() == write && (self.reads() != 0 || self.exclusive() != 0))
            || (self.exclusive() != 0 && other.exclusive() != 0)
    }

    /// More than one attachment can have.
    fn conflicts_with_itself(self) -> bool {
        self.exclusive() == Mode::Write as u64 && self.reads() != 0
    }

    fn text(self) -> String {
        let exclusive = ["", "", ", upgradable", ", write"][self.exclusive() as usize];
        format!("pid {} ({} reads{exclusive})", self.pid(), self.reads())
    }
}

/// The page, mapped.
pub struct OraclePage(MmapRaw);

impl OraclePage {
    /// Maps the page of the stress test in `folder`, and makes it if it is missing.
    ///
    /// # Errors
    /// If it cannot be mapped.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join("oracle-page");
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        file.set_len(size_of::<Shared>() as u64)?;
        Ok(Self(MmapRaw::map_raw(&file)?))
    }

    pub(crate) fn shared(&self) -> &Shared {
        // SAFETY: mapped for as long as `self` lives, aligned to a page, and long enough; every bit pattern is valid. The
        // canary is reached through pointers only.
        unsafe { &*self.0.as_mut_ptr().cast::<Shared>() }
    }

    fn canary(&self, word: usize) -> *mut u64 {
        assert!(word < CANARY);
        let start = self.0.as_mut_ptr().wrapping_add(std::mem::offset_of!(Shared, canary));
        start.cast::<u64>().wrapping_add(word)
    }

    pub(crate) fn canary_word(&self, word: usize) -> u64 {
        // SAFETY: within the mapping, and aligned. Plain (volatile), because only the lock under test excludes writers.
        unsafe { self.canary(word).read_volatile() }
    }

    pub(crate) fn set_canary_word(&self, word: usize, value: u64) {
        // SAFETY: as in `canary_word`.
        unsafe { self.canary(word).write_volatile(value) }
    }

    /// A life begins or ends: the actor is not inside and does not wait.
    pub(crate) fn clear(&self, actor: usize, pid: u32) {
        let entry = &self.shared().actors[actor];
        for wait in &entry.waits {
            wait.store(0, Relaxed);
        }
        entry.inside.store(Inside::of(pid).0, SeqCst);
    }

    /// What the threads of this process hold no longer counts: see [`Inside`].
    pub fn clear_process(&self, process: usize) {
        (process * THREADS..(process + 1) * THREADS).for_each(|actor| self.clear(actor, 0));
    }

    /// `actor` is about to end with all it holds.
    pub fn leaving(&self, actor: usize) {
        self.shared().actors[actor].inside.fetch_or(LEAVING, SeqCst);
    }

    /// Changes what `actor` is recorded to hold, and returns a conflict with another actor, if any.
    pub(crate) fn change(&self, actor: usize, change: impl Fn(Inside) -> Inside) -> Option<String> {
        let entries = &self.shared().actors;
        // First the own entry, then the others, sequentially consistent: of two that are inside at once, one sees the other.
        let old = entries[actor]
            .inside
            .fetch_update(SeqCst, SeqCst, |inside| Some(change(Inside(inside)).0))
            .expect("always some");
        let own = change(Inside(old));
        if own.conflicts_with_itself() {
            return Some(format!("{} holds both", own.text()));
        }
        let others = entries.iter().enumerate().filter(|(index, _)| *index != actor);
        others.map(|(_, entry)| Inside(entry.inside.load(SeqCst))).find_map(|other| {
            let overlap = own.conflicts(other) && !other.is_leaving() && !own.is_leaving() && !is_gone(other.pid());
            overlap.then(|| format!("overlap: {} and {}", own.text(), other.text()))
        })
    }

    /// More read holds than the limit allows, if there are.
    pub(crate) fn too_many_readers(&self) -> Option<String> {
        let limit = u64::from(self.limit());
        let inside = || self.shared().actors.iter().map(|entry| Inside(entry.inside.load(SeqCst)));
        let count = |counts: fn(&Inside) -> bool| inside().filter(counts).map(Inside::reads).sum::<u64>();
        // Only then the processes are looked at, which takes long.
        if limit == 0 || count(|inside| !inside.is_leaving()) <= limit {
            return None;
        }
        let readers = count(|inside| inside.reads() != 0 && !inside.is_leaving() && !is_gone(inside.pid()));
        (readers > limit).then(|| format!("{readers} read holds at once, of {limit} at most"))
    }

    /// The most read holds at once; 0: no limit.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.shared().limit.load(Relaxed)
    }

    pub(crate) fn set_limit(&self, limit: u32) {
        self.shared().limit.store(limit, Relaxed);
    }

    /// Notes a wait that began at `now`. Returns its place, if there is one left.
    pub(crate) fn wait_begins(&self, actor: usize, now: u64) -> Option<usize> {
        let waits = &self.shared().actors[actor].waits;
        let place = waits.iter().position(|wait| wait.load(Relaxed) == 0)?;
        waits[place].store(now, Relaxed);
        Some(place)
    }

    pub(crate) fn wait_ends(&self, actor: usize, place: usize) {
        self.shared().actors[actor].waits[place].store(0, Relaxed);
    }

    /// The present waits: the actor, and when it began to wait.
    #[must_use]
    pub fn waits(&self) -> Vec<(usize, u64)> {
        let entries = self.shared().actors.iter().enumerate();
        entries
            .flat_map(|(actor, entry)| entry.waits.iter().map(move |wait| (actor, wait.load(Relaxed))))
            .filter(|&(_, since)| since != 0)
            .collect()
    }

    /// The process that is inside exclusively now, if one is.
    #[must_use]
    pub fn inside_exclusively(&self) -> Option<usize> {
        let entries = self.shared().actors.iter();
        let found = entries.map(|entry| Inside(entry.inside.load(SeqCst))).position(|inside| inside.exclusive() != 0);
        found.map(|actor| actor / THREADS)
    }

    /// Whether a process found a violation.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        self.shared().failed.load(SeqCst) != 0
    }

    /// Whether all processes must end.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.shared().stop.load(SeqCst) != 0
    }

    /// Requests that all processes end by themselves.
    pub fn stop(&self) {
        self.shared().stop.store(1, SeqCst);
    }

    /// Whether actors pause long.
    #[must_use]
    pub fn is_calm(&self) -> bool {
        self.shared().calm.load(Relaxed) != 0
    }

    /// Whether this process barges now.
    #[must_use]
    pub fn barges(&self, process: usize) -> bool {
        self.shared().bargers.load(Relaxed) & 1 << process != 0
    }

    /// Has the processes barge whose bits are set.
    pub fn set_bargers(&self, processes: u32) {
        self.shared().bargers.store(processes, Relaxed);
    }

    /// Makes actors pause long, or not.
    pub fn set_calm(&self, calm: bool) {
        self.shared().calm.store(u32::from(calm), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page in a folder of its own.
    fn with_page(name: &str, test: impl Fn(&OraclePage)) {
        let folder = std::env::temp_dir().join(format!("stress-oracle-page-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let page = OraclePage::open(&folder).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        test(&page);
    }

    #[test]
    fn who_is_inside_at_once_and_must_not_be_is_found() {
        let me = std::process::id();
        for (first, second, conflict) in [
            (Mode::Read, Mode::Read, false),
            (Mode::Read, Mode::Upgradable, false),
            (Mode::Upgradable, Mode::Read, false),
            (Mode::Upgradable, Mode::Upgradable, true),
            (Mode::Read, Mode::Write, true),
            (Mode::Write, Mode::Read, true),
            (Mode::Write, Mode::Upgradable, true),
            (Mode::Upgradable, Mode::Write, true),
            (Mode::Write, Mode::Write, true),
        ] {
            with_page("overlap", |page| {
                page.clear(0, me);
                page.clear(1, me);
                assert_eq!(page.change(0, |inside| inside.with(first)), None);
                assert_eq!(page.change(1, |inside| inside.with(second)).is_some(), conflict, "{first:?} {second:?}");
                assert_eq!(page.change(1, |inside| inside.without(second)), None);
                assert_eq!(page.change(0, |inside| inside.without(first)), None);
                assert_eq!(page.change(1, |inside| inside.with(second)), None);
            });
        }
    }

    #[test]
    fn the_dead_and_the_leaving_do_not_count() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        with_page("dead", |page| {
            page.clear(0, pid);
            page.clear(1, std::process::id());
            page.change(0, |inside| inside.with(Mode::Write));
            assert_eq!(page.change(1, |inside| inside.with(Mode::Write)), None);
        });
        with_page("leaving", |page| {
            page.clear(0, std::process::id());
            page.clear(1, std::process::id());
            page.change(0, |inside| inside.with(Mode::Write));
            page.leaving(0);
            assert_eq!(page.change(1, |inside| inside.with(Mode::Write)), None);
        });
    }
}
