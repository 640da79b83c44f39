//! A reader-writer lock that every process on a machine can share, and that survives the death of any of them.
//!
//! ```no_run
//! use process_rwlock::RwLock;
//!
//! let lock = RwLock::open("my-app/cache")?; // every process of this user that opens the same name
//! {
//!     let _reading = lock.read()?; // many at once
//! }
//! let writing = lock.write()?; // alone
//! if let Some(died) = writing.owner_died() {
//!     println!("process {} died while it wrote: repair what it left", died.pid);
//! }
//! # Ok::<(), process_rwlock::Error>(())
//! ```
//!
//! # How it works
//!
//! The whole state lies in memory that the processes share ([`shm::layout`]). Any of them may be killed or stopped at any
//! instruction; the others go on. One rule makes that simple: **every hold lives in exactly one word that names its
//! holder.** No counter has to agree with anything, so recovery repairs single words and never recounts.
//!
//! - Each *attachment* (a thread that has the lock open) has a *slot* with lines of its own, so readers in different
//!   processes never touch one cache line. The slot's `reads` word is the truth that it reads.
//! - The *gate* is one word that names the one exclusive owner: upgradable, draining, upgrading or writing ([`protocol::gate`]).
//! - **Read:** swap own `reads`, then load the gate: no writer, and the queue not closed, is success. Otherwise take it
//!   back and queue.
//! - **Write:** compare-and-swap the gate to *draining*, wait until the `reads` of every listed slot is zero,
//!   compare-and-swap to *writing*. Both sides store first and look second, with sequentially consistent operations: Dekker's
//!   scheme. Acquire and release would let each miss the other.
//! - **ReaderBitmap:** a bit for each slot that may read, so that attachments that do not read cost a writer nothing. Who finds its
//!   bit not set, after it found the gate open, sets it and looks at the gate again: the same scheme. Now and then a writer,
//!   inside, clears the bits of those who do not read. A bit too many costs a look, so no death leaves anything to repair.
//! - **Wait** ([`protocol::wait_queue`], [`attachment::requests`]): take a *ticket*, publish it, then {clear the wake word; is it my turn? try; sleep}.
//!   Wakes are hints and tickets grant nothing, so a late wake or a cancelled wait is harmless.
//! - An event loop does not sleep on a word: whoever has news for it rings its [`sys::doorbell`], and a thread of its own
//!   process, the [`monitor::watcher`], looks whether it came.
//! - **Fairness:** newcomers may overtake until somebody in the queue has waited for its patience; then he *closes* the
//!   queue, which from then on is strictly first come, first served, with adjacent readers together.
//! - **Patience:** whoever does not come when it is his turn, since he is stopped or busy, is passed over after a few
//!   milliseconds, in the queue as well as while draining. He keeps his ticket, and each time is given twice the patience.
//!   A holder is never passed over: there are no leases.
//! - **Recovery** ([`protocol::recovery`]): the kernel knows who is alive. Each attachment holds a byte lock of the lock file, which
//!   the kernel drops at its death ([`shm::lock_file`]). A pid is for people to read, never a proof. A writer that dies inside
//!   leaves the gate *poisoned* with his slot's number, and his slot as it was, until a write hold ends whole.
//! - **Opening and closing** ([`shm`]) wait for nobody, and nobody waits for who is stopped in the middle of them. Only where a
//!   file is laid out in place, or removed, one process after the other does so, by one more byte lock.

#![warn(missing_docs)]
#![allow(rustdoc::private_intra_doc_links)] // whoever reads how it works has the source

#[macro_use]
mod crash_point;

mod attachment;
mod error;
mod monitor;
mod options;
mod protocol;
mod rwlock;
mod shm;
mod sync;
mod sys;

pub use attachment::locks::{list, prune, remove};
pub use attachment::requests::{Outcome, RequestId, now};
pub use attachment::snapshot::{OwnerDied, Participant, Snapshot};
pub use attachment::{Attachment, HoldEnd};
#[cfg(feature = "crash-injection")]
pub use crash_point::on_crash_point;
pub use error::{Error, ErrorKind, Result};
pub use monitor::watcher::{Watch, Watcher};
pub use options::{
    DEFAULT_CAPACITY, DEFAULT_FAIRNESS, DEFAULT_SETUP_TIMEOUT, Identity, LockRef, MAX_CAPACITY, MAX_LABEL, MAX_NAME,
    Options, WaitOptions,
};
pub use protocol::slot::Mode;
pub use rwlock::{OpenOptions, ReadGuard, RwLock, UpgradableGuard, WriteGuard};
pub use sys::doorbell::Doorbell;
pub use sys::park::is_process_ending;

#[cfg(all(test, target_os = "linux"))]
#[path = "../../../verify/loom/mod.rs"]
mod orderings;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
