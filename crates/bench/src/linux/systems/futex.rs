use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use memmap2::MmapRaw;

use super::memory::page;
use super::{Lock, Result};

/// Not a lock: two processes that take turns through a shared futex, the floor of a handoff. Each
/// waits for the other, so it supports only `handoff`, with equal `times` for both.
pub struct Futex {
    page: MmapRaw,
    /// The turn of this process, 0 or 1.
    turn: u32,
}

#[repr(C)]
struct Layout {
    turn: AtomicU32,
    opened: AtomicU32,
}

/// Ends a turn.
pub struct Turn<'a>(&'a Futex);

impl Lock for Futex {
    type Read<'a> = Turn<'a>;
    type Write<'a> = Turn<'a>;

    fn open(prefix: &Path) -> Result<Self> {
        let mut futex = Self { page: page(prefix, |_| Ok(()))?, turn: 0 };
        futex.turn = futex.layout().opened.fetch_add(1, Ordering::Relaxed);
        if futex.turn < 2 { Ok(futex) } else { Err("two processes use it already".into()) }
    }

    fn version() -> String {
        super::file::kernel()
    }

    fn read(&self) -> Result<Turn<'_>> {
        self.write()
    }

    fn write(&self) -> Result<Turn<'_>> {
        let word = &self.layout().turn;
        loop {
            let turn = word.load(Ordering::Acquire);
            if turn == self.turn {
                return Ok(Turn(self));
            }
            let forever: *const libc::timespec = ptr::null();
            // SAFETY: the word is mapped while `self` lives. The call returns immediately if the
            // turn has changed.
            unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT, turn, forever) };
        }
    }
}

impl Futex {
    fn layout(&self) -> &Layout {
        // SAFETY: the page is larger, aligned, mapped while `self` lives, and zero is a valid
        // value.
        unsafe { &*self.page.as_ptr().cast() }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let word = &self.0.layout().turn;
        word.store(1 - self.0.turn, Ordering::Release);
        // SAFETY: as in `write`.
        unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, 1) };
    }
}
