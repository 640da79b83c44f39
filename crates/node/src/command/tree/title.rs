//! The name of the guardian in `ps`. Its command line would be that of this process, so that
//! `pkill -f` would kill both.

use std::slice;

use crate::command::os;

const NAME: &[u8] = b"rwlock-guardian";
/// In /proc/self/stat: where the arguments begin and end in memory. Source: proc(5).
const ARG_START: usize = 48;
const ARG_END: usize = 49;

/// For the child of a fork, which has its own copy of the memory.
pub(super) fn replace() {
    let Some((start, end)) = arguments() else { return };
    // SAFETY: the kernel names the range, which is writable memory of this process; no other thread
    // exists.
    let arguments = unsafe { slice::from_raw_parts_mut(start as *mut u8, end - start) };
    arguments.fill(0);
    let length = NAME.len().min(arguments.len().saturating_sub(1));
    arguments[..length].copy_from_slice(&NAME[..length]);
}

fn arguments() -> Option<(usize, usize)> {
    let file = os::open(c"/proc/self/stat")?;
    let mut buffer = [0; 1024];
    let count = os::read(file, &mut buffer);
    os::close(file);
    let text = str::from_utf8(&buffer[..count]).ok()?;
    // The second field, a name in parentheses, may contain anything.
    let (_, rest) = text.rsplit_once(')')?;
    let field = |number: usize| rest.split_ascii_whitespace().nth(number - 3)?.parse::<usize>().ok();
    let (start, end) = (field(ARG_START)?, field(ARG_END)?);
    (start != 0 && start < end).then_some((start, end))
}
