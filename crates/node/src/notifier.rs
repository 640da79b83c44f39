//! Wakes a JavaScript thread from another thread, and passes the attachments for which it was
//! woken.
//!
//! Node's objects for this belong to the environment. If they belonged to a library copy, they
//! would keep its vm context alive.

use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, JsValue, Status, check_status, sys};

use crate::delivery::on_ring;

/// Weak: it does not keep the event loop alive by itself.
pub(crate) type Ring = ThreadsafeFunction<(), (), (), Status, false, true>;

/// The attachments that rang since the JavaScript thread last took them. One queue per thread.
#[derive(Default)]
pub(crate) struct RingQueue(Mutex<Rung>);

#[derive(Default)]
struct Rung {
    ring: Option<Arc<Ring>>,
    attachments: Vec<u32>,
    /// `ring` was called, and the loop has not come yet.
    called: bool,
}

impl RingQueue {
    fn lock(&self) -> MutexGuard<'_, Rung> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets where to ring. Rings that were not taken are repeated.
    pub fn set_notifier(&self, ring: Option<Arc<Ring>>) {
        let mut rung = self.lock();
        rung.called = false;
        let before = std::mem::replace(&mut rung.ring, ring);
        if !rung.attachments.is_empty() {
            rung.call();
        }
        drop(rung);
        drop(before);
    }

    /// Called from any thread: `attachment` has events.
    pub fn ring(&self, attachment: u32) {
        let mut rung = self.lock();
        rung.attachments.push(attachment);
        rung.call();
    }

    /// Wakes the loop.
    pub fn ring_loop(&self) {
        self.lock().call();
    }

    /// Called on the JavaScript thread: the attachments that rang.
    pub fn take(&self) -> Vec<u32> {
        let mut rung = self.lock();
        rung.called = false;
        std::mem::take(&mut rung.attachments)
    }
}

impl Rung {
    fn call(&mut self) {
        if !self.called
            && let Some(ring) = &self.ring
        {
            self.called = true;
            // When the thread ends the call is refused. Then no request is left to deliver to.
            ring.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }
}

/// Makes the event loop of an environment call [`on_ring`].
pub(crate) struct Notifier {
    env: Env,
    ring: Arc<Ring>,
    on_ring: RingCallback,
}

impl Notifier {
    pub fn new(env: Env) -> napi::Result<Self> {
        let function = env.create_function::<(), ()>("processRwlockRing", on_ring)?;
        let mut reference = ptr::null_mut();
        // SAFETY: on the environment's thread, with a value of it. The environment frees the
        // reference at its end.
        check_status!(unsafe { sys::napi_create_reference(env.raw(), function.raw(), 1, &raw mut reference) })?;
        let ring = function.build_threadsafe_function().callee_handled::<false>().weak::<true>().build()?;
        Ok(Self { env, ring: Arc::new(ring), on_ring: RingCallback { env, function: reference } })
    }

    pub fn ring(&self) -> Arc<Ring> {
        self.ring.clone()
    }

    pub fn on_ring(&self) -> RingCallback {
        self.on_ring
    }

    /// Whether pending requests keep the event loop, and so the process, alive.
    pub fn keep_alive(&self, keep: bool) {
        self.ring.handle.with_read_aborted(|aborted| {
            if aborted {
                return;
            }
            let raw = self.ring.handle.get_raw();
            let change = if keep { sys::napi_ref_threadsafe_function } else { sys::napi_unref_threadsafe_function };
            // SAFETY: called on the environment's own thread, with its threadsafe function, which
            // is not finalized.
            unsafe { change(self.env.raw(), raw) };
        });
    }
}

/// [`on_ring`] as the event loop calls it.
#[derive(Clone, Copy)]
pub(crate) struct RingCallback {
    env: Env,
    function: sys::napi_ref,
}

impl RingCallback {
    /// Called on the JavaScript thread while no JavaScript runs. Calls the function, and then runs
    /// the microtasks.
    pub fn call(self) {
        let env = self.env.raw();
        let (mut scope, mut function, mut global) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        // SAFETY: on the environment's own thread; `scope` is valid for writes, and closed below.
        if unsafe { sys::napi_open_handle_scope(env, &raw mut scope) } != sys::Status::napi_ok {
            return;
        }
        // SAFETY: as above; the reference is never deleted.
        unsafe { sys::napi_get_reference_value(env, self.function, &raw mut function) };
        // SAFETY: as above.
        unsafe { sys::napi_get_global(env, &raw mut global) };
        // SAFETY: as above; no arguments, no asynchronous resource, no result.
        let status =
            unsafe { sys::napi_make_callback(env, ptr::null_mut(), global, function, 0, ptr::null(), ptr::null_mut()) };
        if status == sys::Status::napi_pending_exception {
            let mut exception = ptr::null_mut();
            // SAFETY: as above.
            unsafe { sys::napi_get_and_clear_last_exception(env, &raw mut exception) };
            // SAFETY: as above; as for any callback that throws.
            unsafe { sys::napi_fatal_exception(env, exception) };
        }
        // SAFETY: the scope opened above.
        unsafe { sys::napi_close_handle_scope(env, scope) };
    }
}
