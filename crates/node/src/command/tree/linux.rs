//! The command and everything that descends from it. The guardian is their *subreaper*: a process
//! whose parent ends becomes its child, also if it has left its session. Source: prctl(2).

use libc::{c_int, c_ulong, pid_t};

use crate::command::os;

#[path = "title.rs"]
mod title;

/// ms
const FIRST_PAUSE: c_int = 1;
const LONGEST_PAUSE: c_int = 100;

/// For the guardian.
pub(in crate::command) fn adopt_orphans() {
    control(libc::PR_SET_CHILD_SUBREAPER, 1);
    // `ps`, `killall` and `pkill` see another program than Node.js.
    control(libc::PR_SET_NAME, c"rwlock-guardian".as_ptr().expose_provenance() as c_ulong);
    title::replace();
}

/// For the command: if the guardian is killed, so is the command. (The kernel drops this if the
/// command is set-user-ID.)
pub(in crate::command) fn die_with(guardian: pid_t) {
    control(libc::PR_SET_PDEATHSIG, libc::SIGKILL as c_ulong);
    if os::parent_pid() != guardian {
        os::exit(0); // it was killed before
    }
}

/// Kills all children of this process, and those that become its children by that, and returns when
/// there are none.
pub(in crate::command) fn kill(command: pid_t) {
    let mut pause = FIRST_PAUSE;
    loop {
        if !for_each_child(|child| os::kill(child, libc::SIGKILL)) {
            os::kill(command, libc::SIGKILL);
        }
        loop {
            match os::wait(-1, libc::WNOHANG) {
                Err(_) => return,
                Ok(None) => break,
                Ok(Some(_)) => pause = FIRST_PAUSE,
            }
        }
        os::poll([], pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Whether the kernel lists them: that needs /proc, and CONFIG_PROC_CHILDREN.
fn for_each_child(mut act: impl FnMut(pid_t)) -> bool {
    let Some(list) = os::open(c"/proc/thread-self/children") else { return false };
    let mut buffer = [0; 4096];
    let mut pid = 0;
    loop {
        let count = os::read(list, &mut buffer);
        for &byte in &buffer[..count] {
            if byte.is_ascii_digit() {
                pid = pid * 10 + pid_t::from(byte - b'0');
            } else if pid != 0 {
                act(pid);
                pid = 0;
            }
        }
        if count == 0 {
            break;
        }
    }
    os::close(list);
    true
}

fn control(option: c_int, value: c_ulong) {
    // SAFETY: these options read a number, or a string that lives as long as the program.
    unsafe { libc::prctl(option, value) };
}
