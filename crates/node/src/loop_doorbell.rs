//! The doorbell of an event loop: other processes ring it, and the loop itself receives the rings.
//! Node gives addons its loop and the functions of libuv. Where those are missing there is no
//! doorbell, and the watcher's thread receives all wake-ups.

use std::ffi::{CStr, c_int, c_void};
use std::ptr::{self, NonNull};

#[cfg(unix)]
use libloading::os::unix::Library;
#[cfg(windows)]
use libloading::os::windows::Library;
use napi::{Env, sys};
use process_rwlock::Doorbell;

use crate::environment::{Environment, with_environment};
use crate::notifier::RingCallback;

/// Rings that are handled in one callback. The loop calls back at once for the rest.
const AT_ONCE: usize = 64;

/// The first field of every handle of libuv is the user's `data`.
type Handle = *mut *mut State;

/// The functions of libuv that are used here.
struct Uv {
    handle_size: unsafe extern "C" fn(kind: c_int) -> usize,
    poll_init: unsafe extern "C" fn(*mut sys::uv_loop_s, Handle, descriptor: c_int) -> c_int,
    poll_start: unsafe extern "C" fn(Handle, events: c_int, unsafe extern "C" fn(Handle, c_int, c_int)) -> c_int,
    unref: unsafe extern "C" fn(Handle),
    close: unsafe extern "C" fn(Handle, unsafe extern "C" fn(Handle)),
}

/// `UV_POLL` of `uv_handle_type`, and `UV_READABLE`: part of libuv's ABI since 1.0.
const POLL: c_int = 8;
const READABLE: c_int = 1;

impl Uv {
    fn get() -> Option<Self> {
        let program = Library::this();
        #[cfg(windows)]
        let program = program.ok()?;
        let uv = Self {
            // SAFETY: the declaration of libuv, here and below.
            handle_size: *unsafe { program.get(b"uv_handle_size\0") }.ok()?,
            // SAFETY: as above.
            poll_init: *unsafe { program.get(b"uv_poll_init\0") }.ok()?,
            // SAFETY: as above.
            poll_start: *unsafe { program.get(b"uv_poll_start\0") }.ok()?,
            // SAFETY: as above.
            unref: *unsafe { program.get(b"uv_unref\0") }.ok()?,
            // SAFETY: as above.
            close: *unsafe { program.get(b"uv_close\0") }.ok()?,
        };
        Some(uv)
    }
}

/// A doorbell, open until the environment ends.
pub(crate) struct LoopDoorbell(NonNull<State>);

/// Owned by the loop, which may use it until the handle is closed.
struct State {
    uv: Uv,
    /// Room for a `uv_poll_t`.
    handle: Box<[u128]>,
    doorbell: Doorbell,
    on_ring: RingCallback,
    hook: sys::napi_async_cleanup_hook_handle,
}

impl LoopDoorbell {
    /// `on_ring` is called when requests have been settled.
    pub fn open(env: Env, on_ring: RingCallback) -> Option<Self> {
        if has_global(env, c"Bun") || has_global(env, c"Deno") {
            return None;
        }
        let mut uv_loop = ptr::null_mut();
        // SAFETY: on the environment's thread; `uv_loop` is valid for writes.
        if unsafe { sys::napi_get_uv_event_loop(env.raw(), &raw mut uv_loop) } != sys::Status::napi_ok {
            return None;
        }
        let doorbell = Doorbell::open().ok()?;
        let uv = Uv::get()?;
        // SAFETY: returns a number.
        let size = unsafe { (uv.handle_size)(POLL) };
        let handle = vec![0; size.div_ceil(size_of::<u128>())].into();
        let mut state = Box::new(State { uv, handle, doorbell, on_ring, hook: ptr::null_mut() });
        let handle: Handle = state.handle.as_mut_ptr().cast();
        let uv = &state.uv;
        // SAFETY: the loop of this thread; `handle` has room, and keeps its place until it is
        // closed.
        if unsafe { (uv.poll_init)(uv_loop, handle, state.doorbell.descriptor()) } != 0 {
            return None;
        }
        // SAFETY: an initialised handle of this thread. From here on only its close callback may
        // free it.
        unsafe { (uv.unref)(handle) };
        let state = NonNull::from(Box::leak(state));
        // SAFETY: not shared yet.
        let owned = unsafe { &mut *state.as_ptr() };
        // SAFETY: its first field.
        unsafe { handle.write(state.as_ptr()) };
        // SAFETY: on the environment's thread. The environment does not end before the hook is
        // removed: in `closed`.
        let hooked = unsafe {
            sys::napi_add_async_cleanup_hook(env.raw(), Some(end), state.as_ptr().cast(), &raw mut owned.hook)
        };
        // SAFETY: as above; `ring` can be called from now on, on this thread.
        if hooked != sys::Status::napi_ok || unsafe { (owned.uv.poll_start)(handle, READABLE, ring) } != 0 {
            // SAFETY: as above.
            unsafe { (owned.uv.close)(handle, closed) };
            return None;
        }
        Some(Self(state))
    }

    pub fn core(&self) -> &Doorbell {
        // SAFETY: the environment forgets the doorbell before it is closed.
        unsafe { &self.0.as_ref().doorbell }
    }
}

/// Called by the loop when the doorbell was rung.
unsafe extern "C" fn ring(handle: Handle, _status: c_int, _events: c_int) {
    // SAFETY: `data`, as set when the doorbell was opened.
    let state = unsafe { *handle };
    // SAFETY: freed by `closed` alone.
    let state = unsafe { &*state };
    let mut rings = 0;
    let mut events = false;
    while rings < AT_ONCE
        && let Some(attachment) = state.doorbell.next_ring()
    {
        rings += 1;
        events |= with_environment(|environment| environment.on_ring(attachment));
    }
    if events {
        state.on_ring.call();
    }
}

/// Called at the end of the environment: on its thread, before its loop ends.
unsafe extern "C" fn end(_hook: sys::napi_async_cleanup_hook_handle, state: *mut c_void) {
    with_environment(Environment::forget_loop_doorbell);
    let state: *mut State = state.cast();
    // SAFETY: freed by `closed` alone.
    let state = unsafe { &mut *state };
    // SAFETY: an open handle of this thread.
    unsafe { (state.uv.close)(state.handle.as_mut_ptr().cast(), closed) };
}

unsafe extern "C" fn closed(handle: Handle) {
    // SAFETY: `data`, as set when the doorbell was opened.
    let state = unsafe { *handle };
    // SAFETY: leaked from a box, and not used any more.
    let state = unsafe { Box::from_raw(state) };
    if !state.hook.is_null() {
        // SAFETY: it was added, and has not been removed.
        unsafe { sys::napi_remove_async_cleanup_hook(state.hook) };
    }
}

/// Whether the global object has a property of this name. It identifies Bun and Deno, which export
/// the names of libuv, too: in Bun these functions end the process; in Deno a poll calls back only
/// once, and the end of a cleanup hook frees it twice.
fn has_global(env: Env, name: &CStr) -> bool {
    let mut global = ptr::null_mut();
    let mut found = false;
    // SAFETY: on the environment's own thread; `global` is valid for writes.
    let status = unsafe { sys::napi_get_global(env.raw(), &raw mut global) };
    status != sys::Status::napi_ok
        // SAFETY: as above; `found` is valid for writes.
        || unsafe { sys::napi_has_named_property(env.raw(), global, name.as_ptr(), &raw mut found) }
            != sys::Status::napi_ok
        || found
}
