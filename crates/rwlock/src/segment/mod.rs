//! Where a lock lives: shared memory found by name, or a file found by path. Both come with a lock file, and every step of
//! opening, closing and removing happens while its setup byte is held ([`crate::liveness`]), so those steps are simple.

use std::io;
use std::path::PathBuf;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use memmap2::MmapRaw;

use crate::error::{Error, ErrorKind, Result};
use crate::layout::{
    GateLine, Header, LAYOUT_HASH, LAYOUT_VERSION, Listing, MAGIC, MAX_CAPACITY, Preamble, SLOTS_OFFSET, Slot,
    TicketLine, bytes_of, load_bytes, slots_of, store_bytes,
};
use crate::liveness::{LockFile, SETUP_BYTE};

mod directory;
pub(crate) mod disk;
mod fence;
pub(crate) mod file;
#[cfg(all(test, target_os = "linux"))]
pub(crate) mod heap;
mod memory;
pub(crate) mod named;
mod record;
pub(crate) mod remedy;
mod tokens;
mod unfinished;

/// How long opening waits for another process that is in the middle of opening or closing the same lock. It needs well
/// under a millisecond for that, unless somebody stopped it right there.
const SETUP_PATIENCE: Duration = Duration::from_secs(5);

/// What keeps the memory mapped.
enum Backing {
    #[cfg(unix)]
    Shared(shared_memory::Shmem),
    File(MmapRaw),
    #[cfg(all(test, target_os = "linux"))]
    Heap(std::sync::Arc<heap::Heap>),
}

impl Backing {
    fn base(&self) -> *mut u8 {
        match self {
            #[cfg(unix)]
            Self::Shared(memory) => memory.as_ptr(),
            Self::File(map) => map.as_mut_ptr(),
            #[cfg(all(test, target_os = "linux"))]
            Self::Heap(heap) => heap.base(),
        }
    }

    fn len(&self) -> usize {
        match self {
            #[cfg(unix)]
            Self::Shared(memory) => memory.len(),
            Self::File(map) => map.len(),
            #[cfg(all(test, target_os = "linux"))]
            Self::Heap(heap) => heap.len(),
        }
    }

    /// Whether it has as many bytes as a lock needs.
    fn fits(&self, bytes: usize) -> bool {
        match self {
            // Whole pages, which have 16 KiB at most.
            #[cfg(target_os = "macos")]
            Self::Shared(memory) => (bytes..bytes + (16 << 10)).contains(&memory.len()),
            _ => self.len() == bytes,
        }
    }
}

/// How a lock is found again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// `record` is the lock file, which names the shared memory `id`.
    Named {
        name: String,
        record: PathBuf,
        id: String,
    },
    File {
        path: PathBuf,
    },
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Named { name, .. } => write!(f, "lock '{}'", name.escape_debug()),
            Self::File { path } => write!(f, "lock {}", path.display()),
        }
    }
}

/// A mapped lock and its open lock file.
pub(crate) struct Segment {
    base: NonNull<u8>,
    slots: usize,
    /// Unmaps when dropped.
    _backing: Backing,
    pub lock: LockFile,
    pub place: Place,
}

// SAFETY: the memory is reached through atomics only (see `layout`), stays mapped as long as the value lives, and neither
// unmapping nor the byte locks are bound to a thread.
unsafe impl Send for Segment {}
// SAFETY: as above; `Shmem` and `MmapRaw` are not touched again before the drop.
unsafe impl Sync for Segment {}

impl Segment {
    /// Lays a new lock out in zeroed memory. The magic comes last: a creator that dies before it leaves no valid lock.
    fn create(backing: Backing, lock: LockFile, place: Place, capacity: u32, seed: u64) -> Self {
        let segment = Self::over(backing, lock, place, slots_of(capacity));
        let header = segment.header();
        step!(create_header);
        header.layout_hash.store(LAYOUT_HASH, Relaxed);
        header.layout_version.store(LAYOUT_VERSION, Relaxed);
        header.capacity.store(capacity, Relaxed);
        header.bytes.store(bytes_of(capacity) as u64, Relaxed);
        header.created.store(seed, Relaxed);
        step!(create_fence);
        segment.gate().fence.store(seed, Relaxed);
        if let Place::Named { name, .. } = &segment.place {
            step!(create_name);
            store_bytes(&header.name, name.as_bytes());
            header.name_bytes.store(name.len() as u32, Relaxed);
        }
        step!(create_magic);
        header.magic.store(MAGIC, Release);
        segment
    }

    /// Checks that `backing` is a lock of this layout and maps it. Nothing is written.
    fn existing(backing: Backing, lock: LockFile, place: Place) -> Result<Self, (Error, LockFile)> {
        match check(&backing, &place) {
            Ok(slots) => Ok(Self::over(backing, lock, place, slots)),
            Err(error) => Err((error, lock)),
        }
    }

    fn over(backing: Backing, lock: LockFile, place: Place, slots: usize) -> Self {
        let base = backing.base();
        assert!(base.cast::<Preamble>().is_aligned() && backing.len() >= SLOTS_OFFSET + slots * size_of::<Slot>());
        let base = NonNull::new(base).expect("a mapping is never at address 0");
        Self { base, slots, _backing: backing, lock, place }
    }

    fn preamble(&self) -> &Preamble {
        // SAFETY: `over` checked alignment and length; the memory is mapped while `self` lives, and consists of atomics,
        // for which every bit pattern is valid and every concurrent change is allowed.
        unsafe { self.base.cast::<Preamble>().as_ref() }
    }

    pub fn header(&self) -> &Header {
        &self.preamble().header
    }

    pub fn gate(&self) -> &GateLine {
        &self.preamble().gate
    }

    pub fn listing(&self) -> &Listing {
        &self.preamble().listing
    }

    pub fn tickets(&self) -> &TicketLine {
        &self.preamble().ticket
    }

    /// Every slot there is, used or not.
    pub fn slots(&self) -> &[Slot] {
        // SAFETY: within the mapping, by the check in `over`.
        let first = unsafe { self.base.add(SLOTS_OFFSET) };
        // SAFETY: as in `preamble`; `over` checked that `slots` of them fit, and 1152 is a multiple of their alignment.
        unsafe { std::slice::from_raw_parts(first.cast::<Slot>().as_ptr(), self.slots) }
    }

    pub fn capacity(&self) -> u32 {
        self.slots as u32 - 1
    }

    /// Fails if a capacity was asked for that the lock does not have.
    pub fn check_capacity(&self, asked: Option<u32>) -> Result<()> {
        match asked {
            Some(asked) if asked != self.capacity() => Err(Error::new(
                ErrorKind::Incompatible,
                format!(
                    "{} was made for {} attachments, not {asked}: leave the capacity out to take it as it is",
                    self.place,
                    self.capacity()
                ),
            )),
            _ => Ok(()),
        }
    }

    /// The name it was made for; empty for a file.
    fn name(&self) -> Vec<u8> {
        name_in(self.header())
    }

    fn into_lock(self) -> LockFile {
        self.lock
    }

    /// Nobody's death is left to be told, and nobody holds the gate, dead or alive.
    pub fn is_clean(&self) -> bool {
        step!(clean_look);
        let gate = crate::gate::Gate(self.gate().gate.load(Acquire));
        gate.is_free() && gate.died().is_none()
    }

    /// Waits for the setup byte, so that no other process opens, closes or removes this lock meanwhile.
    pub fn enter_setup(&self, patience: Duration) -> Result<()> {
        enter_setup(&self.lock, &self.place, patience)
    }

    pub fn leave_setup(&self) {
        // Unlocking a byte that is locked cannot fail but for a closed descriptor, which would have unlocked it.
        step!(setup_unlock);
        let _ = self.lock.unlock(SETUP_BYTE);
    }
}

fn name_in(header: &Header) -> Vec<u8> {
    let mut name = load_bytes(&header.name);
    name.truncate(header.name_bytes.load(Relaxed) as usize);
    name
}

/// The number of slots, if `backing` holds a lock of this layout at `place`.
fn check(backing: &Backing, place: &Place) -> Result<usize> {
    let corrupt = |what: String| Err(not_a_lock(place, &what));
    let length = backing.len();
    if length < bytes_of(1) {
        return corrupt(format!("it has {length} bytes, and the smallest lock {}", bytes_of(1)));
    }
    // SAFETY: mappings are page-aligned and the length was checked; atomics allow every value and concurrent change.
    let header = unsafe { &(*backing.base().cast::<Preamble>()).header };
    step!(check_magic);
    let magic = header.magic.load(Acquire);
    if magic != MAGIC {
        return corrupt(format!("it begins with {:?}", String::from_utf8_lossy(&magic.to_le_bytes())));
    }
    let (version, hash) = (header.layout_version.load(Relaxed), header.layout_hash.load(Relaxed));
    if (version, hash) != (LAYOUT_VERSION, LAYOUT_HASH) {
        return Err(Error::new(
            ErrorKind::Incompatible,
            format!(
                "{place} has layout {version} ({hash:016x}), this version of process-rwlock has layout {LAYOUT_VERSION} \
                 ({LAYOUT_HASH:016x}): use the same version in every process, or remove the lock when none has it open"
            ),
        ));
    }
    let capacity = header.capacity.load(Relaxed);
    if !(1..=MAX_CAPACITY).contains(&capacity) {
        return corrupt(format!("its capacity is {capacity}"));
    }
    let (expected, said) = (bytes_of(capacity), header.bytes.load(Relaxed));
    if !backing.fits(expected) || said != expected as u64 {
        return corrupt(format!("it has {length} bytes, its header says {said}, capacity {capacity} needs {expected}"));
    }
    if let Place::File { .. } = place
        && header.name_bytes.load(Relaxed) != 0
    {
        return Err(Error::corrupt(format!(
            "{place} is the shared memory of lock '{}', whose users would not notice this one: open that by its name",
            String::from_utf8_lossy(&name_in(header)).escape_debug()
        )));
    }
    Ok(slots_of(capacity))
}

/// The memory or file at `place` cannot be a lock.
fn not_a_lock(place: &Place, why: &str) -> Error {
    let advice = match place {
        Place::Named { .. } => "stop the processes that have it open, and open it again",
        Place::File { .. } => "choose another path, or remove the file if nobody needs it",
    };
    Error::corrupt(format!("{place} is not a valid lock: {why}. Nothing was changed; {advice}"))
}

fn enter_setup(lock: &LockFile, place: &impl std::fmt::Display, patience: Duration) -> Result<()> {
    let start = Instant::now();
    let mut pause = Duration::from_micros(20);
    step!(setup_lock);
    // Polled, since a blocking request could not be bounded.
    let cannot = |error| Error::access(format!("cannot lock {place}"), error).during("fcntl");
    while !lock.try_lock(SETUP_BYTE).map_err(cannot)? {
        if start.elapsed() >= patience {
            return Err(Error::new(
                ErrorKind::Busy,
                format!(
                    "another process has been opening or closing {place} for {} ms without finishing: is it stopped?",
                    patience.as_millis()
                ),
            ));
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(1));
    }
    Ok(())
}

fn unix_nanos() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

fn no_such_file<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
