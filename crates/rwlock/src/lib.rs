//! A reader-writer lock for all processes of one machine. If a process dies, its holds are freed.
//!
//! ```no_run
//! use process_rwlock::RwLock;
//!
//! let lock = RwLock::open("my-app/cache")?; // the same name is the same lock in every process of this user
//! {
//!     let _reading = lock.read()?; // shared
//! }
//! let writing = lock.write()?; // exclusive
//! if let Some(died) = writing.owner_died() {
//!     println!("process {} died while it wrote: repair what it left", died.pid);
//! }
//! # Ok::<(), process_rwlock::Error>(())
//! ```
//!
//! # How it works
//!
//! The whole state is in memory that the processes share ([`shm::layout`]). Any process may be
//! killed or stopped at any instruction, and the others continue. One rule makes that simple:
//! **every hold is stored in exactly one word, which names its holder.** No counter has to agree
//! with anything, so recovery repairs single words and never recounts.
//!
//! - **Slots.** An *attachment* (a thread that has the lock open) has a *slot* with cache lines of
//!   its own, so readers in different processes never write to the same line. The attachment reads
//!   exactly if the count in the slot's `reads` word is not zero. Such a distributed reader lock is
//!   known from the deferred readers of folly's `SharedMutex` and from LMDB's reader table.
//! - **Gate** ([`protocol::gate`]). One word names the exclusive owner and its state: upgradable,
//!   draining, upgrading or writing.
//! - **Read.** Swap the slot's `reads`, then load the gate. The read succeeds if the gate has no
//!   writer and the queue is not closed; otherwise it is retracted and queued.
//! - **Limit on readers** ([`protocol::admission`]). In a lock that has one, a reader publishes a
//!   claim instead, adds up the holds of all slots, and swaps the admission word, which names its
//!   claim. Whoever loads that word next completes the hold, so no process waits for a reader that
//!   is stopped on its way.
//! - **Write.** Compare-and-swap the gate to *draining*, wait until the `reads` of every registered
//!   slot is zero, then compare-and-swap the gate to *writing*. Reader and writer both store first
//!   and load second, with sequentially consistent operations: Dekker's scheme. With acquire and
//!   release, each could miss the other.
//! - **Reader bitmap** ([`protocol::reader_bitmap`]). A bit for each slot that may read, so that a
//!   writer need not scan the others. A reader that finds its bit unset after it saw an open gate
//!   sets the bit and loads the gate again, by the same scheme. From time to time a writer clears
//!   the bits of idle readers. A superfluous bit only costs a load, so a death leaves nothing to
//!   repair here.
//! - **Wait** ([`protocol::wait_queue`], [`attachment::requests`]). A waiter takes a *ticket* and
//!   publishes it. Then it repeats: clear the wake word, try if it is its turn, sleep. Wakes are
//!   hints and tickets grant nothing, so a late wake or a cancelled wait is harmless.
//! - **Event loops** do not sleep on a word. Other processes ring the loop's
//!   [doorbell](sys::doorbell), and a [watcher thread](monitor::watcher) of the loop's own process
//!   checks whether a ring was lost.
//! - **Fairness.** Newcomers may overtake (*barging*) until a queued request has waited for its
//!   fairness time. That request then *closes* the queue, which is from then on first come, first
//!   served, with adjacent readers together. With a fairness of 0 it is closed from the beginning.
//!   Only the first request of a slot is published; a read is marked if an exclusive request comes
//!   behind it, so that the readers of other slots do not overtake that one.
//! - **Skipping** ([`monitor::peer_check`]). A waiter that does not take its turn, because it is
//!   stopped or busy, is skipped after a few milliseconds, in the queue and while it drains. It
//!   keeps its ticket, and each skip doubles its grace period. A holder is never skipped: there are
//!   no leases.
//! - **Notices** ([`attachment::contention`]). A holder may ask to know when a request comes that it
//!   keeps out. A request looks for such a wish after it was published, and rings for the holder
//!   like for a waiter. Holders that do not ask pay nothing, nor does a request that need not wait.
//! - **Recovery** ([`protocol::recovery`]). The kernel knows which process is alive. Each
//!   attachment holds a byte lock on the lock file ([`shm::lock_file`]), which the kernel drops
//!   when the process dies. A PID is information for people, never a proof. A writer that dies
//!   inside its hold leaves the gate *poisoned*, with the number of its slot, until a write hold
//!   ends consistent: the owner death of POSIX robust mutexes.
//! - **Tokens.** Each write hold has a greater token than all earlier ones, across restarts too
//!   ([`shm`]): Kleppmann's fencing tokens.
//! - **Value** ([`protocol::value`]). Up to 1,024 bytes, which only a writer changes: two buffers,
//!   and one word that says which of them is valid, stored last. Readers need no hold; they load
//!   that word before and after they copy the buffer, as in a sequence lock.
//! - **Opening and closing** ([`shm`]) wait for no other process, and no process waits for one that
//!   is stopped there. The exception is a file that is laid out in place or removed: one process
//!   at a time does that, by a byte lock of its own.

#![warn(missing_docs)]
#![allow(rustdoc::private_intra_doc_links)] // "How it works" is for readers of the source

#[macro_use]
mod crash_point;

mod attachment;
mod error;
mod local;
mod monitor;
mod opening;
mod options;
mod protocol;
#[cfg(feature = "lock_api")]
mod raw;
mod rwlock;
mod seats;
mod shm;
mod sync;
mod sys;

pub use attachment::locks::{inspect, list, note, prune, remove};
pub use attachment::requests::{Outcome, RequestId, now};
pub use attachment::snapshot::{OwnerDied, Participant, Snapshot};
pub use attachment::survey::{Attached, Survey, Surveyed, examine, probe, survey};
pub use attachment::{Attachment, HoldEnd};
#[cfg(feature = "crash-injection")]
pub use crash_point::on_crash_point;
pub use error::{Error, ErrorKind, Result};
pub use local::Local;
pub use monitor::watcher::{Watch, Watcher};
pub use options::{
    DEFAULT_CAPACITY, DEFAULT_FAIRNESS, DEFAULT_SETUP_TIMEOUT, Identity, LockRef, MAX_CAPACITY, MAX_LABEL, MAX_NAME,
    MAX_READERS, MAX_VALUE, Options, WaitOptions,
};
pub use protocol::slot::Mode;
#[cfg(feature = "lock_api")]
pub use raw::RawRwLock;
pub use rwlock::{OpenOptions, ReadGuard, RwLock, UpgradableGuard, WriteGuard};
pub use sys::doorbell::Doorbell;
pub use sys::park::is_process_ending;

#[cfg(all(test, target_os = "linux"))]
#[path = "../../../verify/loom/mod.rs"]
mod orderings;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
