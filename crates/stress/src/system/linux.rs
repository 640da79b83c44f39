use std::fs;

/// `PF_EXITING` of the kernel's `include/linux/sched.h`: the thread runs no code of the program any more.
const EXITING: u64 = 0x4;

/// Whether no thread of the process can run any code of its program again.
///
/// The kernel frees what a process had open, and with it the lock, before the process is a zombie. But every thread is
/// marked as exiting before that. So this is true for the earlier holder if a grant followed its death, and false if a grant
/// overlaps the hold of a live process. (A pid is not used again until all others were.)
pub(crate) fn is_gone(pid: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return true };
    threads.filter_map(Result::ok).all(|thread| {
        let Ok(stat) = fs::read_to_string(thread.path().join("stat")) else { return true };
        // After the name, which may contain anything: state, ppid, pgrp, session, tty, tpgid, flags.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let flags = fields.get(6).and_then(|flags| flags.parse::<u64>().ok()).unwrap_or_default();
        matches!(fields.first(), Some(&("Z" | "X"))) || flags & EXITING != 0
    })
}
