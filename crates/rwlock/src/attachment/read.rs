//! Read holds: taking, joining and releasing one.

use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use super::{Attachment, unstamp};
use crate::protocol::gate::Gate;
use crate::protocol::slot::{Mode, Reads};

impl Attachment {
    /// Takes a read hold if that needs no waiting.
    #[inline]
    pub fn try_read(&self) -> bool {
        self.read_now() || (self.clear_blockers(Mode::Read) && self.read_now())
    }

    #[inline]
    fn read_now(&self) -> bool {
        self.read_while(Gate::admits_reader)
    }

    /// Takes a read hold regardless of the queue, but never beside a writer.
    pub(crate) fn read_in_turn(&self) -> bool {
        self.read_while(|gate| !gate.excludes_readers())
    }

    #[inline]
    fn read_while(&self, open: fn(Gate) -> bool) -> bool {
        if self.reads.get() != 0 {
            return self.read_again(open);
        }
        crash_point!(read_publish);
        unstamp(&self.slot().read_since);
        // SeqCst swap, then SeqCst load: a process that takes the gate meanwhile sees this read, or
        // we see its claim.
        self.slot().reads.swap(Reads::new(self.generation, 1).0, SeqCst);
        crash_point!(read_load);
        if open(self.load_gate()) && (self.is_registered() || self.register_reader_while(open)) {
            self.reads.set(1);
            return true;
        }
        self.retract_read();
        false
    }

    /// This attachment reads already, or the lock limits its readers.
    fn read_again(&self, open: fn(Gate) -> bool) -> bool {
        if self.is_limited() {
            return self.read_limited(open);
        }
        crash_point!(join_load);
        open(self.load_gate()) && self.join_readers()
    }

    /// Whether writers scan our slot. Loaded after an open gate was seen: if a writer cleared our
    /// bit before that, we see it cleared; a process that takes the gate later sees our read and
    /// keeps the bit.
    #[inline]
    pub(super) fn is_registered(&self) -> bool {
        crash_point!(registered_load);
        self.reader_bitmap().load(Relaxed) & self.reader_bit != 0
    }

    /// A process that took the gate before our bit was set did not scan our slot. So the gate is
    /// loaded again: Dekker's scheme, with the bit in place of the read. The gate is also changed,
    /// so that a claim fails if it found no registered reader before this.
    #[cold]
    pub(super) fn register_reader_while(&self, open: fn(Gate) -> bool) -> bool {
        self.register_reader();
        loop {
            crash_point!(register_load);
            let gate = self.load_gate();
            if !open(gate) {
                return false;
            }
            crash_point!(register_gate);
            if self.gate().swap(gate, gate.with_next_sequence()) {
                return true;
            }
        }
    }

    pub(super) fn register_reader(&self) {
        crash_point!(register_reader);
        self.reader_bitmap().fetch_or(self.reader_bit, SeqCst);
    }

    /// Adds a read hold to an existing one. No writer can hold the lock or get it until all readers
    /// have left. `false` if the limit on readers is reached.
    pub(crate) fn join_readers(&self) -> bool {
        if self.is_limited() {
            return self.read_limited(|_| true);
        }
        let reads = self.reads.get() + 1;
        self.reads.set(reads);
        crash_point!(join_readers);
        self.slot().reads.store(Reads::new(self.generation, reads).0, Relaxed);
        true
    }

    #[cold]
    pub(super) fn retract_read(&self) {
        crash_point!(retract_read);
        self.slot().reads.swap(Reads::new(self.generation, 0).0, SeqCst);
        crash_point!(retract_load);
        let gate = self.load_gate();
        // Our own writer does not wait for this read. Waking it would make it try again at once,
        // for as long as it drains.
        if !gate.is_owned_by(self.index) {
            self.segment.queue().wake_writer(gate);
        }
    }

    /// Ends one read hold. Does nothing if there is none.
    #[inline]
    pub fn release_read(&self) {
        let reads = self.reads.get();
        if reads > 1 {
            if self.is_limited() {
                return self.release_limited();
            }
            self.reads.set(reads - 1);
            crash_point!(leave_readers);
            self.slot().reads.store(Reads::new(self.generation, reads - 1).0, Relaxed);
        } else if reads == 1 {
            self.reads.set(0);
            crash_point!(release_read);
            self.slot().reads.swap(Reads::new(self.generation, 0).0, SeqCst);
            crash_point!(release_load);
            let gate = self.load_gate();
            if gate.excludes_readers() {
                self.segment.queue().wake_writer(gate);
            }
        }
    }
}
