//! The functions that every acquisition and release goes through, as bare Node-API callbacks: what `#[napi]` generates
//! around a function costs 70 ns (measured on Node 20: 99 ns for a function of one integer, against 29 ns here), several
//! times what the lock itself does.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use napi::bindgen_prelude::{JsObjectValue, Object};
use napi::{Env, check_status, sys};
use process_rwlock::Attachment;

use crate::realm::{with_attachment, with_realm};
use crate::{end_of_hold, hold};

/// The four functions, as an object to take them from once.
pub(crate) fn functions(env: Env) -> napi::Result<Object<'static>> {
    let mut object = Object::new(&env)?;
    let functions: [(&str, sys::napi_callback); 4] = [
        ("tryRead", Some(try_read)),
        ("tryWrite", Some(try_write)),
        ("releaseRead", Some(release_read)),
        ("releaseExclusive", Some(release_exclusive)),
    ];
    for (name, callback) in functions {
        let mut function = ptr::null_mut();
        check_status!(
            // SAFETY: on the environment's thread; `name` is valid for its length, `function` for writes.
            unsafe {
                sys::napi_create_function(
                    env.raw(),
                    name.as_ptr().cast(),
                    name.len() as isize,
                    callback,
                    ptr::null_mut(),
                    &raw mut function,
                )
            }
        )?;
        // SAFETY: a value of this environment, just made.
        let function = unsafe { napi::bindgen_prelude::Unknown::from_raw_unchecked(env.raw(), function) };
        object.set_named_property(name, function)?;
    }
    // SAFETY: lives in the handle scope of the call it is returned from, like the shorter lifetime it had.
    Ok(unsafe { std::mem::transmute::<Object<'_>, Object<'static>>(object) })
}

/// Up to two integers; what is missing or no number is `u32::MAX`, which is no attachment.
fn arguments(env: sys::napi_env, info: sys::napi_callback_info) -> [u32; 2] {
    let mut given = [ptr::null_mut(); 2];
    let mut count = given.len();
    // SAFETY: called from a callback with its own `env` and `info`; `given` has room for `count` values.
    unsafe {
        sys::napi_get_cb_info(env, info, &raw mut count, given.as_mut_ptr(), ptr::null_mut(), ptr::null_mut());
    }
    let mut numbers = [u32::MAX; 2];
    for (number, value) in numbers.iter_mut().zip(given).take(count) {
        // SAFETY: `value` is an argument of this call. If it is no number nothing is written.
        unsafe { sys::napi_get_value_uint32(env, value, number) };
    }
    numbers
}

/// A panic must not cross into Node: it becomes an exception.
fn guarded(env: sys::napi_env, act: impl FnOnce() -> sys::napi_value) -> sys::napi_value {
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|_| {
        throw(env, c"ERR_LOCK_CORRUPT", "process-rwlock failed inside: please report it");
        ptr::null_mut()
    })
}

fn throw(env: sys::napi_env, code: &std::ffi::CStr, message: &str) {
    let message = std::ffi::CString::new(message).unwrap_or_default();
    // SAFETY: on the environment's thread, with two C strings.
    unsafe { sys::napi_throw_error(env, code.as_ptr(), message.as_ptr()) };
}

fn number(env: sys::napi_env, number: f64) -> sys::napi_value {
    let mut value = ptr::null_mut();
    // SAFETY: on the environment's thread; `value` is valid for writes.
    unsafe { sys::napi_create_double(env, number, &raw mut value) };
    value
}

/// `true`, or `undefined`, which costs nothing.
fn truth(env: sys::napi_env, truth: bool) -> sys::napi_value {
    let mut value = ptr::null_mut();
    if truth {
        // SAFETY: on the environment's thread; `value` is valid for writes.
        unsafe { sys::napi_get_boolean(env, true, &raw mut value) };
    }
    value
}

/// A hold, or 0, from an attempt that does not wait.
fn attempt(env: sys::napi_env, info: sys::napi_callback_info, try_it: fn(&Attachment) -> bool) -> sys::napi_value {
    guarded(env, || {
        let [attachment, _] = arguments(env, info);
        let told =
            with_attachment(attachment, 0.0, |attachment| if try_it(attachment) { hold(attachment) } else { 0.0 });
        number(env, told)
    })
}

/// `tryRead(attachment)`: a read hold if that needs no waiting, else 0.
unsafe extern "C" fn try_read(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    attempt(env, info, |attachment| {
        let granted = attachment.try_read();
        if granted {
            attachment.stamp_read();
        }
        granted
    })
}

/// `tryWrite(attachment)`: the write hold if that needs no waiting, else 0.
unsafe extern "C" fn try_write(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    attempt(env, info, |attachment| {
        let granted = attachment.try_write();
        if granted {
            attachment.stamp_exclusive();
        }
        granted
    })
}

/// `releaseRead(attachment)`: ends one read hold. True if `takeEvents` has something now, since requests of this thread may
/// have been granted.
unsafe extern "C" fn release_read(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    guarded(env, || {
        let [attachment, _] = arguments(env, info);
        truth(
            env,
            with_realm(|realm| {
                if let Some(open) = realm.get(attachment) {
                    open.attachment.release_read();
                }
                realm.has_events_after(attachment)
            }),
        )
    })
}

/// `releaseExclusive(attachment, end)`: ends the exclusive hold; `end`: 0 whole, 1 the holder failed, 2 it went away.
/// Returns as `releaseRead`.
unsafe extern "C" fn release_exclusive(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    guarded(env, || {
        let [attachment, end] = arguments(env, info);
        with_realm(|realm| {
            let result =
                realm.get(attachment).map_or(Ok(()), |open| open.attachment.release_exclusive(end_of_hold(end)));
            let events = realm.has_events_after(attachment);
            match result {
                Ok(()) => truth(env, events),
                Err(error) => {
                    throw(env, c"ERR_LOCK_CORRUPT", &error.to_string());
                    ptr::null_mut()
                }
            }
        })
    })
}
