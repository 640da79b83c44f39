//! The atomics of the lock: those of the standard library, or those of the model checker `loom`
//! (`--cfg loom`), which tries every interleaving, and for every load each value that its ordering
//! allows (`verify/loom`).

/// For words that are only displayed. No decision depends on them, so loom need not try their
/// orderings.
pub(crate) use std::sync::atomic::{AtomicU32 as InfoU32, AtomicU64 as InfoU64};

#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, fence};

#[cfg(loom)]
pub(crate) use checked::{AtomicU32, AtomicU64};
#[cfg(loom)]
pub(crate) use loom::sync::atomic::fence;

#[cfg(loom)]
mod checked {
    //! C++20 puts all sequentially consistent operations into one order S (\[atomics.order\]). loom
    //! 0.7 uses for S the order in which it runs them: such a load never returns a `SeqCst` store
    //! older than the latest one. That is what Dekker's scheme needs, without fences, which would
    //! hide an operation that is too weak next to another one: each of the scheme's four operations
    //! takes part only if it is `SeqCst`. But loom does not count the initial value as such a
    //! store, so any load might return it. Therefore it is stored once more.
    //!
    //! Differences from C++20:
    //! - Weaker: a load may return a store that was not `SeqCst` although a later one was (`reads`
    //!   of nested holds). That causes false alarms only.
    //! - Stronger: an operation outside S keeps its place between those in S. So loom does not
    //!   notice a weaker read-modify-write before a `SeqCst` load (`take_wake`);
    //!   `verify/machine-code` checks that.

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
