//! The atomics that the lock consists of: the standard library's, or those of the model checker `loom` (`--cfg loom`), which
//! tries every interleaving, and for every load each value that its ordering allows (`tests/orderings`).

/// For words that are only told to people. They steer nothing, so their orders need not be tried.
pub(crate) use std::sync::atomic::{AtomicU32 as NoteU32, AtomicU64 as NoteU64};

#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64};

#[cfg(loom)]
pub(crate) use checked::{AtomicU32, AtomicU64};

#[cfg(loom)]
mod checked {
    //! loom 0.7 takes the order in which it runs the sequentially consistent operations for C++20's order S of them (\[atomics.order\]): such a load
    //! never returns a sequentially consistent store older than the latest. That is Dekker's guarantee, and each of the four
    //! operations of the scheme takes part only if it asks for `SeqCst`, so weakening any one of them shows. But loom counts
    //! the initial value as no such store, and every load might return it: here it is stored once more.
    //!
    //! Where that differs from C++20:
    //! - Weaker: a load may miss a `SeqCst` store for an older one that was none (`reads` of nested holds). False alarms only.
    //! - Stronger: nothing is reordered with an operation that follows it in program order, and an operation outside S
    //!   stays in its place between those in S. A weaker *load* is seen as such, a relaxed read-modify-write before a
    //!   `SeqCst` load (`take_wake`) is not: the machine code is looked at for that (`scripts/machine-code.js`).

    use std::ops::Deref;
    use std::sync::atomic::Ordering::SeqCst;

    macro_rules! checked {
        ($name:ident, $value:ty) => {
            pub(crate) struct $name(loom::sync::atomic::$name);

            impl $name {
                pub fn new(value: $value) -> Self {
                    let atomic = loom::sync::atomic::$name::new(value);
                    atomic.store(value, SeqCst);
                    Self(atomic)
                }
            }

            impl Default for $name {
                fn default() -> Self {
                    Self::new(0)
                }
            }

            impl Deref for $name {
                type Target = loom::sync::atomic::$name;

                fn deref(&self) -> &Self::Target {
                    &self.0
                }
            }
        };
    }
    checked!(AtomicU32, u32);
    checked!(AtomicU64, u64);
}
