use std::mem::{size_of, zeroed};

/// `PROC_FLAG_INEXIT` of `sys/proc_info.h`: the process ends, and runs no code of its program any more.
const IN_EXIT: u32 = 4;

/// Whether no thread of the process can run any code of its program again.
pub(crate) fn is_gone(pid: u32) -> bool {
    // SAFETY: plain old data; all zero is a valid value of it.
    let mut info: libc::proc_bsdinfo = unsafe { zeroed() };
    let size = size_of::<libc::proc_bsdinfo>() as libc::c_int;
    // SAFETY: `info` is valid for writes of `size` bytes.
    let got = unsafe { libc::proc_pidinfo(pid.cast_signed(), libc::PROC_PIDTBSDINFO, 0, (&raw mut info).cast(), size) };
    got != size || info.pbi_status == libc::SZOMB || info.pbi_flags & IN_EXIT != 0
}
