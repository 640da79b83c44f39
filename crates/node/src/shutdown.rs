//! Detects that a JavaScript thread is being terminated.

use std::ptr;

use napi::{Env, sys};

/// Whether this JavaScript thread is being terminated: then it must stop blocking.
pub(crate) fn is_shutting_down(env: Env) -> bool {
    let mut global = ptr::null_mut();
    // SAFETY: on the environment's own thread; `global` is valid for writes.
    if unsafe { sys::napi_get_global(env.raw(), &raw mut global) } != sys::Status::napi_ok {
        return true;
    }
    let mut found = false;
    // Reading a property of the global object runs no JavaScript, but Node refuses it when
    // JavaScript can no longer run.
    // SAFETY: as above; the name is a C string, `found` is valid for writes.
    unsafe {
        sys::napi_has_named_property(env.raw(), global, c"process".as_ptr(), &raw mut found) != sys::Status::napi_ok
    }
}
