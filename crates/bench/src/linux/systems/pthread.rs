use std::ffi::CStr;
use std::io;
use std::marker::PhantomData;
use std::mem;
use std::path::Path;

use memmap2::MmapRaw;

use super::memory::page;
use super::{Lock, Result};

/// A process-shared `pthread_rwlock_t`.
pub struct Pthread<Kind> {
    page: MmapRaw,
    kind: PhantomData<Kind>,
}

/// The preference of a `pthread_rwlock_t`.
pub trait Kind: 'static {
    const NUMBER: libc::c_int;
}

/// The default of glibc.
pub struct PreferReader;

/// `PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP`.
pub struct PreferWriter;

impl Kind for PreferReader {
    const NUMBER: libc::c_int = 0;
}

impl Kind for PreferWriter {
    const NUMBER: libc::c_int = 2;
}

/// Ends a hold.
pub struct Held<'a, K: Kind>(&'a Pthread<K>);

impl<K: Kind> Lock for Pthread<K> {
    type Read<'a> = Held<'a, K>;
    type Write<'a> = Held<'a, K>;

    fn open(prefix: &Path) -> Result<Self> {
        Ok(Self { page: page(prefix, |page| initialise(page.cast(), K::NUMBER))?, kind: PhantomData })
    }

    fn version() -> String {
        // SAFETY: always safe to call.
        let version = unsafe { libc::gnu_get_libc_version() };
        // SAFETY: a static string.
        format!("glibc {}", unsafe { CStr::from_ptr(version) }.to_string_lossy())
    }

    fn read(&self) -> Result<Held<'_, K>> {
        // SAFETY: initialised by `open`, mapped while `self` lives.
        check(unsafe { libc::pthread_rwlock_rdlock(self.raw()) })?;
        Ok(Held(self))
    }

    fn write(&self) -> Result<Held<'_, K>> {
        // SAFETY: as above.
        check(unsafe { libc::pthread_rwlock_wrlock(self.raw()) })?;
        Ok(Held(self))
    }
}

impl<K> Pthread<K> {
    fn raw(&self) -> *mut libc::pthread_rwlock_t {
        self.page.as_mut_ptr().cast()
    }
}

impl<K: Kind> Drop for Held<'_, K> {
    fn drop(&mut self) {
        // SAFETY: this thread holds it; initialised and mapped as above.
        check(unsafe { libc::pthread_rwlock_unlock(self.0.raw()) }).expect("it is held");
    }
}

fn initialise(lock: *mut libc::pthread_rwlock_t, kind: libc::c_int) -> Result<()> {
    // SAFETY: plain old data; all zero is a valid value to be initialised.
    let mut attributes: libc::pthread_rwlockattr_t = unsafe { mem::zeroed() };
    // SAFETY: valid for writes.
    check(unsafe { libc::pthread_rwlockattr_init(&raw mut attributes) })?;
    // SAFETY: initialised above.
    check(unsafe { libc::pthread_rwlockattr_setpshared(&raw mut attributes, libc::PTHREAD_PROCESS_SHARED) })?;
    // SAFETY: as above.
    check(unsafe { libc::pthread_rwlockattr_setkind_np(&raw mut attributes, kind) })?;
    // SAFETY: it begins a page, which is larger, and no process uses it yet.
    check(unsafe { libc::pthread_rwlock_init(lock, &raw const attributes) })
}

fn check(error: libc::c_int) -> Result<()> {
    if error == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(error).into()) }
}
