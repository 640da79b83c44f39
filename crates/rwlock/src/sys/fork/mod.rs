//! `fork` without `exec`: the child must not get what this process has open. Its copies of the
//! descriptors would keep the parent's byte locks after the parent's death, and through its copies
//! of the mappings it could change the parent's slot.
//!
//! So a handler runs in every child before `fork` returns there. It replaces each descriptor by one
//! without a file, and each mapping by private memory with one word chosen by the caller, which
//! makes every acquisition fail: the fast paths fail without an additional check, and the slow
//! paths report the reason. The child can open the lock again like any other process.
//!
//! `vfork`, `posix_spawn` and a raw `clone` run no handlers. Their child must call `exec` soon,
//! which closes every descriptor.

#[cfg(all(unix, not(miri)))]
#[path = "unix.rs"]
mod system;
#[cfg(not(all(unix, not(miri))))]
#[path = "none.rs"]
mod system;

pub(crate) use system::{Mapping, OpenFile, generation, watch};

/// The one word of a mapping that is not zero in a forked child: aligned, and within the mapping.
#[derive(Clone, Copy)]
#[cfg_attr(not(all(unix, not(miri))), expect(dead_code, reason = "no process is forked"))]
pub(crate) struct Substitute {
    pub offset: usize,
    pub value: u64,
}
