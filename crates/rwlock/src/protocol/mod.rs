//! The algorithm, without system calls: words in shared memory and the steps that change them.

pub(crate) mod gate;
pub(crate) mod queue;
pub(crate) mod recovery;
pub(crate) mod slot;
