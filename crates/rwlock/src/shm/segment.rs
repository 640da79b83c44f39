//! A lock that this process has mapped, with its open lock file.

use std::mem::offset_of;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::backing::Backing;
use super::layout::{
    ANONYMOUS, FRESH, GateLine, Header, KEEPS_TURNS, LAYOUT_HASH, LAYOUT_VERSION, MAGIC, Preamble, SLOTS_OFFSET, Slot,
    TRANSIENT, bytes_of, load_bytes, slots_of, store_bytes,
};
use super::location::LockLocation;
use super::lock_file::LockFile;
use crate::error::{Error, ErrorKind, Result};
use crate::options::{DEFAULT_CAPACITY, MAX_CAPACITY, MAX_READERS, Options};
use crate::protocol::gate::Gate;
use crate::protocol::recovery::Recovery;
use crate::protocol::state::SharedState;
use crate::sys::clock::unix_nanos;
use crate::sys::fork;

/// The properties of a new lock.
#[derive(Clone, Copy)]
pub(super) struct New {
    pub capacity: u32,
    /// The most read holds; 0: no limit.
    pub max_readers: u32,
    /// The flags of the header.
    pub flags: u32,
    /// The first token, unless [`super::tokens::raise`] raises it: Unix time in ns.
    pub seed: u64,
}

impl New {
    pub fn of(options: &Options) -> Self {
        let flag = |chosen, flag| if chosen { flag } else { 0 };
        let flags = flag(options.transient, TRANSIENT)
            | flag(options.anonymous, ANONYMOUS)
            | flag(options.keeps_turns, KEEPS_TURNS)
            | FRESH;
        let (capacity, max_readers) =
            (options.capacity.unwrap_or(DEFAULT_CAPACITY), options.max_readers.unwrap_or_default());
        Self { capacity, max_readers, flags, seed: unix_nanos() }
    }
}

/// A mapped lock and its open lock file.
pub(crate) struct Segment {
    state: SharedState,
    /// Declared before the mapping itself, which it must not outlive.
    mapping: Option<fork::Mapping>,
    /// Unmaps the memory when dropped.
    backing: Backing,
    pub lock: LockFile,
    pub location: LockLocation,
}

/// In a forked child, the gate admits no one.
const IN_FORKED_CHILD: fork::Substitute =
    fork::Substitute { offset: offset_of!(Preamble, gate) + offset_of!(GateLine, gate), value: Gate::FORKED.0 };

impl Deref for Segment {
    type Target = SharedState;

    #[inline]
    fn deref(&self) -> &SharedState {
        &self.state
    }
}

// SAFETY: the memory is accessed through atomics only (see `layout`) and stays mapped as long as
// the value lives. Neither unmapping nor the byte locks depend on a thread.
unsafe impl Send for Segment {}
// SAFETY: as above; the `MmapRaw` is not accessed again before the drop.
unsafe impl Sync for Segment {}

impl Segment {
    /// Initializes a new lock in zeroed memory. The magic is written last, so a creator that dies
    /// earlier leaves no valid lock.
    pub(super) fn create(backing: Backing, lock: LockFile, location: LockLocation, new: New) -> Self {
        let New { capacity, max_readers, flags, seed } = new;
        let segment = Self::over(backing, lock, location, slots_of(capacity), max_readers);
        let header = segment.header();
        crash_point!(create_header);
        header.layout_hash.store(LAYOUT_HASH, Relaxed);
        header.layout_version.store(LAYOUT_VERSION, Relaxed);
        header.capacity.store(capacity, Relaxed);
        header.max_readers.store(max_readers, Relaxed);
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

    /// Checks that `backing` contains a lock of this layout, and maps it. Writes nothing.
    pub(super) fn existing(
        backing: Backing,
        lock: LockFile,
        location: LockLocation,
    ) -> Result<Self, (Error, LockFile)> {
        match check_backing(&backing, &location) {
            Ok((slots, limit)) => Ok(Self::over(backing, lock, location, slots, limit)),
            Err(error) => Err((error, lock)),
        }
    }

    fn over(backing: Backing, lock: LockFile, location: LockLocation, slots: usize, limit: u32) -> Self {
        let base = backing.base();
        assert!(base.cast::<Preamble>().is_aligned() && backing.len() >= SLOTS_OFFSET + slots * size_of::<Slot>());
        let base = NonNull::new(base).expect("a mapping is never at address 0");
        let mapping = match &backing {
            #[cfg(all(test, target_os = "linux"))]
            Backing::Heap(_) => None,
            backing => Some(fork::Mapping::of(backing.base(), backing.len(), IN_FORKED_CHILD)),
        };
        // SAFETY: checked above; `backing` stays mapped as long as the segment lives.
        let state = unsafe { SharedState::over(base.cast(), slots, limit) };
        Self { state, mapping, backing, lock, location }
    }

    /// Repairs what dead attachments left.
    #[inline]
    pub fn recovery(&self) -> Recovery<'_> {
        Recovery::new(self, &self.lock)
    }

    /// Whether the memory survives a power failure.
    pub(super) fn is_on_disk(&self) -> bool {
        matches!((&self.location, &self.backing), (LockLocation::File { .. }, Backing::File(_)))
    }

    /// Whether this process was forked from the one that opened the lock. A forked child cannot
    /// access the lock's memory.
    pub fn is_forked(&self) -> bool {
        self.mapping.as_ref().is_some_and(fork::Mapping::is_forked)
    }

    /// Fails in a forked child. See [`fork`].
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

    #[cold]
    pub(crate) fn gate_lost_error(&self, gate: Gate) -> Error {
        if self.is_forked() {
            return self.forked();
        }
        Error::corrupt(format!(
            "{} was corrupted while it was held exclusively (gate {:#x}): its memory was modified externally, and another \
             holder may have changed the protected data at the same time",
            self.location, gate.0
        ))
    }

    #[cold]
    pub fn damaged(&self, gate: Gate) -> Error {
        if self.is_forked() {
            return self.forked();
        }
        Error::corrupt(format!(
            "{} is corrupted (gate {:#x}): its memory was modified externally. Stop the processes that use it, and remove it",
            self.location, gate.0
        ))
    }

    #[cold]
    pub fn phantom_hold_error(&self, gate: Gate) -> Error {
        let pid = self.slots().get(gate.owner()).map_or(0, |slot| slot.waiting.pid.load(Relaxed));
        Error::corrupt(format!(
            "{} is corrupted (gate {:#x}): it names process {pid} as the holder, which does not hold it, so its memory was \
             modified externally. Stop the processes that use it, and remove it",
            self.location, gate.0
        ))
    }

    #[cold]
    pub(crate) fn full(&self) -> Error {
        Error::new(
            ErrorKind::Full,
            format!(
                "all {} attachments of {} are in use: close some, or create it with a larger capacity",
                self.capacity(),
                self.location
            ),
        )
    }

    /// The error if the lock is open and therefore cannot be removed.
    pub(crate) fn in_use(&self) -> Error {
        crash_point!(in_use_load);
        let users: Vec<String> =
            attached(self, &self.lock).map(|slot| slot.waiting.pid.load(Relaxed).to_string()).collect();
        let users = if users.is_empty() { "another process".into() } else { format!("process {}", users.join(", ")) };
        Error::new(ErrorKind::Busy, format!("{} is open in {users}: close it there first", self.location))
    }

    /// Whether a limit on readers is requested that is not the lock's.
    pub fn has_another_limit(&self, options: &Options) -> bool {
        options.max_readers.is_some_and(|asked| Some(asked) != self.max_readers())
    }

    /// Fails if the requested capacity differs from the lock's.
    pub fn check_capacity(&self, asked: Option<u32>) -> Result<()> {
        match asked {
            Some(asked) if asked != self.capacity() => Err(Error::new(
                ErrorKind::Incompatible,
                format!(
                    "{} has a capacity of {} attachments, not {asked}: omit the capacity to use the existing one",
                    self.location,
                    self.capacity()
                ),
            )),
            _ => Ok(()),
        }
    }

    /// The name that the lock was created with; empty for a file.
    pub(super) fn name(&self) -> Vec<u8> {
        name_in(self.header())
    }

    pub(super) fn into_lock(self) -> LockFile {
        self.lock
    }

    pub(super) fn has_flag(&self, flag: u32) -> bool {
        crash_point!(flags_load);
        self.header().flags.load(Relaxed) & flag != 0
    }
}

/// The slots of the attachments that live.
pub(crate) fn attached<'a>(state: &'a SharedState, lock: &'a LockFile) -> impl Iterator<Item = &'a Slot> {
    let slots = state.used_slots().iter().enumerate();
    slots.filter(|(index, slot)| slot.waiting.pid.load(Relaxed) != 0 && lock.is_alive(*index)).map(|(_, slot)| slot)
}

pub(super) fn name_in(header: &Header) -> Vec<u8> {
    let mut name = load_bytes(&header.name);
    name.truncate(header.name_bytes.load(Relaxed) as usize);
    name
}

fn check_backing(backing: &Backing, location: &LockLocation) -> Result<(usize, u32)> {
    let length = backing.len();
    if length < bytes_of(1) {
        return Err(location.not_a_lock(&format!("it has {length} bytes, and the smallest lock {}", bytes_of(1))));
    }
    // SAFETY: mappings are page-aligned and the length was checked; atomics allow every value and
    // concurrent changes.
    let header = unsafe { &(*backing.base().cast::<Preamble>()).header };
    check(header, length, |bytes| backing.fits(bytes), location)
}

/// The number of slots and the limit on readers, if `header` is that of a lock of this layout at
/// `location`, in memory of `length` bytes. `fits` says whether a lock of that size fits there.
pub(super) fn check(
    header: &Header,
    length: usize,
    fits: impl Fn(usize) -> bool,
    location: &LockLocation,
) -> Result<(usize, u32)> {
    let corrupt = |what: String| Err(location.not_a_lock(&what));
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
    if !fits(expected) || said != expected as u64 {
        return corrupt(format!("it has {length} bytes, its header says {said}, capacity {capacity} needs {expected}"));
    }
    let limit = header.max_readers.load(Relaxed);
    if limit > MAX_READERS {
        return corrupt(format!("its limit is {limit} readers"));
    }
    if let LockLocation::File { .. } = location
        && header.name_bytes.load(Relaxed) != 0
    {
        return Err(Error::corrupt(format!(
            "{location} is the shared memory of lock '{}', whose users would not notice this one: open that by its name",
            String::from_utf8_lossy(&name_in(header)).escape_debug()
        )));
    }
    Ok((slots_of(capacity), limit))
}
