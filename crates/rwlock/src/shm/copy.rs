//! A look at a lock without mapping it: its memory is read into a buffer. For a process that looks
//! at many locks, mapping, touching and unmapping each would take most of the time.

use std::fs::File;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::Relaxed;

use super::layout::{LINE, Preamble, Slot};
use super::location::LockLocation;
use super::lock_file::LockFile;
use super::{removal, segment};
use crate::protocol::recovery::Recovery;
use crate::protocol::slot::HighWater;
use crate::protocol::state::SharedState;

/// How often memory is read if it changes each time.
const ATTEMPTS: usize = 4;
/// The number of slots that are read at first: with them, one page.
const FIRST_SLOTS: usize = 2;

/// The unit of the buffers, aligned as the layout requires.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C, align(128))]
struct Line([u8; LINE]);

const _: () = assert!(align_of::<Preamble>() <= align_of::<Line>() && align_of::<Slot>() <= align_of::<Line>());

/// The buffers, used for one lock after another.
#[derive(Default)]
pub(super) struct Buffers {
    copy: Vec<Line>,
    /// The memory again, read later.
    check: Vec<Line>,
}

/// A copy of the used part of a lock, as it was at one moment.
pub(crate) struct LockCopy<'a> {
    /// The slots that were in use.
    pub state: SharedState,
    pub capacity: u32,
    pub lock: &'a LockFile,
    pub location: &'a LockLocation,
    buffers: PhantomData<&'a Buffers>,
}

impl LockCopy<'_> {
    /// The slots that hold or wait.
    pub fn shown(&self) -> Vec<usize> {
        let recovery = Recovery::new(&self.state, self.lock);
        (0..self.state.slots().len()).filter(|&slot| recovery.leaves_something(slot)).collect()
    }

    /// Whether a process removed the lock.
    pub(super) fn is_removed(&self) -> bool {
        removal::is_removed(&self.state)
    }

    /// The name that the lock was created with.
    pub(super) fn name(&self) -> Vec<u8> {
        segment::name_in(self.state.header())
    }
}

impl Buffers {
    /// Copies the lock at `location`, whose memory has `length` bytes. `None` if it is not a valid
    /// lock, or changes so fast that no two readings of it are equal.
    pub fn copy<'a>(
        &'a mut self,
        (memory, length): (&File, u64),
        lock: &'a LockFile,
        location: &'a LockLocation,
    ) -> Option<LockCopy<'a>> {
        let length = usize::try_from(length).ok()?;
        let (state, slots) = self.steady(|buffer, slots| read(memory, buffer, slots), length, location)?;
        Some(LockCopy { state, capacity: slots as u32 - 1, lock, location, buffers: PhantomData })
    }

    /// The state that two readings show, and the number of slots of the lock. It is in `self.copy`.
    fn steady(
        &mut self,
        read: impl Fn(&mut Vec<Line>, usize) -> Option<NonNull<u8>>,
        length: usize,
        location: &LockLocation,
    ) -> Option<(SharedState, usize)> {
        let mut slots = FIRST_SLOTS;
        for _ in 0..ATTEMPTS {
            let base = read(&mut self.copy, slots)?;
            // SAFETY: the buffer begins with a preamble, aligned, which consists of atomics.
            let preamble = unsafe { base.cast::<Preamble>().as_ref() };
            let header = &preamble.header;
            let (all, limit) = segment::check(header, length, |bytes| bytes == length, location).ok()?;
            let used = HighWater(header.high_water.load(Relaxed)).count().min(all);
            if used > slots {
                slots = used;
                continue;
            }
            // Two equal readings show the lock as it was between them: a word that changed there
            // would differ, unless it changed back.
            read(&mut self.check, slots)?;
            if self.copy == self.check {
                // SAFETY: the buffer has so many slots; a `LockCopy` borrows it.
                return Some((unsafe { SharedState::over(base, used, limit) }, all));
            }
        }
        None
    }
}

/// Reads the beginning of `memory`, with so many slots, into `buffer`. `None` if it has fewer.
#[cfg(unix)]
fn read(memory: &File, buffer: &mut Vec<Line>, slots: usize) -> Option<NonNull<u8>> {
    use std::os::unix::fs::FileExt;

    use crate::shm::layout::SLOTS_OFFSET;

    let bytes = SLOTS_OFFSET + slots * size_of::<Slot>();
    buffer.resize(bytes.div_ceil(LINE), Line([0; LINE]));
    let base = NonNull::new(buffer.as_mut_ptr())?.cast::<u8>();
    crash_point!(read_memory);
    // SAFETY: so many bytes are in the buffer, which nothing else refers to.
    let content = unsafe { std::slice::from_raw_parts_mut(base.as_ptr(), bytes) };
    memory.read_exact_at(content, 0).ok()?;
    Some(base)
}

/// Windows does not promise that a read of a file shows what is mapped.
#[cfg(windows)]
fn read(_memory: &File, _buffer: &mut Vec<Line>, _slots: usize) -> Option<NonNull<u8>> {
    None
}

#[cfg(all(test, target_os = "linux", not(loom), not(miri)))]
mod tests {
    use std::cell::Cell;
    use std::fs::File;
    use std::sync::atomic::Ordering::Relaxed;

    use super::{ATTEMPTS, Buffers, Line, read};
    use crate::attachment::Attachment;
    use crate::options::{LockRef, Options};

    /// A lock in a file, which is its memory, and the length of that file.
    fn lock(name: &str) -> (Attachment, File, u64) {
        let path = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        let own = Attachment::open(LockRef::Path(&path), &Options::default()).unwrap();
        let file = File::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let length = file.metadata().unwrap().len();
        (own, file, length)
    }

    /// The next ticket and the last word of the first slot, in a copy whose memory `change` changes
    /// before each reading.
    fn copied(own: &Attachment, file: &File, length: u64, change: impl Fn(usize)) -> Option<(u64, u64)> {
        let count = Cell::new(0);
        let changing = |buffer: &mut Vec<Line>, slots| {
            change(count.replace(count.get() + 1));
            read(file, buffer, slots)
        };
        let mut buffers = Buffers::default();
        let (state, slots) = buffers.steady(changing, length as usize, &own.segment.location)?;
        assert_eq!(slots, own.segment.slots().len());
        Some((state.tickets().next.load(Relaxed), state.slots()[0].waiting.doorbell_key.load(Relaxed)))
    }

    #[test]
    fn a_copy_shows_what_two_readings_showed() {
        let (own, file, length) = lock("steady");
        let (first, last) = (&own.segment.tickets().next, &own.segment.slots()[0].waiting.doorbell_key);
        for changes in 0..2 * ATTEMPTS {
            for word in [first, last] {
                word.store(7, Relaxed);
                let change = |reading: usize| word.store(100 + reading.min(changes) as u64, Relaxed);
                let seen = copied(&own, &file, length, change);
                // Both readings of the attempt after the last change are equal.
                let is_settled = changes / 2 + changes % 2 < ATTEMPTS;
                assert_eq!(seen.is_some(), is_settled, "{changes} changes");
                if let Some(seen) = seen {
                    assert_eq!(seen, (first.load(Relaxed), last.load(Relaxed)), "{changes} changes");
                }
            }
        }
    }

    #[test]
    fn a_lock_of_the_wrong_size_is_not_copied() {
        let (own, file, length) = lock("sized");
        let segment = &*own.segment;
        let mut buffers = Buffers::default();
        let mut copies = |length| buffers.copy((&file, length), &segment.lock, &segment.location).is_some();
        assert_eq!([copies(length), copies(length - 128), copies(length + 128)], [true, false, false]);
    }

    /// The number of slots in use is damaged: no more are read than the lock has.
    #[test]
    fn a_copy_has_no_more_slots_than_the_lock() {
        let (own, file, length) = lock("damaged");
        let segment = &*own.segment;
        for number in [0, 1, 2, 3, 128, 129, 130, 0xffff] {
            segment.header().high_water.store(number, Relaxed);
            let mut buffers = Buffers::default();
            let copy = buffers.copy((&file, length), &segment.lock, &segment.location).unwrap();
            assert_eq!(copy.state.slots().len(), (number as usize).min(129));
        }
    }
}
