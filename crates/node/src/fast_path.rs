//! The functions of every acquisition and release, as bare Node-API callbacks. The code that
//! `#[napi]` generates around a function costs 70 ns, several times the cost of the lock itself.
//!
//! Arguments and results are in [`Words`], memory that JavaScript has as typed arrays. JavaScript
//! reads or writes a number there in 1 ns; as an argument of a call a number costs 8 ns, as its
//! result 3 ns (measured on Node 20).

use std::cell::Cell;
use std::ffi::CString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use napi::bindgen_prelude::{JsObjectValue, Object, Unknown};
use napi::{Env, JsValue, check_status, sys};
use process_rwlock::Attachment;

use crate::delivery::{DeliveredFrom, deliver_outcomes};
use crate::environment::{with_attachment, with_environment};
use crate::{end_of_hold, grant_of};

/// The arguments and the result of a call. JavaScript has the same memory; only one of the two runs
/// at a time.
#[repr(C)]
struct Words {
    attachment: Cell<u32>,
    /// How an exclusive hold ends: 0 consistent, 1 the holder failed, 2 the holder is gone. Or the
    /// mode of a hold.
    end: Cell<u32>,
    /// A grant, or 0. Or 1 for yes.
    grant: Cell<f64>,
}

/// An object with the functions and their `words`. All library copies of an addon instance
/// share it. It belongs to the context of that instance.
pub(crate) fn functions(env: Env) -> napi::Result<Object<'static>> {
    let raw = env.raw();
    let known = with_environment(|environment| environment.fast_path(env).map(|functions| *functions))?;
    let mut value = ptr::null_mut();
    if let Some(reference) = known {
        // SAFETY: on the environment's thread, with a reference of it; `value` is valid for writes.
        check_status!(unsafe { sys::napi_get_reference_value(raw, reference, &raw mut value) })?;
        return Ok(Object::from_raw(raw, value));
    }
    let object = make_functions(env)?;
    let mut reference = ptr::null_mut();
    // Never deleted: the memory stays as long as the environment, and so as long as a function can
    // be called.
    // SAFETY: on the environment's thread, with a value of it; `reference` is valid for writes.
    check_status!(unsafe { sys::napi_create_reference(raw, object.raw(), 1, &raw mut reference) })?;
    with_environment(|environment| environment.fast_path(env).map(|functions| *functions = Some(reference)))?;
    Ok(object)
}

fn make_functions(env: Env) -> napi::Result<Object<'static>> {
    let raw = env.raw();
    let mut object = Object::new(&env)?;
    let (mut words, mut buffer) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: on the environment's thread; the pointers are valid for writes.
    check_status!(unsafe { sys::napi_create_arraybuffer(raw, size_of::<Words>(), &raw mut words, &raw mut buffer) })?;
    // SAFETY: a value of this environment.
    object.set_named_property("words", unsafe { Unknown::from_raw_unchecked(raw, buffer) })?;
    let functions: [(&str, sys::napi_callback); 5] = [
        ("tryRead", Some(try_read)),
        ("tryWrite", Some(try_write)),
        ("isContended", Some(is_contended)),
        ("releaseRead", Some(release_read)),
        ("releaseExclusive", Some(release_exclusive)),
    ];
    for (name, callback) in functions {
        let (text, length) = (name.as_ptr().cast(), name.len() as isize);
        let mut function = ptr::null_mut();
        // SAFETY: on the environment's thread; `text` is valid for its length, `function` for
        // writes.
        check_status!(unsafe { sys::napi_create_function(raw, text, length, callback, words, &raw mut function) })?;
        // SAFETY: a value of this environment, just made.
        object.set_named_property(name, unsafe { Unknown::from_raw_unchecked(raw, function) })?;
    }
    // SAFETY: lives in the handle scope of the call it is returned from, like the shorter lifetime
    // it had.
    Ok(unsafe { std::mem::transmute::<Object<'_>, Object<'static>>(object) })
}

/// The words of the called function.
///
/// # Safety
/// `env` and `info` are those of a call of one of [`functions`], and the result is not used after
/// it.
unsafe fn words<'a>(env: sys::napi_env, info: sys::napi_callback_info) -> &'a Words {
    let mut words = ptr::null_mut();
    let (count, arguments, this) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    // SAFETY: called from a callback with its own `env` and `info`; null means that a value is not
    // wanted.
    unsafe { sys::napi_get_cb_info(env, info, count, arguments, this, &raw mut words) };
    // SAFETY: the data that `functions` gave to the function: memory of the size of `Words`,
    // aligned for any number. It does not move as long as the environment exists: a reference keeps
    // the object with the buffer, and `src/shared-memory/fast-path.ts`, its only user, never
    // transfers it. JavaScript does not write there during this call.
    unsafe { &*words.cast::<Words>() }
}

/// Turns a panic, which must not unwind into Node, into an exception.
fn guarded(env: sys::napi_env, act: impl FnOnce() -> sys::napi_value) -> sys::napi_value {
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|_| {
        throw(env, c"ERR_LOCK_CORRUPT", "internal error of process-rwlock: please report it");
        ptr::null_mut()
    })
}

fn throw(env: sys::napi_env, code: &std::ffi::CStr, message: &str) {
    let message = CString::new(message).unwrap_or_default();
    // SAFETY: on the environment's thread, with two C strings.
    unsafe { sys::napi_throw_error(env, code.as_ptr(), message.as_ptr()) };
}

/// Runs an attempt that does not wait, and writes its grant, or 0.
fn attempt(env: sys::napi_env, words: &Words, try_it: fn(&Attachment) -> bool) -> sys::napi_value {
    words.grant.set(0.0);
    guarded(env, || {
        words.grant.set(with_attachment(words.attachment.get(), 0.0, |attachment| {
            if try_it(attachment) { grant_of(attachment) } else { 0.0 }
        }));
        ptr::null_mut()
    })
}

/// `tryRead()`: acquires a read hold if no wait is needed.
unsafe extern "C" fn try_read(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: called as one of `functions`.
    attempt(env, unsafe { words(env, info) }, |attachment| {
        let granted = attachment.try_read();
        if granted {
            attachment.stamp_read();
        }
        granted
    })
}

/// `tryWrite()`: acquires the write hold if no wait is needed.
unsafe extern "C" fn try_write(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: called as one of `functions`.
    attempt(env, unsafe { words(env, info) }, |attachment| {
        let granted = attachment.try_write();
        if granted {
            attachment.stamp_exclusive();
        }
        granted
    })
}

/// `isContended()`: whether a request waits that a hold keeps out.
unsafe extern "C" fn is_contended(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: called as one of `functions`.
    let words = unsafe { words(env, info) };
    words.grant.set(0.0);
    guarded(env, || {
        let held = crate::mode(words.end.get());
        let contended = |attachment: &Attachment| attachment.is_contended(held);
        words.grant.set(f64::from(u8::from(with_attachment(words.attachment.get(), false, contended))));
        ptr::null_mut()
    })
}

/// `releaseRead()`: ends one read hold.
unsafe extern "C" fn release_read(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: called as one of `functions`.
    let attachment = unsafe { words(env, info) }.attachment.get();
    guarded(env, || {
        let outcomes = with_environment(|environment| {
            if let Some(open) = environment.get(attachment) {
                open.attachment.release_read();
            }
            environment.advance(attachment)
        });
        if outcomes {
            deliver_outcomes(DeliveredFrom::Call);
        }
        ptr::null_mut()
    })
}

/// `releaseExclusive()`: ends the exclusive hold.
unsafe extern "C" fn release_exclusive(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: called as one of `functions`.
    let words = unsafe { words(env, info) };
    let attachment = words.attachment.get();
    guarded(env, || {
        let mut lost = None;
        let outcomes = with_environment(|environment| {
            let end = end_of_hold(words.end.get());
            if let Some(open) = environment.get(attachment)
                && let Err(error) = open.attachment.release_exclusive(end)
            {
                lost = Some(Box::new(error));
            }
            environment.advance(attachment)
        });
        if outcomes {
            deliver_outcomes(DeliveredFrom::Call);
        }
        if let Some(error) = lost {
            let code = CString::new(error.kind().code()).unwrap_or_default();
            throw(env, &code, &error.to_string());
        }
        ptr::null_mut()
    })
}
