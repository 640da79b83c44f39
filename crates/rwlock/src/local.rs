//! Values of one thread of one process.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::rc::Rc;
use std::sync::{Arc, OnceLock, Weak};

use crate::sys::fork;

/// A value for each thread that sets one, in this process alone.
///
/// For what must not be used by two threads or by two processes: a connection, an open transaction,
/// a random generator. Each thread makes its own, and a child created by `fork` sees it unset, so it
/// makes its own too. The child never drops what it inherited, because to drop a connection, for
/// example, would end the session of the parent.
///
/// ```
/// use std::cell::Cell;
///
/// use process_rwlock::Local;
///
/// static CALLS: Local<Cell<u32>> = Local::new();
///
/// fn count() -> u32 {
///     let calls = CALLS.get_or_init(Cell::default);
///     calls.set(calls.get() + 1);
///     calls.get()
/// }
///
/// assert_eq!((count(), count()), (1, 2));
/// assert_eq!(std::thread::spawn(count).join().unwrap(), 1);
/// ```
///
/// A value is dropped with its thread, or when that thread drops the `Local`. If another thread
/// drops it, the value may stay until its own thread ends. Every `Rc` of a value keeps it. In the
/// destructor of a thread-local variable a `Local` may be unset already, and keeps no new value.
///
/// The `Local` itself may be shared by all threads, whatever `T` is, since a value never leaves its
/// thread.
pub struct Local<T> {
    /// Its address distinguishes this `Local` from all others.
    key: OnceLock<Arc<()>>,
    values: PhantomData<fn() -> T>,
}

impl<T: 'static> Local<T> {
    /// A `Local` that no thread has set.
    #[must_use]
    pub const fn new() -> Self {
        Self { key: OnceLock::new(), values: PhantomData }
    }

    /// The value of this thread, if it is set.
    #[must_use]
    pub fn get(&self) -> Option<Rc<T>> {
        let key = self.key.get()?;
        with_own(|own| own.values.get(&address_of(key)).map(|(_, value)| value.clone())).flatten().map(of_type)
    }

    /// The value of this thread. If it is unset, it becomes what `init` returns.
    pub fn get_or_init(&self, init: impl FnOnce() -> T) -> Rc<T> {
        let made: Result<_, std::convert::Infallible> = self.get_or_try_init(|| Ok(init()));
        let Ok(value) = made;
        value
    }

    /// Like [`Local::get_or_init`], for an `init` that may fail. Then the value stays unset.
    ///
    /// # Errors
    /// That of `init`.
    pub fn get_or_try_init<E>(&self, init: impl FnOnce() -> Result<T, E>) -> Result<Rc<T>, E> {
        if let Some(value) = self.get() {
            return Ok(value);
        }
        let value = Rc::new(init()?);
        // `init` may have set it too: the first value stays.
        if let Some(value) = self.get() {
            return Ok(value);
        }
        self.store(value.clone());
        Ok(value)
    }

    /// Sets the value of this thread, and returns the previous one.
    pub fn set(&self, value: T) -> Option<Rc<T>> {
        self.store(Rc::new(value))
    }

    /// Unsets the value of this thread, and returns it.
    pub fn take(&self) -> Option<Rc<T>> {
        remove(self.key.get()?).map(of_type)
    }

    fn store(&self, value: Rc<T>) -> Option<Rc<T>> {
        let key = self.key.get_or_init(Arc::default);
        // What is removed is dropped here, when the map is no longer borrowed: a value may use a
        // `Local` in its drop.
        let (earlier, _swept) = with_own(|own| {
            let earlier = own.values.insert(address_of(key), (Arc::downgrade(key), value));
            (earlier, own.sweep())
        })?;
        earlier.map(|(_, value)| of_type(value))
    }
}

impl<T: 'static> Default for Local<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: fmt::Debug + 'static> fmt::Debug for Local<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").field("value", &self.get()).finish()
    }
}

impl<T> Drop for Local<T> {
    fn drop(&mut self) {
        if let Some(key) = self.key.get() {
            drop(remove(key));
        }
    }
}

// ---- the values of this thread

struct OfThread {
    /// That of the process in which the values were set.
    generation: u32,
    /// By the address of the key. The weak reference keeps that address from being used again.
    values: BTreeMap<usize, (Weak<()>, Rc<dyn Any>)>,
    /// With so many values, those of dropped `Local`s are removed.
    sweep_at: usize,
}

const FIRST_SWEEP: usize = 16;

thread_local! {
    static OF_THREAD: RefCell<OfThread> =
        RefCell::new(OfThread { generation: fork::watch(), values: BTreeMap::new(), sweep_at: FIRST_SWEEP });
}

impl OfThread {
    /// In a forked child, forgets the values of its parent, and does not drop them.
    fn forget_inherited(&mut self) {
        let generation = fork::generation();
        if mem::replace(&mut self.generation, generation) != generation {
            mem::forget(mem::take(&mut self.values));
        }
    }

    /// Removes the values of `Local`s that other threads have dropped, if there are enough values
    /// that it costs little for each.
    fn sweep(&mut self) -> Vec<Rc<dyn Any>> {
        if self.values.len() < self.sweep_at {
            return Vec::new();
        }
        let swept =
            self.values.extract_if(.., |_, (key, _)| key.strong_count() == 0).map(|(_, (_, value))| value).collect();
        self.sweep_at = (2 * self.values.len()).max(FIRST_SWEEP);
        swept
    }
}

impl Drop for OfThread {
    fn drop(&mut self) {
        self.forget_inherited();
    }
}

/// `None`: the thread is ending and has no values any more.
fn with_own<R>(act: impl FnOnce(&mut OfThread) -> R) -> Option<R> {
    let with = |own: &RefCell<OfThread>| {
        let own = &mut *own.borrow_mut();
        own.forget_inherited();
        act(own)
    };
    OF_THREAD.try_with(with).ok()
}

fn address_of(key: &Arc<()>) -> usize {
    Arc::as_ptr(key).addr()
}

fn remove(key: &Arc<()>) -> Option<Rc<dyn Any>> {
    with_own(|own| own.values.remove(&address_of(key))).flatten().map(|(_, value)| value)
}

fn of_type<T: 'static>(value: Rc<dyn Any>) -> Rc<T> {
    value.downcast().unwrap_or_else(|_| unreachable!("each Local has values of one type"))
}
