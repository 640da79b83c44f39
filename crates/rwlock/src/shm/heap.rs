//! A lock in the memory of this process, mapped once for all its attachments. For the tests of
//! memory orderings, whose tools identify an atomic by its address. Everything else works like a
//! lock found by path; the lock file has no name.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::fs::{File, OpenOptions};
use std::os::fd::{AsRawFd, FromRawFd};
use std::sync::Arc;

use super::backing::Backing;
use super::claim;
use super::location::LockLocation;
use super::lock_file::LockFile;
use super::segment::{New, Segment};
use crate::attachment::Attachment;
use crate::options::Options;
use crate::shm::layout::{Preamble, SLOTS_OFFSET, Slot, bytes_of, slots_of};

pub(crate) struct Heap {
    base: *mut u8,
    capacity: u32,
    file: File,
}

// SAFETY: the memory consists of atomics and belongs to the value.
unsafe impl Send for Heap {}
// SAFETY: as above.
unsafe impl Sync for Heap {}

impl Heap {
    pub fn new(capacity: u32) -> Arc<Self> {
        Self::limited(capacity, 0)
    }

    /// A lock with at most `max_readers` read holds.
    pub fn limited(capacity: u32, max_readers: u32) -> Arc<Self> {
        let layout = Self::layout(capacity);
        // SAFETY: its size is not zero.
        let base = unsafe { alloc(layout) };
        if base.is_null() {
            handle_alloc_error(layout);
        }
        // loom's atomics must be constructed; zeroed memory is not enough. SAFETY: aligned, and the
        // slots begin after it.
        unsafe { base.cast::<Preamble>().write(Preamble::default()) };
        // SAFETY: within the allocation.
        let slots = unsafe { base.add(SLOTS_OFFSET) }.cast::<Slot>();
        for index in 0..slots_of(capacity) {
            // SAFETY: `bytes_of` includes that many slots.
            let slot = unsafe { slots.add(index) };
            // SAFETY: aligned, because the first slot is.
            unsafe { slot.write(Slot::default()) };
        }
        let heap = Arc::new(Self { base, capacity, file: unnamed_file() });
        let lock = heap.lock();
        let new = New { capacity, max_readers, flags: 0, seed: 0 };
        drop(Segment::create(Backing::Heap(heap.clone()), lock, location(), new));
        heap
    }

    /// Opens one more attachment.
    pub fn attach(self: &Arc<Self>) -> Attachment {
        let segment = self.segment();
        let slot = claim::slot(&segment).unwrap().expect("a free slot");
        Attachment::attach(segment, slot, &Options::default()).unwrap()
    }

    /// Opens the lock without taking a slot.
    pub fn segment(self: &Arc<Self>) -> Segment {
        Segment::existing(Backing::Heap(self.clone()), self.lock(), location()).map_err(|(error, _)| error).unwrap()
    }

    pub fn base(&self) -> *mut u8 {
        self.base
    }

    pub fn len(&self) -> usize {
        bytes_of(self.capacity)
    }

    fn layout(capacity: u32) -> Layout {
        Layout::from_size_align(bytes_of(capacity), align_of::<Slot>()).unwrap()
    }

    /// A separate open file, which every attachment needs.
    fn lock(&self) -> LockFile {
        let path: String =
            if cfg!(miri) { "/dev/null".into() } else { format!("/proc/self/fd/{}", self.file.as_raw_fd()) };
        LockFile::open(|| OpenOptions::new().read(true).write(true).open(&path)).unwrap()
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        // SAFETY: allocated with that layout; atomics need no drop.
        unsafe { dealloc(self.base, Self::layout(self.capacity)) };
    }
}

fn location() -> LockLocation {
    LockLocation::File { path: "in the heap".into() }
}

fn unnamed_file() -> File {
    if cfg!(miri) {
        return File::open("/dev/null").unwrap(); // see `sys::byte_lock::miri`
    }
    // SAFETY: the name is a C string.
    let descriptor = unsafe { libc::memfd_create(c"process-rwlock".as_ptr(), libc::MFD_CLOEXEC) };
    assert!(descriptor >= 0, "{}", std::io::Error::last_os_error());
    // SAFETY: just created, and not owned by anything else.
    unsafe { File::from_raw_fd(descriptor) }
}
