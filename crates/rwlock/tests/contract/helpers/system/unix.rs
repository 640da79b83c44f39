use std::io;
#[cfg(target_os = "linux")]
use std::path::PathBuf;
use std::process::{Child, Command};

/// Starts a process that does not outlive this one, even if it is stopped (on macOS it can).
pub fn spawn(command: &mut Command) -> io::Result<Child> {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::process::CommandExt;

        let bind = || {
            // SAFETY: takes numbers.
            unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
            Ok(())
        };
        // SAFETY: one system call, which does not allocate.
        unsafe { command.pre_exec(bind) };
    }
    command.spawn()
}

/// Stops `child` at any instruction.
pub fn stop(child: &Child) {
    signal(child, libc::SIGSTOP);
    let mut status = 0;
    // SAFETY: `status` is valid for writes; the child is ours. WUNTRACED reports a stop without ending the wait for
    // the child's end.
    let stopped = unsafe { libc::waitpid(child.id().cast_signed(), &raw mut status, libc::WUNTRACED) };
    assert!(stopped > 0 && libc::WIFSTOPPED(status), "child {} did not stop: {status:#x}", child.id());
}

pub fn resume(child: &Child) {
    signal(child, libc::SIGCONT);
}

fn signal(child: &Child, signal: i32) {
    // SAFETY: takes two numbers; the child has not been waited for, so its pid is nobody else's.
    let sent = unsafe { libc::kill(child.id().cast_signed(), signal) };
    assert_eq!(sent, 0, "{}", io::Error::last_os_error());
}

#[cfg(target_os = "linux")]
pub fn no_more_descriptors() {
    let limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for reads. What is open stays so.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
}

/// The processor time of all threads of this process.
pub fn processor_time() -> std::time::Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid for writes.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) }, 0);
    std::time::Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32)
}

/// From now on the kernel refuses to this thread what some systems lack: open file description
/// locks.
#[cfg(target_os = "linux")]
pub fn no_open_file_locks() {
    let step = |code, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let (load, equal, end) =
        (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, libc::BPF_RET);
    let low_word = if cfg!(target_endian = "little") { 0 } else { 4 };
    let mut steps = [
        step(load, 0, 0, std::mem::offset_of!(libc::seccomp_data, nr) as u32),
        step(equal, 0, 5, libc::SYS_fcntl as u32),
        step(load, 0, 0, (std::mem::offset_of!(libc::seccomp_data, args) + 8 + low_word) as u32),
        step(equal, 2, 0, libc::F_OFD_GETLK as u32),
        step(equal, 1, 0, libc::F_OFD_SETLK as u32),
        step(equal, 0, 1, libc::F_OFD_SETLKW as u32),
        step(end, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EINVAL as u32),
        step(end, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    // SAFETY: takes numbers.
    assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
    // SAFETY: `program` and the steps that it points to are valid for reads during the call.
    let done = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    assert_eq!(done, 0, "{}", io::Error::last_os_error());
}

/// The resources of this process that a lock could leak.
#[cfg(target_os = "linux")]
pub fn resources() -> Vec<(&'static str, usize)> {
    let count = |path| std::fs::read_dir(path).unwrap().count();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    vec![
        ("descriptors", count("/proc/self/fd")),
        ("threads", count("/proc/self/task")),
        ("mappings", maps.lines().filter(|line| line.contains("rwlock")).count()),
    ]
}

#[cfg(target_os = "macos")]
pub fn resources() -> Vec<(&'static str, usize)> {
    vec![("descriptors", std::fs::read_dir("/dev/fd").unwrap().count())]
}

/// The folders of the records of named locks, and of their memory.
#[cfg(target_os = "linux")]
pub fn records_and_memories() -> (PathBuf, PathBuf) {
    // SAFETY: geteuid has no preconditions.
    (format!("/dev/shm/process-rwlock-{}", unsafe { libc::geteuid() }).into(), "/dev/shm".into())
}
