//! Windows. Files are opened so that other processes can open, rename and remove them meanwhile, as
//! `std` does.

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

/// For a file in a directory that no other user can access.
pub(crate) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    options
}

/// For a file to which its folder's access list may admit other users.
pub(crate) fn shared() -> OpenOptions {
    private()
}

/// Windows has no files without a name.
pub(crate) fn unnamed(_folder: &Path) -> io::Result<Option<File>> {
    Ok(None)
}

pub(crate) fn link(_file: &File, _path: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Creates the file `path`, or opens it if another process was faster.
pub(crate) fn make(path: &Path) -> io::Result<File> {
    shared().create(true).truncate(false).open(path)
}

/// The folder's access list decides who can read and write a file.
pub(crate) fn give_mode(_file: &File) -> io::Result<()> {
    Ok(())
}

pub(crate) fn mending(_file: &File) -> io::Result<Option<String>> {
    Ok(None)
}

/// Only administrators can create symbolic links, unless a setting permits it to users.
pub(crate) fn own_target(path: &Path) -> Result<PathBuf, io::Result<String>> {
    Ok(path.to_path_buf())
}

pub(crate) fn prepare(_file: &File) -> io::Result<()> {
    Ok(())
}

/// Identifies a file on the machine.
pub(crate) fn identity(file: &File) -> io::Result<FileId> {
    let handle = file.as_raw_handle();
    if let Ok(info) = about::<FILE_ID_INFO>(handle, FileIdInfo) {
        return Ok(FileId { device: info.VolumeSerialNumber, number: u128::from_le_bytes(info.FileId.Identifier) });
    }
    // For a file system without 128-bit numbers, such as FAT. SAFETY: plain old data; all zero is a
    // valid value of it.
    let mut info: BY_HANDLE_FILE_INFORMATION = unsafe { std::mem::zeroed() };
    // SAFETY: the handle is open, and `info` is valid for writes.
    if unsafe { GetFileInformationByHandle(handle, &raw mut info) } == 0 {
        return Err(io::Error::last_os_error());
    }
    let number = u128::from(info.nFileIndexHigh) << 32 | u128::from(info.nFileIndexLow);
    Ok(FileId { device: info.dwVolumeSerialNumber.into(), number })
}

pub(crate) fn identity_at(path: &Path) -> io::Result<FileId> {
    // Requests no access, which suffices for such information and works for folders too.
    identity(&OpenOptions::new().access_mode(0).custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(path)?)
}

/// Gives `file` its length, and with it its clusters, so that a full disk is an error now.
pub(crate) fn reserve(file: &File, bytes: usize) -> io::Result<()> {
    file.set_len(bytes as u64)
}

/// How long another program, such as a virus scanner, may block access to the file.
const IN_THE_WAY_TIMEOUT: Duration = Duration::from_secs(1);

/// Opens or removes a file as soon as no other process prevents it by opening it without sharing,
/// mapping it or removing it. A removed file keeps its name, which cannot be opened, until all its
/// handles are closed.
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

/// Treats a file that is being removed as removed: a caller that has it open itself would wait
/// forever.
pub(crate) fn gone(error: io::Error) -> io::Error {
    match error.raw_os_error().map(i32::cast_unsigned) {
        Some(ERROR_DELETE_PENDING) => io::ErrorKind::NotFound.into(),
        Some(ERROR_ACCESS_DENIED) if last_status() == STATUS_DELETE_PENDING => io::ErrorKind::NotFound.into(),
        _ => error,
    }
}

/// The kernel's status of this thread's last failed call. `ERROR_ACCESS_DENIED` stands for several
/// of them.
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

/// The file system of the file, if that is another machine.
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
    // Not every driver for remote files reports a protocol.
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

/// The information of a class, with type `T`.
fn about<T>(handle: HANDLE, class: FILE_INFO_BY_HANDLE_CLASS) -> io::Result<T> {
    // SAFETY: the two types that are used are plain old data; all zero is a valid value of them.
    let mut info: T = unsafe { std::mem::zeroed() };
    // SAFETY: the handle is open, and `info` is valid for writes of its length.
    let done = unsafe { GetFileInformationByHandleEx(handle, class, (&raw mut info).cast(), size_of::<T>() as u32) };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(info) }
}
