//! Where a lock lives: shared memory found by name, or a file found by path. Both come with a lock file.
//!
//! Opening and closing wait for nobody. A new lock is made aside, complete and with its maker attached, and then gets its name in
//! one step, which fails if another process was faster. Who opens an existing one takes the byte of a slot ([`crate::sys::byte_lock`])
//! and then looks whether the lock was removed meanwhile ([`removal`]). Only where a file must be laid out in place, and where a
//! file is removed, one process after the other holds the file's setup byte ([`setup`]).

use std::io;
use std::path::PathBuf;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::{SystemTime, UNIX_EPOCH};

use memmap2::MmapRaw;

use crate::attachment::Options;
use crate::error::{Error, ErrorKind, Result};
use crate::shm::layout::{
    ANONYMOUS, DEFAULT_CAPACITY, FRESH, GateLine, Header, LAYOUT_HASH, LAYOUT_VERSION, MAGIC, MAX_CAPACITY, Preamble,
    ReaderBitmap, SLOTS_OFFSET, Slot, TRANSIENT, TicketLine, bytes_of, load_bytes, slots_of, store_bytes,
};
use crate::sys::byte_lock::LockFile;

mod directory;
pub(crate) mod disk;
pub(crate) mod file;
pub(crate) mod forked;
#[cfg(all(test, target_os = "linux"))]
pub(crate) mod heap;
pub(crate) mod layout;
mod memory;
pub(crate) mod named;
mod record;
mod records;
pub(crate) mod remedy;
pub(crate) mod removal;
mod setup;
pub(crate) mod sweep;
mod token_floor;
mod tokens;
mod unfinished;

/// What a new lock is to be like.
#[derive(Clone, Copy)]
struct New {
    capacity: u32,
    /// Of the header.
    flags: u32,
    /// Where its tokens begin, unless [`Segment::raise_tokens`] raises that: Unix time in ns.
    seed: u64,
}

impl New {
    fn of(options: &Options) -> Self {
        let flags = if options.transient { TRANSIENT } else { 0 } | if options.anonymous { ANONYMOUS } else { 0 };
        let flags = flags | FRESH;
        Self { capacity: options.capacity.unwrap_or(DEFAULT_CAPACITY), flags, seed: unix_nanos() }
    }
}

/// What keeps the memory mapped. No descriptor is kept for it.
enum Backing {
    #[cfg(unix)]
    Shared(MmapRaw),
    File(MmapRaw),
    #[cfg(all(test, target_os = "linux"))]
    Heap(std::sync::Arc<heap::Heap>),
}

impl Backing {
    fn base(&self) -> *mut u8 {
        match self {
            #[cfg(unix)]
            Self::Shared(map) => map.as_mut_ptr(),
            Self::File(map) => map.as_mut_ptr(),
            #[cfg(all(test, target_os = "linux"))]
            Self::Heap(heap) => heap.base(),
        }
    }

    fn len(&self) -> usize {
        match self {
            #[cfg(unix)]
            Self::Shared(map) => map.len(),
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
            Self::Shared(map) => (bytes..bytes + (16 << 10)).contains(&map.len()),
            _ => self.len() == bytes,
        }
    }
}

/// How a lock is found again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LockLocation {
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

impl std::fmt::Display for LockLocation {
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
    /// Before the mapping itself, which it must not outlive.
    mapping: Option<forked::Mapping>,
    /// Unmaps when dropped.
    _backing: Backing,
    pub lock: LockFile,
    pub location: LockLocation,
}

// SAFETY: the memory is reached through atomics only (see `layout`), stays mapped as long as the value lives, and neither
// unmapping nor the byte locks are bound to a thread.
unsafe impl Send for Segment {}
// SAFETY: as above; the `MmapRaw` is not touched again before the drop.
unsafe impl Sync for Segment {}

impl Segment {
    /// Lays a new lock out in zeroed memory. The magic comes last: a creator that dies before it leaves no valid lock.
    fn create(backing: Backing, lock: LockFile, location: LockLocation, new: New) -> Self {
        let New { capacity, flags, seed } = new;
        let segment = Self::over(backing, lock, location, slots_of(capacity));
        let header = segment.header();
        crash_point!(create_header);
        header.layout_hash.store(LAYOUT_HASH, Relaxed);
        header.layout_version.store(LAYOUT_VERSION, Relaxed);
        header.capacity.store(capacity, Relaxed);
        header.flags.store(flags, Relaxed);
        header.bytes.store(bytes_of(capacity) as u64, Relaxed);
        header.created.store(seed, Relaxed);
        crash_point!(create_last_token);
        segment.gate().last_token.store(seed, Relaxed);
        if let LockLocation::Named { name, .. } = &segment.location {
            crash_point!(create_name);
            store_bytes(&header.name, name.as_bytes());
            header.name_bytes.store(name.len() as u32, Relaxed);
        }
        crash_point!(create_magic);
        header.magic.store(MAGIC, Release);
        segment
    }

    /// Checks that `backing` is a lock of this layout and maps it. Nothing is written.
    fn existing(backing: Backing, lock: LockFile, location: LockLocation) -> Result<Self, (Error, LockFile)> {
        match check(&backing, &location) {
            Ok(slots) => Ok(Self::over(backing, lock, location, slots)),
            Err(error) => Err((error, lock)),
        }
    }

    fn over(backing: Backing, lock: LockFile, location: LockLocation, slots: usize) -> Self {
        let base = backing.base();
        assert!(base.cast::<Preamble>().is_aligned() && backing.len() >= SLOTS_OFFSET + slots * size_of::<Slot>());
        let base = NonNull::new(base).expect("a mapping is never at address 0");
        let mapping = match &backing {
            #[cfg(all(test, target_os = "linux"))]
            Backing::Heap(_) => None,
            backing => Some(forked::Mapping::of(backing.base(), backing.len())),
        };
        Self { base, slots, mapping, _backing: backing, lock, location }
    }

    /// Whether this process is a forked child of the one that opened it: then nothing of the lock is here.
    pub fn is_forked(&self) -> bool {
        self.mapping.as_ref().is_some_and(forked::Mapping::is_forked)
    }

    /// Fails in a forked child. See [`forked`].
    pub fn check_not_forked(&self) -> Result<()> {
        if self.is_forked() { Err(self.forked()) } else { Ok(()) }
    }

    #[cold]
    pub fn forked(&self) -> Error {
        Error::new(
            ErrorKind::Forked,
            format!(
                "{} was opened before this process was forked: a forked child inherits no lock and no hold. Open it again in \
                 the child",
                self.location
            ),
        )
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

    pub fn reader_bitmap(&self) -> &ReaderBitmap {
        &self.preamble().reader_bitmap
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
                    self.location,
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
        crash_point!(clean_load);
        let gate = crate::protocol::gate::Gate(self.gate().gate.load(Acquire));
        gate.is_free() && gate.died().is_none()
    }

    /// Takes a slot, of which the caller's lock file has the byte from then on. `None` if the lock was removed, or its file
    /// replaced: then it is to be looked for once more.
    pub fn enter(&self) -> Result<Option<usize>> {
        let slot = self.claim_slot()?;
        if self.veto_removal() && self.is_in_place()? {
            return slot.map(Some).ok_or_else(|| self.full());
        }
        Ok(None) // the byte goes with the file
    }

    /// Whether the lock file is still the one that name or path leads to.
    fn is_in_place(&self) -> Result<bool> {
        crash_point!(location_load);
        let (LockLocation::Named { record: path, .. } | LockLocation::File { path }) = &self.location;
        file::is_at(&self.lock, path, &self.location)
    }

    fn has_flag(&self, flag: u32) -> bool {
        crash_point!(flags_load);
        self.header().flags.load(Relaxed) & flag != 0
    }

    /// After the caller gave its slot up, the last one perhaps: a named lock that nobody has open goes, unless it has a death
    /// to report.
    pub fn remove_if_last(&self) {
        if matches!(self.location, LockLocation::Named { .. }) && matches!(self.lock.is_in_use(), Ok(false)) {
            // What cannot be removed is a left-over that the next opener finds.
            let _ = named::remove_if(self, named::is_settled);
        }
    }
}

fn name_in(header: &Header) -> Vec<u8> {
    let mut name = load_bytes(&header.name);
    name.truncate(header.name_bytes.load(Relaxed) as usize);
    name
}

/// The number of slots, if `backing` holds a lock of this layout at `place`.
fn check(backing: &Backing, location: &LockLocation) -> Result<usize> {
    let corrupt = |what: String| Err(not_a_lock(location, &what));
    let length = backing.len();
    if length < bytes_of(1) {
        return corrupt(format!("it has {length} bytes, and the smallest lock {}", bytes_of(1)));
    }
    // SAFETY: mappings are page-aligned and the length was checked; atomics allow every value and concurrent change.
    let header = unsafe { &(*backing.base().cast::<Preamble>()).header };
    crash_point!(check_magic);
    let magic = header.magic.load(Acquire);
    if magic != MAGIC {
        return corrupt(format!("it begins with {:?}", String::from_utf8_lossy(&magic.to_le_bytes())));
    }
    let (version, hash) = (header.layout_version.load(Relaxed), header.layout_hash.load(Relaxed));
    if (version, hash) != (LAYOUT_VERSION, LAYOUT_HASH) {
        return Err(Error::new(
            ErrorKind::Incompatible,
            format!(
                "{location} has layout {version} ({hash:016x}), this version of process-rwlock has layout {LAYOUT_VERSION} \
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
    if let LockLocation::File { .. } = location
        && header.name_bytes.load(Relaxed) != 0
    {
        return Err(Error::corrupt(format!(
            "{location} is the shared memory of lock '{}', whose users would not notice this one: open that by its name",
            String::from_utf8_lossy(&name_in(header)).escape_debug()
        )));
    }
    Ok(slots_of(capacity))
}

/// The memory or file at `place` cannot be a lock.
fn not_a_lock(location: &LockLocation, why: &str) -> Error {
    let advice = match location {
        LockLocation::Named { .. } => "stop the processes that have it open, and open it again",
        LockLocation::File { .. } => "choose another path, or remove the file if nobody needs it",
    };
    Error::corrupt(format!("{location} is not a valid lock: {why}. Nothing was changed; {advice}"))
}

/// The first byte lock of all could not be had.
pub(crate) fn cannot_lock(location: &impl std::fmt::Display, error: io::Error) -> Error {
    if !LockFile::is_unsupported(&error) {
        return Error::access(format!("cannot lock {location}"), error).during("fcntl");
    }
    Error::unsupported(
        format!(
            "{location} cannot be used here: this system has no open file description locks (fcntl F_OFD_SETLK), by which the \
             lock knows who is alive. WSL 1, old versions of gVisor and Linux before 3.15 lack them: use WSL 2, another \
             container runtime or a newer kernel"
        ),
        error,
    )
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
