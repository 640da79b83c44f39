//! Native helpers of the tests: shared pages without any protection, on which a missing exclusion
//! leaves traces; stopping processes; and the recorder and killer of the stress test.

#[cfg(unix)]
pub mod fork;
pub mod node_costs;

mod stress;

use std::fs::OpenOptions;

use memmap2::MmapOptions;
use napi::bindgen_prelude::{JsObjectValue, JsValue, Object, Result, Uint8Array};
use napi::{Env, check_status, sys};
use napi_derive::napi;
use process_rwlock_stress::system;

/// Maps the first `bytes` bytes of the file at `path`, shared with all other mappings of them.
///
/// The file is created and grown as needed, with zeros.
#[napi]
pub fn map_page(path: String, bytes: u32) -> Result<Uint8Array> {
    let len = bytes as usize;
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    if file.metadata()?.len() < u64::from(bytes) {
        file.set_len(u64::from(bytes))?;
    }
    // SAFETY: the tests never shrink a file that is mapped, so no access runs past its end.
    let mut map = unsafe { MmapOptions::new().len(len).map_mut(&file) }?;
    let data = map.as_mut_ptr();
    // SAFETY: `data` is valid for `len` bytes until the finalizer, which owns `map`, drops it. Other
    // processes write to it meanwhile: the tests touch it through `Atomics`, or race on purpose.
    Ok(unsafe { Uint8Array::with_external_data(data, len, move |_, _| drop(map)) })
}

/// Unmaps a page of [`map_page`] before it is collected.
#[napi]
pub fn unmap_page(env: &Env, page: Object<'_>) -> Result<()> {
    let buffer: Object<'_> = page.get_named_property("buffer")?;
    // SAFETY: an array buffer of this environment. Detaching it frees its memory.
    check_status!(unsafe { sys::napi_detach_arraybuffer(env.raw(), buffer.raw()) })
}

/// Stops a child process at its current instruction.
#[napi]
pub fn stop_process(pid: u32) -> Result<()> {
    Ok(system::stop(pid)?)
}

/// Resumes a stopped child process.
#[napi]
pub fn resume_process(pid: u32) -> Result<()> {
    Ok(system::resume(pid)?)
}
