//! `fork` without `exec`: the child gets nothing of what this process has open. Its copies of the descriptors would keep the
//! parent's byte locks after the parent's death, and its copies of the mappings would let it change the parent's slot.
//!
//! So a handler runs in every child, before `fork` returns there. It replaces each descriptor by a dead one and each mapping
//! by private memory with a word of the caller that lets nothing in: its fast paths fail without a check of their own, and its slow
//! paths report it. The child may open the lock again, as any other process may.
//!
//! `vfork`, `posix_spawn` and a raw `clone` run no handlers. A child of those must call `exec` soon, which closes every
//! descriptor.

#[cfg(all(unix, not(miri)))]
#[path = "unix.rs"]
mod system;
#[cfg(not(all(unix, not(miri))))]
#[path = "none.rs"]
mod system;

pub(crate) use system::{Mapping, OpenFile};

/// The one word of a mapping that is not zero in a forked child: aligned, and within the mapping.
#[derive(Clone, Copy)]
#[cfg_attr(not(all(unix, not(miri))), expect(dead_code, reason = "no process is forked"))]
pub(crate) struct Substitute {
    pub offset: usize,
    pub value: u64,
}
