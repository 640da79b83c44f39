//! The user's folder for local application data, `%LOCALAPPDATA%` as the system knows it. Its
//! access list admits the user and administrators. It survives a restart, and the shared memory in
//! it would then report deaths that no longer matter. So there is one folder for each start of the
//! system, and the first process that opens a lock removes the earlier ones. Source:
//! SHGetKnownFolderPath in the documentation of Win32; `BootId` in that of KUSER_SHARED_DATA.

use std::ffi::OsString;
use std::os::windows::ffi::OsStringExt;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::{fs, io, ptr, slice};

use windows_sys::Win32::Globalization::lstrlenW;
use windows_sys::Win32::System::Com::CoTaskMemFree;
use windows_sys::Win32::UI::Shell::{FOLDERID_LocalAppData, SHGetKnownFolderPath};

use super::{MEMORY, elsewhere};
use crate::error::{Error, Result};
use crate::shm::location::no_directory;

/// Where every process can read how often the system was started, since Windows 10 version 1607.
/// Earlier versions have another value there, which is also the same for all processes; then state
/// may survive a restart.
const BOOT_ID: *const u32 = 0x7ffe_02c4 as *const u32;

pub(crate) fn path() -> Result<PathBuf> {
    Ok(home()?.join(this_boot()))
}

/// The directory of the memory, which consists of files.
pub(crate) fn of_memory() -> Option<PathBuf> {
    Some(path().unwrap_or_default().join(MEMORY))
}

/// The directory, if it exists.
pub(crate) fn existing() -> Result<Option<PathBuf>> {
    let path = path()?;
    Ok(path.is_dir().then_some(path))
}

/// Creates the directory if it is missing.
pub(crate) fn ensure() -> Result<PathBuf> {
    let home = home()?;
    let path = home.join(this_boot());
    crash_point!(make_directory);
    if !path.join(MEMORY).is_dir() {
        fs::create_dir_all(path.join(MEMORY)).map_err(|error| no_directory(&path, "mkdir", error))?;
        remove_earlier(&home);
    }
    Ok(path)
}

fn this_boot() -> String {
    // SAFETY: the system maps this page into every process, always at this address.
    let number = unsafe { BOOT_ID.read_volatile() };
    format!("boot-{number}")
}

/// Removes what earlier starts of the system left.
fn remove_earlier(home: &std::path::Path) {
    for entry in fs::read_dir(home).into_iter().flatten().flatten() {
        if entry.file_name() != *this_boot() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Fails if the user's profile is not loaded.
fn home() -> Result<PathBuf> {
    static HOME: OnceLock<Option<PathBuf>> = OnceLock::new();
    if let Some(parent) = elsewhere()? {
        return Ok(parent.join("process-rwlock"));
    }
    HOME.get_or_init(|| Some(local_app_data()?.join("process-rwlock"))).clone().ok_or_else(|| {
        let missing = io::Error::from(io::ErrorKind::NotFound);
        let what = "the user has no folder for the data of applications (LocalAppData), where lock files are kept";
        Error::access(format!("{what}; {}", super::remedy()), missing)
    })
}

fn local_app_data() -> Option<PathBuf> {
    let mut text = ptr::null_mut();
    // SAFETY: `text` is valid for writes; no token means the user of this process.
    let result = unsafe { SHGetKnownFolderPath(&FOLDERID_LocalAppData, 0, ptr::null_mut(), &raw mut text) };
    let found = (result == 0).then(|| {
        // SAFETY: the result of this function always ends with a zero.
        let length = unsafe { lstrlenW(text) } as usize;
        // SAFETY: that many elements were just counted.
        PathBuf::from(OsString::from_wide(unsafe { slice::from_raw_parts(text, length) }))
    });
    // SAFETY: the caller must free it, whatever the result.
    unsafe { CoTaskMemFree(text.cast()) };
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_earlier_starts_left_is_removed_and_this_ones_never() {
        let home = std::env::temp_dir().join(format!("boots-{}", std::process::id()));
        let lock = |boot: &str| home.join(boot).join(MEMORY).join("lock");
        let boots = [this_boot(), "boot-4294967295".into(), format!("{}0", this_boot())];
        for boot in &boots {
            fs::create_dir_all(home.join(boot).join(MEMORY)).unwrap();
            fs::write(lock(boot), "").unwrap();
        }
        remove_earlier(&home);
        let left = boots.map(|boot| lock(&boot).exists());
        fs::remove_dir_all(&home).unwrap();
        assert_eq!(left, [true, false, false]);
    }
}
