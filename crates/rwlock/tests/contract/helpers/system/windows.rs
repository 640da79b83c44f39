use std::io;
use std::mem::zeroed;
use std::os::windows::io::AsRawHandle;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::ptr;
use std::sync::OnceLock;

use windows_sys::Win32::Foundation::{CloseHandle, HANDLE, INVALID_HANDLE_VALUE, NTSTATUS};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, TH32CS_SNAPTHREAD, THREADENTRY32, Thread32First, Thread32Next,
};
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectExtendedLimitInformation, SetInformationJobObject,
};
use windows_sys::Win32::System::Memory::{MEM_MAPPED, MEMORY_BASIC_INFORMATION, VirtualQuery};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, GetProcessHandleCount};

#[link(name = "ntdll")]
unsafe extern "system" {
    fn NtSuspendProcess(process: HANDLE) -> NTSTATUS;
    fn NtResumeProcess(process: HANDLE) -> NTSTATUS;
}

/// Starts a process that does not outlive this one, even if it is stopped.
pub fn spawn(command: &mut Command) -> io::Result<Child> {
    let child = command.spawn()?;
    // SAFETY: both are open.
    if unsafe { AssignProcessToJobObject(job() as _, child.as_raw_handle()) } == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(child)
}

/// A job whose processes end when its last handle is closed, at the latest at the end of this
/// process.
fn job() -> usize {
    static JOB: OnceLock<usize> = OnceLock::new();
    *JOB.get_or_init(|| {
        // SAFETY: no name, no attributes.
        let job = unsafe { CreateJobObjectW(ptr::null(), ptr::null()) };
        // SAFETY: plain old data; all zero is a valid value of it.
        let mut limits: JOBOBJECT_EXTENDED_LIMIT_INFORMATION = unsafe { zeroed() };
        limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
        let size = size_of_val(&limits) as u32;
        // SAFETY: the handle is open, and `limits` is valid for reads.
        let set = unsafe {
            SetInformationJobObject(job, JobObjectExtendedLimitInformation, (&raw const limits).cast(), size)
        };
        assert!(set != 0, "{}", io::Error::last_os_error());
        job as usize
    })
}

/// Stops `child` at any instruction.
pub fn stop(child: &Child) {
    // SAFETY: the handle is open.
    assert_eq!(unsafe { NtSuspendProcess(child.as_raw_handle()) }, 0);
}

pub fn resume(child: &Child) {
    // SAFETY: the handle is open.
    assert_eq!(unsafe { NtResumeProcess(child.as_raw_handle()) }, 0);
}

/// The resources of this process that a lock could leak.
pub fn resources() -> Vec<(&'static str, usize)> {
    vec![("handles", handles()), ("threads", threads()), ("mappings", mappings())]
}

fn handles() -> usize {
    let mut count = 0;
    // SAFETY: `count` is valid for writes.
    assert!(unsafe { GetProcessHandleCount(GetCurrentProcess(), &raw mut count) } != 0);
    count as usize
}

fn threads() -> usize {
    // SAFETY: takes numbers.
    let snapshot = unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0) };
    assert!(snapshot != INVALID_HANDLE_VALUE, "{}", io::Error::last_os_error());
    // SAFETY: plain old data; all zero is a valid value of it.
    let mut entry: THREADENTRY32 = unsafe { zeroed() };
    entry.dwSize = size_of_val(&entry) as u32;
    let mut count = 0;
    // SAFETY: the handle is open, and `entry` is valid for writes of the size that it says.
    let mut more = unsafe { Thread32First(snapshot, &raw mut entry) };
    while more != 0 {
        count += usize::from(entry.th32OwnerProcessID == std::process::id());
        // SAFETY: as above.
        more = unsafe { Thread32Next(snapshot, &raw mut entry) };
    }
    // SAFETY: open, and used by nobody else.
    unsafe { CloseHandle(snapshot) };
    count
}

fn mappings() -> usize {
    let (mut address, mut count) = (0_usize, 0);
    loop {
        // SAFETY: plain old data; all zero is a valid value of it.
        let mut region: MEMORY_BASIC_INFORMATION = unsafe { zeroed() };
        // SAFETY: `region` is valid for writes; any address may be asked about.
        let size = unsafe { VirtualQuery(address as _, &raw mut region, size_of_val(&region)) };
        if size == 0 {
            return count;
        }
        count += usize::from(region.Type == MEM_MAPPED && region.AllocationBase == region.BaseAddress);
        address = region.BaseAddress as usize + region.RegionSize;
    }
}

/// The folders of the records of named locks, and of their memory. Only those of the current start
/// of the system exist.
pub fn records_and_memories() -> (PathBuf, PathBuf) {
    let home = PathBuf::from(std::env::var_os("LOCALAPPDATA").unwrap()).join("process-rwlock");
    let mut boots = std::fs::read_dir(home).unwrap().map(|entry| entry.unwrap().path());
    let (Some(records), None) = (boots.next(), boots.next()) else { panic!("not one folder") };
    let memories = records.join("memory");
    (records, memories)
}
