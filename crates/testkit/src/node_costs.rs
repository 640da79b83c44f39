//! The floors of the benchmarks: the minimal costs of Node.js, with which they compare the binding.

use std::ptr;
use std::thread;
use std::time::Duration;

use napi::bindgen_prelude::{Function, Result, Unknown};
use napi::{Env, check_status, sys};
use napi_derive::napi;

/// A bare Node-API function that does nothing.
#[napi]
pub fn nothing(env: &Env) -> Result<Unknown<'_>> {
    unsafe extern "C" fn callback(_: sys::napi_env, _: sys::napi_callback_info) -> sys::napi_value {
        ptr::null_mut()
    }
    let mut function = ptr::null_mut();
    check_status!(
        // SAFETY: on the thread of the environment; the name is valid for its length, and
        // `function` for writes.
        unsafe {
            sys::napi_create_function(
                env.raw(),
                c"nothing".as_ptr(),
                7,
                Some(callback),
                ptr::null_mut(),
                &raw mut function,
            )
        }
    )?;
    // SAFETY: a value of this environment, just made.
    Ok(unsafe { Unknown::from_raw_unchecked(env.raw(), function) })
}

/// Calls `callback` from another thread `times` times, `pause` µs apart, with the time (monotonic
/// ns) just before each call.
#[napi]
pub fn call_from_thread(callback: Function<'_, f64, ()>, times: u32, pause: u32) -> Result<()> {
    let callback = callback.build_threadsafe_function().build()?;
    thread::spawn(move || {
        for _ in 0..times {
            thread::sleep(Duration::from_micros(pause.into()));
            callback
                .call(process_rwlock::now() as f64, napi::threadsafe_function::ThreadsafeFunctionCallMode::Blocking);
        }
    });
    Ok(())
}
