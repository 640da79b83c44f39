//! The process between this one and the command. It has no other purpose than to outlive this
//! process: it waits for the command, and kills it if this process ends first.

use std::os::fd::RawFd;

use libc::{pid_t, sigset_t};

use super::image::Image;
use super::os::{self, Change};
use super::report::Report;
use super::signals::Signals;
use super::tree;

/// The guardian's whole life, in the child of a fork, with all signals blocked.
pub(super) fn run(image: &mut Image, supervisor: pid_t, orders: RawFd, reporter: RawFd, mask: &sigset_t) -> ! {
    tree::adopt_orphans();
    let guardian = os::own_pid();
    let started = Signals::catch_children().and_then(|signals| Ok((os::fork()?, signals)));
    let (command, signals) = match started {
        Ok((0, _)) => start(image, guardian, reporter, mask),
        Ok(started) => started,
        Err(error) => {
            Report::NotStarted(error.raw_os_error().unwrap_or_default()).send(reporter);
            os::exit(0)
        }
    };
    loop {
        let [has_order, has_change] = os::poll([orders, signals.descriptor()], -1);
        if has_order {
            let mut signal = [0];
            if os::read(orders, &mut signal) == 0 {
                tree::kill(command);
                os::exit(0)
            }
            // The command is not reaped yet, so no other process has its number.
            os::kill(command, signal[0].into());
        }
        if has_change {
            while signals.next().is_some() {}
            on_changes(command, supervisor, reporter);
        }
    }
}

/// The command itself.
fn start(image: &mut Image, guardian: pid_t, reporter: RawFd, mask: &sigset_t) -> ! {
    tree::die_with(guardian);
    for stream in [libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO] {
        os::pass_on(stream);
    }
    os::set_all_default();
    os::set_mask(mask);
    Report::NotStarted(image.exec()).send(reporter);
    os::exit(127)
}

/// Returns unless the command has ended.
fn on_changes(command: pid_t, supervisor: pid_t, reporter: RawFd) {
    while let Ok(Some((child, change))) = os::wait(-1, libc::WNOHANG | libc::WUNTRACED | libc::WCONTINUED) {
        if child != command {
            continue; // an orphan of the command
        }
        match change {
            // From here, so that both stop and continue in the same order. SIGSTOP, because the
            // other signals that stop are caught there.
            Change::Stopped if os::parent_pid() == supervisor => os::kill(supervisor, libc::SIGSTOP),
            Change::Continued if os::parent_pid() == supervisor => os::kill(supervisor, libc::SIGCONT),
            Change::Stopped | Change::Continued => {} // it has ended
            Change::Exited(code) => {
                Report::Exited(code).send(reporter);
                os::exit(0)
            }
            Change::Signaled(signal) => {
                Report::Signaled(signal).send(reporter);
                os::exit(0)
            }
        }
    }
}
