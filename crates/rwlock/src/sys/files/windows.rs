//! Windows. Files are opened so that others may open, rename and remove them meanwhile, which is what `std` does.

use std::ffi::c_void;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::AsRawHandle;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_DELETE_PENDING, ERROR_SHARING_VIOLATION, ERROR_USER_MAPPED_FILE, HANDLE, NTSTATUS,
    STATUS_CANNOT_DELETE, STATUS_DELETE_PENDING,
};
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_FLAG_BACKUP_SEMANTICS, FILE_ID_INFO, FILE_INFO_BY_HANDLE_CLASS,
    FILE_REMOTE_PROTOCOL_INFO, FileIdInfo, FileRemoteProtocolInfo, GetFileInformationByHandle,
    GetFileInformationByHandleEx,
};

use super::{FileId, Unfit};

/// For a file in a directory that nobody else has access to.
pub(crate) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    options
}

/// For a file that its folder's access list may let others into.
pub(crate) fn shared() -> OpenOptions {
    private()
}

/// There are no files without a name.
pub(crate) fn unnamed(_folder: &Path) -> io::Result<Option<File>> {
    Ok(None)
}

pub(crate) fn link(_file: &File, _path: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Makes the file `path`, unless somebody was faster: then that file.
pub(crate) fn make(path: &Path) -> io::Result<File> {
    shared().create(true).truncate(false).open(path)
}

/// Who may read and write a file is said by its folder's access list.
pub(crate) fn give_mode(_file: &File) -> io::Result<()> {
    Ok(())
}

pub(crate) fn mending(_file: &File) -> io::Result<Option<String>> {
    Ok(None)
}

/// Only administrators make symbolic links, unless a user allowed it in the settings.
pub(crate) fn own_target(path: &Path) -> Result<PathBuf, io::Result<String>> {
    Ok(path.to_path_buf())
}

pub(crate) fn prepare(_file: &File) -> io::Result<()> {
    Ok(())
}

/// What tells a file from every other on the machine.
pub(crate) fn identity(file: &File) -> io::Result<FileId> {
    let handle = file.as_raw_handle();
    if let Ok(info) = about::<FILE_ID_INFO>(handle, FileIdInfo) {
        return Ok(FileId { device: info.VolumeSerialNumber, number: u128::from_le_bytes(info.FileId.Identifier) });
    }
    // A file system without 128-bit numbers, such as FAT.
    // SAFETY: plain old data; all zero is a valid value of it.
    let mut info: BY_HANDLE_FILE_INFORMATION = unsafe { std::mem::zeroed() };
    // SAFETY: the handle is open, and `info` is valid for writes.
    if unsafe { GetFileInformationByHandle(handle, &raw mut info) } == 0 {
        return Err(io::Error::last_os_error());
    }
    let number = u128::from(info.nFileIndexHigh) << 32 | u128::from(info.nFileIndexLow);
    Ok(FileId { device: info.dwVolumeSerialNumber.into(), number })
}

pub(crate) fn identity_at(path: &Path) -> io::Result<FileId> {
    // No access is asked for but to such information, which a folder has too.
    identity(&OpenOptions::new().access_mode(0).custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(path)?)
}

/// Gives `file` its length, and with it its clusters, so that a full disk is an error now.
pub(crate) fn reserve(file: &File, bytes: usize) -> io::Result<()> {
    file.set_len(bytes as u64)
}

/// How long somebody may be in the way who has nothing to do with the lock, such as a scanner of files.
const IN_THE_WAY_TIMEOUT: Duration = Duration::from_secs(1);

/// Opens or removes a file as soon as nobody is in the way: who shares it with nobody, has it mapped, or removes it. A file
/// that is removed keeps its name, which cannot be opened, until all have closed it.
pub(crate) fn with_retries<T>(mut act: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let start = Instant::now();
    loop {
        match act() {
            Err(error) if is_in_the_way(&error) && start.elapsed() < IN_THE_WAY_TIMEOUT => {
                std::thread::sleep(Duration::from_millis(1));
            }
            done => return done,
        }
    }
}

fn is_in_the_way(error: &io::Error) -> bool {
    match error.raw_os_error().map(i32::cast_unsigned) {
        Some(ERROR_SHARING_VIOLATION | ERROR_USER_MAPPED_FILE | ERROR_DELETE_PENDING) => true,
        Some(ERROR_ACCESS_DENIED) => matches!(last_status(), STATUS_DELETE_PENDING | STATUS_CANNOT_DELETE),
        _ => false,
    }
}

/// A file that is being removed counts as removed, for whoever has it open himself: it would stay for as long as he waited.
pub(crate) fn gone(error: io::Error) -> io::Error {
    match error.raw_os_error().map(i32::cast_unsigned) {
        Some(ERROR_DELETE_PENDING) => io::ErrorKind::NotFound.into(),
        Some(ERROR_ACCESS_DENIED) if last_status() == STATUS_DELETE_PENDING => io::ErrorKind::NotFound.into(),
        _ => error,
    }
}

/// What the kernel said of this thread's last call that failed. `ERROR_ACCESS_DENIED` stands for several of its answers.
fn last_status() -> NTSTATUS {
    // SAFETY: reads a word of this thread.
    unsafe { RtlGetLastNtStatus() }
}

#[link(name = "ntdll", kind = "raw-dylib")]
unsafe extern "system" {
    fn RtlGetLastNtStatus() -> NTSTATUS;
    fn NtQueryVolumeInformationFile(
        file: HANDLE,
        answer: *mut c_void,
        information: *mut c_void,
        length: u32,
        class: i32,
    ) -> NTSTATUS;
}

/// What the file lies on, if that is another machine.
pub(crate) fn unfit_file_system(file: &File) -> io::Result<Option<Unfit>> {
    let handle = file.as_raw_handle();
    let (mut answer, mut device) = ([0_usize; 2], Device::default());
    let size = size_of::<Device>() as u32;
    // SAFETY: the handle is open; `answer` has the size of an IO_STATUS_BLOCK, and `device` is valid for writes of its length.
    let status = unsafe {
        NtQueryVolumeInformationFile(
            handle,
            answer.as_mut_ptr().cast(),
            (&raw mut device).cast(),
            size,
            DEVICE_INFORMATION,
        )
    };
    if status < 0 {
        return Err(io::Error::other(format!("status {status:#x}")));
    }
    // Not all of those that bring files from elsewhere have a protocol to tell.
    let remote = about::<FILE_REMOTE_PROTOCOL_INFO>(handle, FileRemoteProtocolInfo).ok();
    let protocol = remote.map(|info| format!("protocol {:#x}", info.Protocol));
    let is_remote = device.characteristics & REMOTE_DEVICE != 0;
    Ok(protocol.or_else(|| is_remote.then(|| "unknown".into())).map(|name| Unfit::network(&name)))
}

/// `FILE_FS_DEVICE_INFORMATION`, and `FILE_REMOTE_DEVICE` of its characteristics.
#[derive(Default)]
#[repr(C)]
struct Device {
    kind: u32,
    characteristics: u32,
}

const DEVICE_INFORMATION: i32 = 4;
const REMOTE_DEVICE: u32 = 0x10;

/// The information of a class, whose type is `T`.
fn about<T>(handle: HANDLE, class: FILE_INFO_BY_HANDLE_CLASS) -> io::Result<T> {
    // SAFETY: the two types that are asked for are plain old data; all zero is a valid value of them.
    let mut info: T = unsafe { std::mem::zeroed() };
    // SAFETY: the handle is open, and `info` is valid for writes of its length.
    let done = unsafe { GetFileInformationByHandleEx(handle, class, (&raw mut info).cast(), size_of::<T>() as u32) };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(info) }
}
