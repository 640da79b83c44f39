//! What the threads of a process are doing, as far as the system shows it. A hint: it may be
//! outdated when it arrives.

/// Ordered by how little can be concluded from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(not(all(target_os = "linux", not(miri))), expect(dead_code, reason = "other systems do not say"))]
pub(crate) enum Activity {
    /// Every thread is blocked in a system call, so none is between two accesses of the lock.
    Asleep,
    /// A thread runs or is ready to run.
    Running,
    Unknown,
    /// A thread is stopped, or blocked in the kernel until a resource is available (memory, a disk,
    /// the end of a freeze).
    Stopped,
}

/// The activity of the process `pid`, without the calling thread.
#[cfg(all(target_os = "linux", not(miri)))]
pub(crate) fn of(pid: u32) -> Activity {
    // SAFETY: no memory is involved.
    let own = unsafe { libc::gettid() }.to_string();
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Activity::Unknown };
    let threads = threads.flatten().filter(|thread| thread.file_name() != *own);
    // A thread that has ended meanwhile does nothing.
    threads.filter_map(|thread| of_thread(&thread.path())).max().unwrap_or(Activity::Unknown)
}

/// `None`: the thread has ended.
#[cfg(all(target_os = "linux", not(miri)))]
fn of_thread(thread: &std::path::Path) -> Option<Activity> {
    let stat = std::fs::read_to_string(thread.join("stat")).ok()?;
    Some(match of_state(&stat) {
        (Activity::Asleep, Some('S')) => asleep_in(&std::fs::read_to_string(thread.join("wchan")).unwrap_or_default()),
        (activity, _) => activity,
    })
}

#[cfg(not(all(target_os = "linux", not(miri))))]
pub(crate) fn of(_pid: u32) -> Activity {
    Activity::Unknown
}

/// As described in proc_pid_stat(5). The state follows the name, which may contain any character.
#[cfg(all(target_os = "linux", not(miri)))]
fn of_state(stat: &str) -> (Activity, Option<char>) {
    let state = stat.rfind(')').and_then(|end| stat[end + 1..].trim_start().chars().next());
    let activity = match state {
        Some('S' | 'Z' | 'X') => Activity::Asleep,
        Some('R') => Activity::Running,
        Some('D' | 'T' | 't') => Activity::Stopped,
        _ => Activity::Unknown,
    };
    (activity, state)
}

/// Classifies the kernel function in which the thread sleeps, `/proc/PID/wchan`. A thread that is
/// frozen with its container, or waits for memory that another program provides, is reported as
/// sleeping, wherever it was interrupted. Source: `do_freezer_trap` and `handle_userfault` of the
/// kernel; the former is part of `get_signal`, in which a thread sleeps only if it is stopped.
#[cfg(all(target_os = "linux", not(miri)))]
fn asleep_in(function: &str) -> Activity {
    match function {
        "" | "0" => Activity::Unknown, // not for us to see
        "get_signal" | "do_freezer_trap" | "handle_userfault" => Activity::Stopped,
        _ => Activity::Asleep,
    }
}

#[cfg(all(test, target_os = "linux", not(miri)))]
mod tests {
    use std::path::Path;
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};
    use std::{fs, io};

    use super::*;

    #[test]
    fn a_process_is_asleep_or_running_or_stopped() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let becomes = |activity| {
            let start = Instant::now();
            while of(child.id()) != activity {
                if start.elapsed() > Duration::from_secs(20) {
                    return false;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            true
        };
        let mut seen = vec![becomes(Activity::Asleep)];
        // SAFETY: no memory is involved.
        unsafe { libc::kill(child.id() as _, libc::SIGSTOP) };
        seen.push(becomes(Activity::Stopped));
        child.kill().unwrap();
        child.wait().unwrap();
        seen.push(of(child.id()) == Activity::Unknown);
        assert_eq!(seen, [true; 3]);
        assert_eq!(of_state("1 (a) R (x) R 0").0, Activity::Running);
        assert_eq!(of_state("no state").0, Activity::Unknown);
        assert_eq!(asleep_in("0"), Activity::Unknown);
        assert_eq!(asleep_in("handle_userfault"), Activity::Stopped);
    }

    /// `docker pause`: cgroups(7), version 2. The test needs permission to create a cgroup.
    #[test]
    fn a_frozen_process_is_stopped() {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let fields = |mount: &str| mount.split(' ').skip(1).take(2).map(str::to_owned).collect::<Vec<_>>();
        let Some(mount) = mounts.lines().map(fields).find(|fields| fields[1] == "cgroup2") else { return };
        let group = Path::new(&mount[0]).join(format!("rwlock-frozen-{}", std::process::id()));
        if fs::create_dir(&group).is_err() {
            return;
        }
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let joined = fs::write(group.join("cgroup.procs"), child.id().to_string()).is_ok();
        let becomes = |activity| {
            let start = Instant::now();
            while of(child.id()) != activity && start.elapsed() < Duration::from_secs(20) {
                std::thread::sleep(Duration::from_millis(1));
            }
            of(child.id()) == activity
        };
        let freeze = |state| fs::write(group.join("cgroup.freeze"), state).is_ok();
        let seen = becomes(Activity::Asleep) && (!joined || !freeze("1") || becomes(Activity::Stopped));
        freeze("0");
        child.kill().unwrap();
        child.wait().unwrap();
        while fs::remove_dir(&group).is_err_and(|error| error.kind() == io::ErrorKind::ResourceBusy) {}
        assert!(seen);
    }
}
