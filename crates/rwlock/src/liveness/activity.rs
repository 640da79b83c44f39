//! What the threads of a process are doing, as far as the system says so. A hint: by the time it arrives it is old.

/// Ordered by how little can be told from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Activity {
    /// Every thread is in a system call, and waits there for something: none is in the midst of a step of the lock.
    Asleep,
    /// Some thread runs, or would if it were given a processor.
    Running,
    Unknown,
    /// Some thread is stopped, or in the kernel until it has what it needs (memory, a disk, being thawed).
    Stopped,
}

/// Of the process with the number `pid`, without the calling thread.
#[cfg(all(target_os = "linux", not(miri)))]
pub(crate) fn of(pid: u32) -> Activity {
    // SAFETY: no memory is involved.
    let own = unsafe { libc::gettid() }.to_string();
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Activity::Unknown };
    let threads = threads.flatten().filter(|thread| thread.file_name() != *own);
    // A thread that ends meanwhile does nothing any more.
    let stats = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("stat")).ok());
    stats.map(|stat| of_state(&stat)).max().unwrap_or(Activity::Unknown)
}

#[cfg(not(all(target_os = "linux", not(miri))))]
pub(crate) fn of(_pid: u32) -> Activity {
    Activity::Unknown
}

/// By proc_pid_stat(5). The state follows the name, which may contain anything.
#[cfg(all(target_os = "linux", not(miri)))]
fn of_state(stat: &str) -> Activity {
    match stat.rfind(')').and_then(|end| stat[end + 1..].trim_start().chars().next()) {
        Some('S' | 'Z' | 'X') => Activity::Asleep,
        Some('R') => Activity::Running,
        Some('D' | 'T' | 't') => Activity::Stopped,
        _ => Activity::Unknown,
    }
}

#[cfg(all(test, target_os = "linux", not(miri)))]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

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
        assert_eq!(of_state("1 (a) R (x) R 0"), Activity::Running);
        assert_eq!(of_state("no state"), Activity::Unknown);
    }
}
