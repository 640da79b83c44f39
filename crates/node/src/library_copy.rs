//! A *library copy* is one loaded instance of the package's JavaScript. A thread can have several:
//! symbolic and hard links, `import` and `require()`, resets of a module registry, vm contexts.
//! They share the thread's attachments. Each has its own requests, and a function that takes their
//! outcomes.
//!
//! The binding keeps a copy alive, and with it its vm context, only while the copy has requests. A
//! collected copy can use nothing any more, so its handles are closed.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::ptr;

use napi::bindgen_prelude::{Function, JsObjectValue, Object, ToNapiValue};
use napi::{Env, JsValue, check_status, sys};

use crate::environment::Environment;

/// Unique in a thread.
pub(crate) type CopyId = u32;
/// One `new RWLock()`; unique in a thread.
pub(crate) type HandleId = u32;

pub(crate) struct LibraryCopy {
    env: Env,
    on_outcome: sys::napi_ref,
    /// Requests whose outcome was not delivered. While there are any, `on_outcome` is a strong
    /// reference.
    requests: usize,
    pub handles: BTreeMap<HandleId, Handle>,
}

/// One open lock of a copy.
pub(crate) struct Handle {
    pub attachment: u32,
    /// A weak reference to the `RWLock`.
    lock: sys::napi_ref,
}

/// The result of passing an outcome to its copy.
pub(crate) enum Delivery {
    Accepted,
    /// The copy does not know the request, or was collected.
    Refused,
    /// Its function threw.
    Threw,
}

impl LibraryCopy {
    /// A copy whose outcomes are passed to `on_outcome`, and the object that JavaScript must keep
    /// as long as the copy is used.
    pub fn new(env: Env, id: CopyId, on_outcome: Function<'_>) -> napi::Result<(Self, Object<'static>)> {
        let mut object = Object::new(&env)?;
        object.set_named_property("number", id)?;
        // Keeps `on_outcome` alive as long as the object: the reference below is weak.
        object.set_named_property("onOutcome", on_outcome)?;
        let mut reference = ptr::null_mut();
        let (raw, function) = (env.raw(), on_outcome.raw());
        // SAFETY: on the environment's thread, with a value of it; `reference` is valid for writes.
        check_status!(unsafe { sys::napi_create_reference(raw, function, 0, &raw mut reference) })?;
        let (data, hint, none) = (ptr::without_provenance_mut(id as usize), ptr::null_mut(), ptr::null_mut());
        // SAFETY: as above; `data` is a number, and `collected` reads it as one.
        check_status!(unsafe { sys::napi_add_finalizer(raw, function, data, Some(collected), hint, none) })?;
        // SAFETY: lives in the handle scope of the call it is returned from, like the shorter
        // lifetime it had.
        let object = unsafe { std::mem::transmute::<Object<'_>, Object<'static>>(object) };
        Ok((Self { env, on_outcome: reference, requests: 0, handles: BTreeMap::new() }, object))
    }

    pub fn env(&self) -> Env {
        self.env
    }

    /// Counts a request.
    pub fn begin_request(&mut self) {
        self.requests += 1;
        if self.requests == 1 {
            // SAFETY: on the environment's thread; the reference is deleted with the copy alone.
            // Nothing is written.
            unsafe { sys::napi_reference_ref(self.env.raw(), self.on_outcome, ptr::null_mut()) };
        }
    }

    /// Counts a request as delivered or withdrawn.
    pub fn end_request(&mut self) {
        self.requests -= 1;
        if self.requests == 0 {
            // SAFETY: as in `begin_request`.
            unsafe { sys::napi_reference_unref(self.env.raw(), self.on_outcome, ptr::null_mut()) };
        }
    }

    /// Adds the handle of the `RWLock` object `lock`.
    pub fn add_handle(&mut self, id: HandleId, attachment: u32, lock: &Object<'_>) -> napi::Result<()> {
        let mut reference = ptr::null_mut();
        // SAFETY: on the environment's thread, with a value of it; `reference` is valid for writes.
        check_status!(unsafe { sys::napi_create_reference(self.env.raw(), lock.raw(), 0, &raw mut reference) })?;
        self.handles.insert(id, Handle { attachment, lock: reference });
        Ok(())
    }

    /// Removes a handle, and returns its attachment.
    pub fn remove_handle(&mut self, id: HandleId) -> Option<u32> {
        let handle = self.handles.remove(&id)?;
        // SAFETY: on the environment's thread; the reference was made for this handle, which is
        // removed.
        unsafe { sys::napi_delete_reference(self.env.raw(), handle.lock) };
        Some(handle.attachment)
    }

    /// The handles whose `RWLock` was collected.
    pub fn collected_handles(&self) -> Vec<HandleId> {
        let raw = self.env.raw();
        in_scope(raw, || {
            let is_collected = |handle: &Handle| {
                let mut lock = ptr::null_mut();
                // SAFETY: on the environment's thread, with a reference of it; `lock` is valid for
                // writes.
                unsafe { sys::napi_get_reference_value(raw, handle.lock, &raw mut lock) };
                lock.is_null()
            };
            self.handles.iter().filter(|(_, handle)| is_collected(handle)).map(|(&id, _)| id).collect()
        })
    }

    /// The function `on_outcome`, to be called while no state of the thread is borrowed.
    pub fn outcome_callback(&self) -> OutcomeCallback {
        OutcomeCallback { env: self.env, on_outcome: self.on_outcome }
    }

    /// Ends a copy whose environment continues.
    pub fn delete(mut self) {
        for id in self.handles.keys().copied().collect::<Vec<_>>() {
            self.remove_handle(id);
        }
        // SAFETY: on the environment's thread; the reference was made for this copy, which is
        // removed.
        unsafe { sys::napi_delete_reference(self.env.raw(), self.on_outcome) };
    }
}

pub(crate) struct OutcomeCallback {
    env: Env,
    on_outcome: sys::napi_ref,
}

impl OutcomeCallback {
    /// Passes the outcome of the request `key` to the copy. `report`: an error of its function
    /// becomes an uncaught exception.
    pub fn offer(&self, key: f64, hold: f64, report: bool) -> Delivery {
        let raw = self.env.raw();
        in_scope(raw, || {
            let (mut on_outcome, mut this, mut result) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
            // SAFETY: on the environment's thread, with a reference of it; what is passed to write
            // to is valid for that.
            unsafe { sys::napi_get_reference_value(raw, self.on_outcome, &raw mut on_outcome) };
            // SAFETY: as above.
            unsafe { sys::napi_get_undefined(raw, &raw mut this) };
            if on_outcome.is_null() {
                return Delivery::Refused;
            }
            // SAFETY: as above.
            let arguments = [key, hold].map(|number| unsafe { f64::to_napi_value(raw, number) });
            let [Ok(key), Ok(hold)] = arguments else { return Delivery::Refused };
            let arguments = [key, hold];
            // SAFETY: as above, with values of this scope.
            let status =
                unsafe { sys::napi_call_function(raw, this, on_outcome, 2, arguments.as_ptr(), &raw mut result) };
            if status == sys::Status::napi_ok {
                let mut accepted = false;
                // SAFETY: as above. A result that is no boolean leaves `accepted` unchanged.
                unsafe { sys::napi_get_value_bool(raw, result, &raw mut accepted) };
                return if accepted { Delivery::Accepted } else { Delivery::Refused };
            }
            let mut exception = ptr::null_mut();
            // SAFETY: as above.
            unsafe { sys::napi_get_and_clear_last_exception(raw, &raw mut exception) };
            if report && !exception.is_null() {
                // SAFETY: as above; no JavaScript is on the stack.
                unsafe { sys::napi_fatal_exception(raw, exception) };
            }
            Delivery::Threw
        })
    }
}

/// Frees the values that `act` creates, even if no call from JavaScript is on the stack.
fn in_scope<T>(env: sys::napi_env, act: impl FnOnce() -> T) -> T {
    let mut scope = ptr::null_mut();
    // SAFETY: on the environment's thread; `scope` is valid for writes.
    let opened = unsafe { sys::napi_open_handle_scope(env, &raw mut scope) } == sys::Status::napi_ok;
    let result = act();
    if opened {
        // SAFETY: the scope opened above.
        unsafe { sys::napi_close_handle_scope(env, scope) };
    }
    result
}

/// The finalizer of the copy whose number is in `data`.
unsafe extern "C" fn collected(_env: sys::napi_env, data: *mut c_void, _hint: *mut c_void) {
    let id = data.addr() as CopyId;
    Environment::try_with(|environment| environment.forget_copy(id));
}
