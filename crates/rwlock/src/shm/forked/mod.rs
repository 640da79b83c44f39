//! `fork` without `exec`: the child gets nothing of what this process has open. Its copies of the descriptors would keep the
//! parent's byte locks after the parent's death, and its copies of the mappings would let it change the parent's slot.
//!
//! So a handler runs in every child, before `fork` returns there. It replaces each descriptor by a dead one and each mapping
//! by private memory with a gate that admits nobody: the fast paths fail without a check of their own, and the slow paths
//! report it. The child may open the lock again, as any other process may.
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
