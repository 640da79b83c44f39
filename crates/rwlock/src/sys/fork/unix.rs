//! Linux and macOS: `pthread_atfork`. The handler in the child calls only async-signal-safe
//! functions, because the parent may have other threads.

use std::cell::UnsafeCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::mem::{ManuallyDrop, forget, take};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicU32, AtomicUsize};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Substitute;
use crate::sys::exit_watch;

/// The descriptors and mappings of this process.
static REGISTRY: Mutex<Registry> =
    Mutex::new(Registry { has_handlers: false, descriptors: BTreeSet::new(), mappings: BTreeMap::new() });

struct Registry {
    has_handlers: bool,
    descriptors: BTreeSet<RawFd>,
    /// By address: the length, and what a child finds there.
    mappings: BTreeMap<usize, (usize, Substitute)>,
}

/// The number of forks between this process and the first one that used the lock.
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// How often this process has forked.
static FORKS: AtomicUsize = AtomicUsize::new(0);

/// A number that is another one in a forked child, if the process has called [`watch`] or opened a
/// lock before the fork.
pub(crate) fn generation() -> u32 {
    GENERATION.load(Relaxed)
}

/// Counts forks from now on. Returns the [`generation`].
pub(crate) fn watch() -> u32 {
    drop(registry());
    generation()
}

fn registry() -> MutexGuard<'static, Registry> {
    let mut registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
    if !registry.has_handlers {
        // SAFETY: the three functions belong to this library and exist as long as it is loaded.
        // Unloading removes the handlers.
        registry.has_handlers = unsafe { libc::pthread_atfork(Some(prepare), Some(in_parent), Some(in_child)) } == 0;
    }
    registry
}

/// An open file that a forked child does not inherit.
pub(crate) struct OpenFile {
    file: ManuallyDrop<File>,
    generation: u32,
}

impl OpenFile {
    /// The file that `open` opens. `open` is called again if the process was forked meanwhile.
    pub fn open(mut open: impl FnMut() -> io::Result<File>) -> io::Result<Self> {
        drop(registry()); // forks are counted from now on
        loop {
            let before = FORKS.load(SeqCst);
            let file = open()?;
            let mut registry = registry();
            if FORKS.load(SeqCst) == before {
                registry.descriptors.insert(file.as_raw_fd());
                return Ok(Self { file: ManuallyDrop::new(file), generation: generation() });
            }
        }
    }

    pub fn file(&self) -> &File {
        &self.file
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        let mut registry = registry();
        // A child starts with an empty registry.
        if self.generation == generation() {
            registry.descriptors.remove(&self.file.as_raw_fd());
        }
        // The registry is locked: no child can get a descriptor that is not registered. SAFETY: the
        // file is not used again.
        unsafe { ManuallyDrop::drop(&mut self.file) };
        drop(registry);
    }
}

/// The mapping of a lock, which a forked child does not inherit. Declare it before the value that
/// unmaps, because it must be dropped first.
pub(crate) struct Mapping {
    base: usize,
    generation: u32,
}

impl Mapping {
    pub fn of(base: *mut u8, length: usize, substitute: Substitute) -> Self {
        // The fork has less to copy. Where no handler runs (a raw `clone`), the child crashes at
        // its next access.
        #[cfg(target_os = "linux")]
        // SAFETY: changes nothing in this process.
        unsafe {
            libc::madvise(base.cast(), length, libc::MADV_DONTFORK)
        };
        let mut registry = registry();
        registry.mappings.insert(base.addr(), (length, substitute));
        Self { base: base.addr(), generation: generation() }
    }

    /// Whether the mapping was created before this process was forked.
    pub fn is_forked(&self) -> bool {
        self.generation != generation()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let mut registry = registry();
        if self.generation == generation() {
            registry.mappings.remove(&self.base);
        }
    }
}

/// The locked registry during a fork: no other thread opens or closes a lock meanwhile.
struct Held(UnsafeCell<Option<MutexGuard<'static, Registry>>>);

// SAFETY: only the thread that stored the guard here uses it.
unsafe impl Sync for Held {}

static HELD: Held = Held(UnsafeCell::new(None));

extern "C" fn prepare() {
    let registry = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: this thread holds the registry until one of the functions below releases it.
    unsafe { *HELD.0.get() = Some(registry) };
    FORKS.fetch_add(1, SeqCst);
}

extern "C" fn in_parent() {
    // SAFETY: as in `prepare`, which the same thread called.
    drop(unsafe { (*HELD.0.get()).take() });
}

extern "C" fn in_child() {
    // SAFETY: as in `prepare`: this is the copy of the thread that called it.
    let Some(mut registry) = (unsafe { (*HELD.0.get()).take() }) else { return };
    GENERATION.fetch_add(1, SeqCst);
    // Forgotten instead of freed, because freeing memory is not permitted here.
    let (descriptors, mappings) = (take(&mut registry.descriptors), take(&mut registry.mappings));
    // The mappings first: as long as the slot can be accessed, its byte lock must stay.
    for (&base, &(length, substitute)) in &mappings {
        replace_mapping(base, length, substitute);
    }
    let dead = dead_descriptor();
    for &descriptor in &descriptors {
        replace_descriptor(descriptor, dead);
    }
    if dead != -1 {
        // SAFETY: created above, and not owned by anything else.
        unsafe { libc::close(dead) };
    }
    forget((descriptors, mappings));
    exit_watch::forget_at_fork();
    drop(registry);
}

/// Replaces shared memory by private memory, zero except for one word.
fn replace_mapping(base: usize, length: usize, substitute: Substitute) {
    let address = std::ptr::with_exposed_provenance_mut::<u8>(base);
    let map = |access| {
        let kind = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_FIXED | libc::MAP_NORESERVE;
        // SAFETY: the range belongs to a value that unregisters before it unmaps, and holds only atomics.
        unsafe { libc::mmap(address.cast(), length, access, kind, -1, 0) != libc::MAP_FAILED }
    };
    if !map(libc::PROT_READ | libc::PROT_WRITE) {
        map(libc::PROT_NONE); // a crash at the next access is better than two writers
        return;
    }
    let word = address.wrapping_add(substitute.offset);
    // SAFETY: within the mapping and aligned, as required by `Mapping::of`.
    unsafe { word.cast::<u64>().write(substitute.value) };
}

/// A descriptor without a file, which needs neither a file system nor a permission. -1: no
/// descriptor is available.
fn dead_descriptor() -> RawFd {
    // SAFETY: no memory is involved.
    unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_DGRAM, 0) }
}

/// The descriptor's number stays in use; its owner closes it later.
fn replace_descriptor(descriptor: RawFd, dead: RawFd) {
    let close_on_exec = |descriptor| {
        // SAFETY: takes numbers.
        unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) }
    };
    // SAFETY: takes numbers.
    if dead == -1 || unsafe { libc::dup2(dead, descriptor) } == -1 {
        // SAFETY: a registered descriptor is open.
        unsafe { libc::close(descriptor) };
        // A descriptor is available now.
        let late = dead_descriptor();
        if late != descriptor {
            // SAFETY: takes numbers.
            unsafe { libc::dup2(late, descriptor) };
            // SAFETY: created above, and not owned by anything else; -1 is not a descriptor.
            unsafe { libc::close(late) };
        }
    }
    close_on_exec(descriptor);
}
