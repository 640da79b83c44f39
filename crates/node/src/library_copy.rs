//! A *copy* is one evaluation of the package's JavaScript. A thread can have many: symbolic and hard links, `import` beside
//! `require()`, resets of a module registry, vm contexts. They share the thread's attachments; each has requests of its own,
//! and a function that claims their outcomes.
//!
//! The binding keeps a copy, and with it its vm context, alive only while the copy has requests. A copy that was collected can
//! use nothing any more, so its handles close with it.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::ptr;

use napi::bindgen_prelude::{Function, JsObjectValue, Object, ToNapiValue};
use napi::{Env, JsValue, check_status, sys};

use crate::environment::Environment;

/// Never used twice in a thread.
pub(crate) type CopyId = u32;
/// One `new RWLock()`; never used twice in a thread.
pub(crate) type HandleId = u32;

pub(crate) struct LibraryCopy {
    env: Env,
    on_outcome: sys::napi_ref,
    /// Requests that wait or whose outcome was not delivered. While there are any, `on_outcome` is strong.
    requests: usize,
    pub handles: BTreeMap<HandleId, Handle>,
}

/// One opening of a lock.
pub(crate) struct Handle {
    pub attachment: u32,
    /// The `RWLock`, weak.
    lock: sys::napi_ref,
}

/// What became of an outcome that was offered to its copy.
pub(crate) enum Delivery {
    Accepted,
    /// The copy does not know the request, or is gone.
    Refused,
    /// Its function threw.
    Threw,
}

impl LibraryCopy {
    /// The copy whose outcomes the function `on_outcome` takes, and the object that JavaScript keeps as long as the copy lives.
    pub fn new(env: Env, id: CopyId, on_outcome: Function<'_>) -> napi::Result<(Self, Object<'static>)> {
        let mut object = Object::new(&env)?;
        object.set_named_property("number", id)?;
        // So that `on_outcome` lives as long as the object: here it is weak.
        object.set_named_property("onOutcome", on_outcome)?;
        let mut reference = ptr::null_mut();
        let (raw, function) = (env.raw(), on_outcome.raw());
        // SAFETY: on the environment's thread, with a value of it; `reference` is valid for writes.
        check_status!(unsafe { sys::napi_create_reference(raw, function, 0, &raw mut reference) })?;
        let (data, hint, none) = (ptr::without_provenance_mut(id as usize), ptr::null_mut(), ptr::null_mut());
        // SAFETY: as above; `data` is a number, and `collected` takes it for one.
        check_status!(unsafe { sys::napi_add_finalizer(raw, function, data, Some(collected), hint, none) })?;
        // SAFETY: lives in the handle scope of the call it is returned from, like the shorter lifetime it had.
        let object = unsafe { std::mem::transmute::<Object<'_>, Object<'static>>(object) };
        Ok((Self { env, on_outcome: reference, requests: 0, handles: BTreeMap::new() }, object))
    }

    pub fn env(&self) -> Env {
        self.env
    }

    /// One request more.
    pub fn begin_request(&mut self) {
        self.requests += 1;
        if self.requests == 1 {
            // SAFETY: on the environment's thread; the reference is deleted with the copy alone. Nothing is written.
            unsafe { sys::napi_reference_ref(self.env.raw(), self.on_outcome, ptr::null_mut()) };
        }
    }

    /// One request less.
    pub fn end_request(&mut self) {
        self.requests -= 1;
        if self.requests == 0 {
            // SAFETY: as in `begin_request`.
            unsafe { sys::napi_reference_unref(self.env.raw(), self.on_outcome, ptr::null_mut()) };
        }
    }

    /// One opening more, of the `RWLock` that `lock` is.
    pub fn add_handle(&mut self, id: HandleId, attachment: u32, lock: &Object<'_>) -> napi::Result<()> {
        let mut reference = ptr::null_mut();
        // SAFETY: on the environment's thread, with a value of it; `reference` is valid for writes.
        check_status!(unsafe { sys::napi_create_reference(self.env.raw(), lock.raw(), 0, &raw mut reference) })?;
        self.handles.insert(id, Handle { attachment, lock: reference });
        Ok(())
    }

    /// One opening less; its attachment.
    pub fn remove_handle(&mut self, id: HandleId) -> Option<u32> {
        let handle = self.handles.remove(&id)?;
        // SAFETY: on the environment's thread; the reference was made for this handle, which is no more.
        unsafe { sys::napi_delete_reference(self.env.raw(), handle.lock) };
        Some(handle.attachment)
    }

    /// Handles whose `RWLock` was collected.
    pub fn collected_handles(&self) -> Vec<HandleId> {
        let raw = self.env.raw();
        in_scope(raw, || {
            let is_collected = |handle: &Handle| {
                let mut lock = ptr::null_mut();
                // SAFETY: on the environment's thread, with a reference of it; `lock` is valid for writes.
                unsafe { sys::napi_get_reference_value(raw, handle.lock, &raw mut lock) };
                lock.is_null()
            };
            self.handles.iter().filter(|(_, handle)| is_collected(handle)).map(|(&id, _)| id).collect()
        })
    }

    /// What calls `on_outcome`, for use while nothing of the thread's state is borrowed.
    pub fn outcome_callback(&self) -> OutcomeCallback {
        OutcomeCallback { env: self.env, on_outcome: self.on_outcome }
    }

    /// Ends a copy whose environment goes on.
    pub fn delete(mut self) {
        for id in self.handles.keys().copied().collect::<Vec<_>>() {
            self.remove_handle(id);
        }
        // SAFETY: on the environment's thread; the reference was made for this copy, which is no more.
        unsafe { sys::napi_delete_reference(self.env.raw(), self.on_outcome) };
    }
}

pub(crate) struct OutcomeCallback {
    env: Env,
    on_outcome: sys::napi_ref,
}

impl OutcomeCallback {
    /// Offers the outcome of the request `key` to the copy. `report`: what its function throws is an uncaught exception.
    pub fn offer(&self, key: f64, hold: f64, report: bool) -> Delivery {
        let raw = self.env.raw();
        in_scope(raw, || {
            let (mut on_outcome, mut this, mut result) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
            // SAFETY: on the environment's thread, with a reference of it; what is passed to write to is valid for that.
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
                // SAFETY: as above. What is no boolean leaves `accepted` as it is.
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

/// Values that `act` makes are freed after it, also where no call from JavaScript is under way.
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

/// The copy whose number is in `data` was collected.
unsafe extern "C" fn collected(_env: sys::napi_env, data: *mut c_void, _hint: *mut c_void) {
    let id = data.addr() as CopyId;
    Environment::try_with(|environment| environment.forget_copy(id));
}
