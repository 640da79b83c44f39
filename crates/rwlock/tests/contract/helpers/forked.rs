//! Children of children: created by `fork` alone, with a copy of everything that the parent has.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use process_rwlock::{OpenOptions, RwLock};

use super::child::{Servant, open};
use super::{Child, TEST_TIMEOUT, ms, until};

/// A forked child of a [`Child`]. It outlives that child, and ends with this value.
pub struct Forked {
    pid: i32,
    answers: BufReader<UnixStream>,
    socket: PathBuf,
}

impl Forked {
    #[track_caller]
    pub fn of(parent: &Child) -> Self {
        // A socket address has about a hundred bytes only.
        let socket = std::env::temp_dir().join(format!("rwlock-{}.sock", parent.pid()));
        let _ = std::fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket).unwrap();
        let pid = parent.ask(&format!("fork {}", socket.display())).parse().unwrap();
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
        Self { pid, answers: BufReader::new(stream), socket }
    }

    pub fn pid(&self) -> u32 {
        self.pid.cast_unsigned()
    }

    #[track_caller]
    pub fn ask(&mut self, command: &str) -> String {
        writeln!(self.answers.get_ref(), "{command}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        answer.trim_end().into()
    }

    /// Kills the process. Its end is noticed by other processes, but not waited for, because it is
    /// the parent's child.
    pub fn kill(self) {}
}

impl Drop for Forked {
    fn drop(&mut self) {
        // SAFETY: takes numbers. It has not ended: it does so only when the connection does.
        unsafe { libc::kill(self.pid, libc::SIGKILL) };
        let _ = std::fs::remove_file(&self.socket);
    }
}

// ---- inside the child

/// Forks. The child answers on `socket`, the parent with the child's PID.
pub(super) fn fork(servant: &mut Servant, location: &str, socket: &str) -> String {
    // SAFETY: the other threads of this process hold nothing that is needed in the child; the allocator is usable there.
    let pid = unsafe { libc::fork() };
    assert_ne!(pid, -1);
    if pid != 0 {
        return pid.to_string();
    }
    end_at_last();
    let mut commands = BufReader::new(UnixStream::connect(Path::new(socket)).unwrap());
    loop {
        let mut command = String::new();
        if commands.read_line(&mut command).unwrap_or(0) == 0 {
            exit(0);
        }
        let answer = servant.answer(command.trim_end(), location);
        if writeln!(commands.get_ref(), "{answer}").is_err() {
            exit(0);
        }
    }
}

/// Ends the process if it hangs and no other process can end it.
fn end_at_last() {
    // SAFETY: takes a number. The signal ends the process.
    unsafe { libc::alarm(60) };
}

/// Exits without the parent's exit handlers.
fn exit(code: i32) -> ! {
    // SAFETY: no preconditions.
    unsafe { libc::_exit(code) }
}

/// Forks in another thread after a delay, when this thread waits. The child creates `file`, and
/// lives as long as its parent.
pub(super) fn fork_later(file: PathBuf) {
    thread::spawn(move || {
        thread::sleep(ms(100));
        let parent = std::process::id().cast_signed();
        // SAFETY: as in `fork`.
        let pid = unsafe { libc::fork() };
        assert_ne!(pid, -1);
        if pid == 0 {
            end_at_last();
            let made = std::fs::write(file, "");
            // SAFETY: no preconditions.
            while made.is_ok() && unsafe { libc::getppid() } == parent {
                thread::sleep(ms(10));
            }
            exit(0);
        }
    });
}

/// Forks `times` times while other threads open, close, hold and wait, also through one handle. Each
/// child opens the lock and writes.
pub(super) fn fork_often(location: &str, times: u32) -> String {
    let stop = AtomicBool::new(false);
    let kept = open(location, &OpenOptions::new()).unwrap();
    drop(kept.read());
    thread::scope(|scope| {
        for number in 0..4 {
            let (stop, kept) = (&stop, &kept);
            scope.spawn(move || {
                while !stop.load(Relaxed) {
                    let lock = open(location, &OpenOptions::new()).unwrap();
                    if number == 0 {
                        drop(lock.write().unwrap());
                    }
                    drop(lock.read_timeout(ms(20)));
                    // Takes a seat, and leaves it.
                    thread::scope(|scope| scope.spawn(|| drop(kept.read_timeout(ms(20)))).join().unwrap());
                }
            });
        }
        let failed = (0..times).filter(|_| !is_well(&kept, location)).count();
        stop.store(true, Relaxed);
        format!("{failed} failed")
    })
}

fn is_well(kept: &RwLock, location: &str) -> bool {
    // SAFETY: as in `fork`.
    let pid = unsafe { libc::fork() };
    assert_ne!(pid, -1);
    if pid == 0 {
        end_at_last();
        let is_void = kept.read().is_err() && kept.try_write().is_none();
        let written = open(location, &OpenOptions::new()).and_then(|lock| lock.write().map(drop));
        exit(i32::from(!is_void || written.is_err()));
    }
    let mut status = 0;
    until("the forked child ends", || {
        // SAFETY: `status` is valid for writes; the child is ours.
        unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) == pid }
    });
    status == 0
}
