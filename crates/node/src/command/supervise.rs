//! This process' side: waits for the command, and passes signals on.

use std::io;
use std::os::fd::AsRawFd;

use super::image::Image;
use super::report::Report;
use super::signals::{Sender, Signals};
use super::{guardian, os};

pub(super) enum End {
    Exited(i32),
    Signaled(i32),
    NotStarted(i32),
}

pub(super) fn run(image: &mut Image) -> io::Result<End> {
    let (reports, reporter) = io::pipe()?;
    // Only this process has its writing end, so the guardian reads its end when this process has
    // ended. Before, the signals to pass on.
    let (orders, lifeline) = io::pipe()?;
    // A signal must not arrive in the guardian while it has the handlers of this process.
    let before = os::set_mask(&os::all_signals());
    let supervisor = os::own_pid();
    let started = Signals::catch().and_then(|signals| Ok((os::fork()?, signals)));
    if let Ok((0, _)) = started {
        os::close(lifeline.as_raw_fd());
        guardian::run(image, supervisor, orders.as_raw_fd(), reporter.as_raw_fd(), &before);
    }
    os::set_mask(&before);
    let (guardian, signals) = started?;
    drop((reporter, orders));

    let mut errno = None;
    let end = loop {
        let [has_report, has_signal] = os::poll([reports.as_raw_fd(), signals.descriptor()], -1);
        if has_signal {
            while let Some((signal, sender)) = signals.next() {
                if has_missed(signal, &sender, guardian) {
                    os::write(lifeline.as_raw_fd(), &[signal as u8]);
                }
            }
        }
        if !has_report {
            continue;
        }
        match Report::receive(reports.as_raw_fd()) {
            Some(Report::NotStarted(number)) => errno = Some(number),
            Some(Report::Exited(code)) => break errno.map_or(End::Exited(code), End::NotStarted),
            Some(Report::Signaled(signal)) => break End::Signaled(signal),
            // The guardian was killed, and the command with it.
            None => break errno.map_or(End::Signaled(libc::SIGKILL), End::NotStarted),
        }
    };
    // It ends now.
    let _ = os::wait(guardian, 0);
    Ok(end)
}

/// Whether the command has not received this signal, too.
fn has_missed(signal: i32, sender: &Sender, guardian: i32) -> bool {
    match *sender {
        // A terminal that hangs up sends these two to the first process of its session alone.
        Sender::Kernel => matches!(signal, libc::SIGHUP | libc::SIGCONT) && os::leads_session(),
        // The guardian itself continues this process.
        Sender::Process(pid) => pid != guardian,
    }
}
