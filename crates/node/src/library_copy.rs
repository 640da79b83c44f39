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

use crate::environment::Realm;

/// Never used twice in a thread.
pub(crate) type CopyId = u32;
/// One `new RWLock()`; never used twice in a thread.
pub(crate) type HandleId = u32;

pub(crate) struct Copy {
    env: Env,
    claim: sys::napi_ref,
    /// Requests that wait or whose outcome was not delivered. While there are any, `claim` is strong.
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
pub(crate) enum Claim {
    Claimed,
    /// The copy does not know the request, or is gone.
    Refused,
    /// Its function threw.
    Threw,
}

impl Copy {
    /// The copy whose outcomes the function `claim` takes, and the object that JavaScript keeps as long as the copy lives.
    pub fn new(env: Env, id: CopyId, claim: Function<'_>) -> napi::Result<(Self, Object<'static>)> {
        let mut object = Object::new(&env)?;
        object.set_named_property("number", id)?;
        // So that `claim` lives as long as the object: here it is weak.
        object.set_named_property("claim", claim)?;
        let mut reference = ptr::null_mut();
        let (raw, function) = (env.raw(), claim.raw());
        // SAFETY: on the environment's thread, with a value of it; `reference` is valid for writes.
        check_status!(unsafe { sys::napi_create_reference(raw, function, 0, &raw mut reference) })?;
        let (data, hint, none) = (ptr::without_provenance_mut(id as usize), ptr::null_mut(), ptr::null_mut());
        // SAFETY: as above; `data` is a number, and `collected` takes it for one.
        check_status!(unsafe { sys::napi_add_finalizer(raw, function, data, Some(collected), hint, none) })?;
        // SAFETY: lives in the handle scope of the call it is returned from, like the shorter lifetime it had.
        let object = unsafe { std::mem::transmute::<Object<'_>, Object<'static>>(object) };
        Ok((Self { env, claim: reference, requests: 0, handles: BTreeMap::new() }, object))
    }

    pub fn env(&self) -> Env {
        self.env
    }

    /// One request more.
    pub fn begin_request(&mut self) {
        self.requests += 1;
        if self.requests == 1 {
            // SAFETY: on the environment's thread; the reference is deleted with the copy alone. Nothing is written.
            unsafe { sys::napi_reference_ref(self.env.raw(), self.claim, ptr::null_mut()) };
        }
    }

    /// One request less.
    pub fn end_request(&mut self) {
        self.requests -= 1;
        if self.requests == 0 {
            // SAFETY: as in `begin_request`.
            unsafe { sys::napi_reference_unref(self.env.raw(), self.claim, ptr::null_mut()) };
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

    /// What calls `claim`, for use while nothing of the thread's state is borrowed.
    pub fn claimant(&self) -> Claimant {
        Claimant { env: self.env, claim: self.claim }
    }

    /// Ends a copy whose environment goes on.
    pub fn delete(mut self) {
        for id in self.handles.keys().copied().collect::<Vec<_>>() {
            self.remove_handle(id);
        }
        // SAFETY: on the environment's thread; the reference was made for this copy, which is no more.
        unsafe { sys::napi_delete_reference(self.env.raw(), self.claim) };
    }
}

pub(crate) struct Claimant {
    env: Env,
    claim: sys::napi_ref,
}

impl Claimant {
    /// Offers the outcome of the request `token` to the copy. `report`: what its function throws is an uncaught exception.
    pub fn offer(&self, token: f64, hold: f64, report: bool) -> Claim {
        let raw = self.env.raw();
        in_scope(raw, || {
            let (mut claim, mut this, mut result) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
            // SAFETY: on the environment's thread, with a reference of it; what is passed to write to is valid for that.
            unsafe { sys::napi_get_reference_value(raw, self.claim, &raw mut claim) };
            // SAFETY: as above.
            unsafe { sys::napi_get_undefined(raw, &raw mut this) };
            if claim.is_null() {
                return Claim::Refused;
            }
            // SAFETY: as above.
            let arguments = [token, hold].map(|number| unsafe { f64::to_napi_value(raw, number) });
            let [Ok(token), Ok(hold)] = arguments else { return Claim::Refused };
            let arguments = [token, hold];
            // SAFETY: as above, with values of this scope.
            let status = unsafe { sys::napi_call_function(raw, this, claim, 2, arguments.as_ptr(), &raw mut result) };
            if status == sys::Status::napi_ok {
                let mut claimed = false;
                // SAFETY: as above. What is no boolean leaves `claimed` as it is.
                unsafe { sys::napi_get_value_bool(raw, result, &raw mut claimed) };
                return if claimed { Claim::Claimed } else { Claim::Refused };
            }
            let mut exception = ptr::null_mut();
            // SAFETY: as above.
            unsafe { sys::napi_get_and_clear_last_exception(raw, &raw mut exception) };
            if report && !exception.is_null() {
                // SAFETY: as above; no JavaScript is on the stack.
                unsafe { sys::napi_fatal_exception(raw, exception) };
            }
            Claim::Threw
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
    Realm::try_with(|realm| realm.forget_copy(id));
}
