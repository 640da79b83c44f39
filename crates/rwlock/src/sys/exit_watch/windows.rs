//! Windows: a process is a waitable object, and its handles are closed before the object is
//! signalled. A thread of the system's pool waits for many processes at a time, and reports an exit
//! to a completion port. Source: RegisterWaitForSingleObject and "Terminating a Process" in the
//! documentation of Win32.

use std::ffi::c_void;
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use windows_sys::Win32::Foundation::{HANDLE, INVALID_HANDLE_VALUE, WAIT_OBJECT_0};
use windows_sys::Win32::System::IO::{CreateIoCompletionPort, GetQueuedCompletionStatus, PostQueuedCompletionStatus};
use windows_sys::Win32::System::Threading::{
    INFINITE, OpenProcess, PROCESS_SYNCHRONIZE, RegisterWaitForSingleObject, UnregisterWaitEx, WT_EXECUTEONLYONCE,
    WaitForSingleObject,
};

pub(super) struct ExitWatch(Arc<OwnedHandle>);

/// Ends the wait when dropped.
pub(super) struct Watched {
    wait: HANDLE,
    process: OwnedHandle,
    _death: Box<Death>,
}

// SAFETY: any thread may end a wait; the argument of the wait is not accessed meanwhile.
unsafe impl Send for Watched {}

/// What to report, and to which port.
struct Death {
    port: Arc<OwnedHandle>,
    number: u64,
}

/// Not queried: on Windows a byte lock can be queried at a constant price.
pub(crate) fn has_ended(_pid: u32) -> Option<bool> {
    None
}

/// One for the whole machine.
pub(super) fn own_namespace() -> u32 {
    1
}

fn owned(handle: HANDLE) -> io::Result<OwnedHandle> {
    if handle.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened, and not owned by anything else.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

impl ExitWatch {
    pub fn new() -> io::Result<Self> {
        // SAFETY: no memory is involved.
        owned(unsafe { CreateIoCompletionPort(INVALID_HANDLE_VALUE, ptr::null_mut(), 0, 1) }).map(Arc::new).map(Self)
    }

    /// [`ExitWatch::next`] returns `number` when the process has ended.
    pub fn watch(&self, pid: u32, number: u64) -> io::Result<Watched> {
        // SAFETY: no memory is involved.
        let process = owned(unsafe { OpenProcess(PROCESS_SYNCHRONIZE, 0, pid) })?;
        let death = Box::new(Death { port: self.0.clone(), number });
        let mut wait = ptr::null_mut();
        // SAFETY: the process is open, and `death` lives, until the wait has been ended.
        let done = unsafe {
            RegisterWaitForSingleObject(
                &raw mut wait,
                process.as_raw_handle(),
                Some(tell),
                (&raw const *death).cast(),
                INFINITE,
                WT_EXECUTEONLYONCE,
            )
        };
        if done == 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Watched { wait, process, _death: death })
    }

    /// The number of a process that has ended; `None` if none ended within `time`.
    pub fn next(&self, time: Duration) -> Option<u64> {
        let (mut bytes, mut number, mut overlapped) = (0, 0, ptr::null_mut());
        let time = time.as_millis() as u32;
        // SAFETY: the port is open; the rest is valid for writes.
        let done = unsafe {
            GetQueuedCompletionStatus(
                self.0.as_raw_handle(),
                &raw mut bytes,
                &raw mut number,
                &raw mut overlapped,
                time,
            )
        };
        (done != 0).then_some(number as u64)
    }

    /// Whether the process has ended. (Its PID is not reused while a handle of it is open.)
    pub fn has_ended(watched: &Watched) -> bool {
        // SAFETY: the process is open.
        unsafe { WaitForSingleObject(watched.process.as_raw_handle(), 0) == WAIT_OBJECT_0 }
    }
}

/// Runs on a thread of the system.
unsafe extern "system" fn tell(death: *mut c_void, _timed_out: bool) {
    // SAFETY: the argument that `watch` passed, which lives until the wait has been ended.
    let death = unsafe { &*death.cast::<Death>() };
    // SAFETY: the port is open.
    unsafe { PostQueuedCompletionStatus(death.port.as_raw_handle(), 0, death.number as usize, ptr::null()) };
}

impl Drop for Watched {
    fn drop(&mut self) {
        // Waits until a running call of `tell` has returned. SAFETY: the wait was registered, and
        // is ended once.
        unsafe { UnregisterWaitEx(self.wait, INVALID_HANDLE_VALUE) };
    }
}
