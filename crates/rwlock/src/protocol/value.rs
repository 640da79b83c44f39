//! The lock's value: up to [`MAX_VALUE`] bytes that a writer replaces as a whole, and that any
//! process can read at any time, with a hold or without one.
//!
//! There are two buffers, and one word, the [`Stamp`], which says which of them is valid. A writer
//! fills the other buffer and then stores the stamp, so a death at any instruction leaves the old
//! value or the new one. No recovery is needed: the next writer fills the same buffer again.
//!
//! # Memory orderings
//!
//! There is one writer at a time, because only the write hold sets the value. A reader without a
//! hold loads the stamp, copies the buffer, and loads the stamp again. The copy counts if the stamp
//! is the same. Call the stamps *n*, *n+1*, *n+2*: *n* and *n+2* have the same buffer.
//!
//! 1. *The copy is not older than the stamp.* The stamp is stored with release and loaded with
//!    acquire, so the stores that filled the buffer for *n* happen before the copy.
//! 2. *The copy is not newer than the stamp.* A copied word can be newer only if it is a store that
//!    fills the buffer for *n+2*. Before those stores, their writer issues a release fence, and
//!    after the copy, the reader issues an acquire fence. The copied word connects the two
//!    fences (C++20, \[atomics.fences\]): what happens before the first fence happens before what
//!    follows the second one. The store of *n+1* happens before the first fence: the writer loaded
//!    *n+1* with acquire. So the second load of the stamp returns *n+1* or a later one, and the copy
//!    does not count.
//!
//! A release *store* of the stamp alone is not enough: it orders what precedes it, and the filling of
//! *n+2* follows it. A reader whose second load is an acquire load, without a fence, could load the
//! stamp before it has copied the buffer.
//!
//! One buffer would need a mark that a writer is inside, as in a sequence lock. A writer that dies
//! or stops there would leave no value. With two, a reader never waits: a copy fails only if a
//! writer completed a change meanwhile.
//!
//! The stores of a dead writer are ordered by the kernel: it ends the process, and then drops the
//! byte lock, before any other process repairs the gate and writes.
//!
//! # Power failures
//!
//! A lock with a path keeps its value in the file, and the system writes its pages at any time, not
//! in the order of the stores. The words of this module are in one page, but neither the system nor
//! the disk promises to write a page at one moment. So the disk may have a stamp with the buffer of
//! another one. A checksum of each buffer reveals that. Then the other buffer is the value, if its
//! checksum is right: at each moment at most one buffer is being filled. If both were changed while
//! the page was written, there is no value. A mixture is never returned.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

#[cfg(doc)]
use crate::options::MAX_VALUE;
use crate::shm::layout::{VALUE_BYTES, ValueArea};
use crate::sync::fence;

/// How often a reader copies the value if it changes each time. A live writer does not exhaust them,
/// even if it does nothing else (see the tests). The limit is for a process that damages the memory.
const ATTEMPTS: usize = 10_000;
/// After this many, the reader yields the processor before each one.
const SPINS: usize = 16;

const LENGTH_BITS: u32 = 11;
const LENGTH: u64 = (1 << LENGTH_BITS) - 1;
const _: () = assert!(VALUE_BYTES < LENGTH as usize);

/// Bits 0 to 10: the length of the value plus one, or 0 if there is none. The others: the number of
/// the change. Its lowest bit is the index of the buffer, so successive changes use both in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp(u64);

/// The memory was damaged, or not completely written before a power failure.
#[derive(Debug, PartialEq, Eq)]
struct Damaged;

/// A value, and the fencing token of the write hold that set it.
pub(crate) type Marked = (Vec<u8>, u64);

/// What a buffer contains; `None`: there is no value.
type Content = Result<Option<Marked>, Damaged>;

impl Stamp {
    fn buffer(self) -> usize {
        (self.0 >> LENGTH_BITS & 1) as usize
    }

    /// `None`: there is no value.
    fn length(self) -> Result<Option<usize>, Damaged> {
        match (self.0 & LENGTH).checked_sub(1) {
            None => Ok(None),
            Some(length) if length as usize <= VALUE_BYTES => Ok(Some(length as usize)),
            Some(_) => Err(Damaged),
        }
    }

    fn next(self, length: Option<usize>) -> Self {
        let number = (self.0 >> LENGTH_BITS).wrapping_add(1);
        Self(number << LENGTH_BITS | length.map_or(0, |length| length as u64 + 1))
    }
}

/// A checksum of a value, its stamp and its token: FNV-1a with words of 64 bits, and a shift, because a
/// product alone carries no bit downwards. It detects accidents, not forgeries.
fn checksum(stamp: Stamp, token: u64, words: impl IntoIterator<Item = u64>) -> u64 {
    let add = |sum: u64, word: u64| {
        let product = (sum ^ word).wrapping_mul(0x0100_0000_01b3);
        product ^ product >> 32
    };
    words.into_iter().fold(add(add(0xcbf2_9ce4_8422_2325, stamp.0), token), add)
}

fn words_of(value: &[u8]) -> impl Iterator<Item = u64> {
    value.chunks(8).map(|chunk| {
        let mut bytes = [0; 8];
        bytes[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(bytes)
    })
}

/// The value of a lock.
#[derive(Clone, Copy)]
pub(crate) struct Value<'a>(&'a ValueArea);

impl<'a> Value<'a> {
    pub fn new(area: &'a ValueArea) -> Self {
        Self(area)
    }

    /// Replaces the value. Only for the owner of a write hold, whose token is `token`; the caller
    /// has checked the length.
    pub fn set(self, value: Option<&[u8]>, token: u64) {
        let area = self.0;
        crash_point!(value_stamp_load);
        let stamp = Stamp(area.stamp.load(Acquire)).next(value.map(<[u8]>::len));
        // Before the first store to a buffer that a reader of an earlier stamp may be copying.
        fence(Release);
        let buffer = stamp.buffer();
        let value = value.unwrap_or_default();
        for (word, content) in area.buffers[buffer].iter().zip(words_of(value)) {
            crash_point!(value_fill);
            word.store(content, Relaxed);
        }
        crash_point!(value_seal);
        area.stamps[buffer].store(stamp.0, Relaxed);
        area.tokens[buffer].store(token, Relaxed);
        area.checksums[buffer].store(checksum(stamp, token, words_of(value)), Relaxed);
        crash_point!(value_publish);
        area.stamp.store(stamp.0, Release);
    }

    /// The value; `None` if there is none, or if it is not readable: both buffers are damaged, or
    /// each of [`ATTEMPTS`] copies met a change.
    pub fn get(self) -> Option<Marked> {
        let (stamp, copy) = self.copy()?;
        copy.unwrap_or_else(|Damaged| self.other_than(stamp))
    }

    /// A copy of the buffer that a stamp names, taken while the stamp did not change.
    fn copy(self) -> Option<(Stamp, Content)> {
        let area = self.0;
        let mut copy = Copy::default();
        for attempt in 0..ATTEMPTS {
            if attempt >= SPINS {
                std::thread::yield_now();
            }
            crash_point!(value_load);
            let stamp = Stamp(area.stamp.load(Acquire));
            copy.take(area, stamp);
            fence(Acquire);
            crash_point!(value_check);
            if area.stamp.load(Relaxed) == stamp.0 {
                return Some((stamp, copy.content(stamp)));
            }
        }
        None
    }

    /// The buffer of `stamp` is damaged: the value before it, if that is valid.
    #[cold]
    fn other_than(self, stamp: Stamp) -> Option<Marked> {
        let other = 1 - stamp.buffer();
        // No crash point: only damaged memory, or a power failure, leads here.
        let before = Stamp(self.0.stamps[other].load(Relaxed));
        if before.buffer() != other {
            return None;
        }
        let mut copy = Copy::default();
        copy.take(self.0, before);
        copy.content(before).ok().flatten()
    }
}

/// What was loaded from a buffer.
#[derive(Default)]
struct Copy {
    words: Vec<u64>,
    token: u64,
    checksum: u64,
}

impl Copy {
    /// Loads, and does nothing else: the shorter this is, the less often a writer that never rests
    /// changes the value meanwhile.
    fn take(&mut self, area: &ValueArea, stamp: Stamp) {
        let length = stamp.length().ok().flatten().unwrap_or(0);
        self.words.clear();
        self.words.extend(area.buffers[stamp.buffer()][..length.div_ceil(8)].iter().map(|word| word.load(Relaxed)));
        self.token = area.tokens[stamp.buffer()].load(Relaxed);
        self.checksum = area.checksums[stamp.buffer()].load(Relaxed);
    }

    /// The value, if the checksum is right.
    fn content(&self, stamp: Stamp) -> Content {
        let Some(length) = stamp.length()? else { return Ok(None) };
        if checksum(stamp, self.token, self.words.iter().copied()) != self.checksum {
            return Err(Damaged);
        }
        let mut bytes: Vec<u8> = self.words.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.truncate(length);
        Ok(Some((bytes, self.token)))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use super::*;

    fn value(number: usize, length: usize) -> Vec<u8> {
        (0..length).map(|index| (number.wrapping_mul(31) + index) as u8).collect()
    }

    #[test]
    fn it_is_what_was_set_last() {
        let area = ValueArea::default();
        let held = Value::new(&area);
        assert_eq!(held.get(), None);
        for (length, token) in [0, 1, 7, 8, 9, 1023, VALUE_BYTES, 3].into_iter().zip(5..) {
            held.set(Some(&value(length, length)), token);
            assert_eq!(held.get(), Some((value(length, length), token)));
        }
        held.set(None, 20);
        assert_eq!(held.get(), None);
        held.set(Some(b"again"), 21);
        assert_eq!(held.get(), Some((b"again".into(), 21)));
    }

    #[test]
    fn a_half_filled_buffer_is_not_the_value() {
        let area = ValueArea::default();
        let held = Value::new(&area);
        held.set(Some(b"the value"), 1);
        let next = Stamp(area.stamp.load(Relaxed)).next(Some(9)).buffer();
        area.buffers[next][0].store(u64::MAX, Relaxed);
        assert_eq!(held.get(), Some((b"the value".into(), 1)));
        held.set(Some(b"the next one"), 2);
        assert_eq!(held.get(), Some((b"the next one".into(), 2)));
    }

    /// What a power failure may leave: the stamp and each buffer as they were at different times.
    #[test]
    fn each_mixture_of_two_times_is_a_value_or_none() {
        let words = |area: &ValueArea| -> Vec<u64> {
            let of_buffer = |index: usize| {
                let head = [&area.stamps[index], &area.checksums[index], &area.tokens[index]];
                head.into_iter().chain(&area.buffers[index]).map(|word| word.load(Relaxed)).collect::<Vec<_>>()
            };
            [vec![area.stamp.load(Relaxed)], of_buffer(0), of_buffer(1)].concat()
        };
        let restore = |from: [&[u64]; 3]| {
            let area = ValueArea::default();
            area.stamp.store(from[0][0], Relaxed);
            for index in 0..2 {
                let size = (from[0].len() - 1) / 2;
                let part = &from[1 + index][1 + index * size..][..size];
                area.stamps[index].store(part[0], Relaxed);
                area.checksums[index].store(part[1], Relaxed);
                area.tokens[index].store(part[2], Relaxed);
                area.buffers[index].iter().zip(&part[3..]).for_each(|(word, content)| word.store(*content, Relaxed));
            }
            Value::new(&area).get()
        };
        let area = ValueArea::default();
        let held = Value::new(&area);
        let texts = ["one", "value two", "three", "value four, which is longer"];
        let set = |number: usize| (texts[number - 1].into(), number as u64);
        let mut times = vec![words(&area)];
        for (text, token) in texts.into_iter().zip(1..) {
            held.set(Some(text.as_bytes()), token);
            times.push(words(&area));
        }
        for stamp in &times {
            for first in &times {
                for second in &times {
                    let left = restore([stamp, first, second]);
                    assert!(left.is_none_or(|left| (1..=4).any(|number| left == set(number))));
                }
            }
        }
        // The stamp is newer than its buffer, which the disk has as it was before.
        let [before, after] = [&times[3], &times[4]];
        assert_eq!(restore([after, before, after]), Some(set(3)));
        assert_eq!(restore([after, after, before]), Some(set(4)));
        // A buffer that was written in part. The first buffer is that of the fourth change.
        for word in [3, 4] {
            let mut torn = after.clone();
            torn[word] ^= 1;
            assert_eq!(restore([&torn, &torn, &torn]), Some(set(3)));
        }
    }

    #[test]
    fn no_stamp_leads_out_of_the_buffers() {
        let area = ValueArea::default();
        let held = Value::new(&area);
        for stamp in [u64::MAX, LENGTH, 1026, VALUE_BYTES as u64 + 2, 1 << LENGTH_BITS | 0x7fe] {
            area.stamp.store(stamp, Relaxed);
            area.stamps[0].store(stamp, Relaxed);
            area.stamps[1].store(stamp, Relaxed);
            assert_eq!(held.get(), None);
            held.set(Some(b"anew"), 1);
            assert_eq!(held.get(), Some((b"anew".into(), 1)));
        }
    }

    /// The harshest writer: it does nothing but change the value.
    #[test]
    fn readers_beside_a_writer_that_never_rests_find_a_whole_value() {
        let area = Arc::new(ValueArea::default());
        let rounds = if cfg!(miri) { 20 } else { 20_000 };
        let length = if cfg!(miri) { 24 } else { VALUE_BYTES };
        let written = move |number: usize| vec![number as u8; length - number % 8];
        Value::new(&area).set(Some(&written(0)), 0);
        let rests = Arc::new(AtomicBool::new(false));
        let writer = std::thread::spawn({
            let (area, rests) = (area.clone(), rests.clone());
            move || {
                for number in (0..).take_while(|_| !rests.load(Relaxed)) {
                    Value::new(&area).set(Some(&written(number)), number as u64);
                }
            }
        });
        for _ in 0..rounds {
            let (seen, token) = Value::new(&area).get().expect("a value");
            assert_eq!(seen, vec![token as u8; length - usize::from(token as u8) % 8]);
        }
        rests.store(true, Relaxed);
        writer.join().unwrap();
    }
}
