//! Waking a JavaScript thread from another one, and telling it what its loop was woken for.

use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};

use napi::bindgen_prelude::Function;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, JsValue, Status, check_status, sys};

/// Weak: does not keep the event loop alive by itself.
type Ring = ThreadsafeFunction<(), (), (), Status, false, true>;

/// One per JavaScript thread: many attachments may ring before it comes to look.
pub(crate) struct Signal {
    ring: Ring,
    rung: Mutex<Vec<u32>>,
    /// A call of `ring` is under way.
    called: AtomicBool,
}

impl Signal {
    pub fn new(callback: Function<'_, (), ()>) -> napi::Result<Self> {
        let ring = callback.build_threadsafe_function().callee_handled::<false>().weak::<true>().build()?;
        Ok(Self { ring, rung: Mutex::default(), called: AtomicBool::new(false) })
    }

    /// Called from any thread: `attachment` has something to do.
    pub fn ring(&self, attachment: u32) {
        self.rung.lock().unwrap_or_else(PoisonError::into_inner).push(attachment);
        if !self.called.swap(true, SeqCst) {
            // Once the thread is going away the call is refused, which is all right: nobody is left to be told.
            self.ring.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    /// On the JavaScript thread: who rang.
    pub fn take(&self) -> Vec<u32> {
        self.called.store(false, SeqCst);
        std::mem::take(&mut *self.rung.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether pending requests keep the event loop, and so the process, alive.
    pub fn keep_alive(&self, env: Env, keep: bool) {
        self.ring.handle.with_read_aborted(|aborted| {
            if aborted {
                return;
            }
            let raw = self.ring.handle.get_raw();
            let change = if keep { sys::napi_ref_threadsafe_function } else { sys::napi_unref_threadsafe_function };
            // SAFETY: called on the environment's own thread, with its threadsafe function, which is not finalized.
            unsafe { change(env.raw(), raw) };
        });
    }
}

/// A function of JavaScript that its own loop calls.
#[derive(Clone, Copy)]
pub(crate) struct Callback {
    env: Env,
    function: sys::napi_ref,
}

impl Callback {
    pub fn new(env: Env, function: &Function<'_, (), ()>) -> napi::Result<Self> {
        let mut reference = ptr::null_mut();
        // SAFETY: on the environment's thread, with a value of it. The environment frees the reference at its end.
        check_status!(unsafe { sys::napi_create_reference(env.raw(), function.raw(), 1, &raw mut reference) })?;
        Ok(Self { env, function: reference })
    }

    /// On the JavaScript thread, while no JavaScript runs: calls the function, and then whoever waited for a promise that it
    /// resolved.
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
        // SAFETY: as above; no arguments, no asynchronous resource, and the result is not wanted.
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

/// Whether this JavaScript thread is being terminated: then it must not block any longer.
pub(crate) fn must_stop(env: Env) -> bool {
    let mut global = std::ptr::null_mut();
    // SAFETY: on the environment's own thread; `global` is valid for writes.
    if unsafe { sys::napi_get_global(env.raw(), &raw mut global) } != sys::Status::napi_ok {
        return true;
    }
    let mut found = false;
    // Reading the global object runs no JavaScript, but Node refuses it where JavaScript can no longer run.
    // SAFETY: as above; the name is a C string, `found` is valid for writes.
    unsafe {
        sys::napi_has_named_property(env.raw(), global, c"process".as_ptr(), &raw mut found) != sys::Status::napi_ok
    }
}
