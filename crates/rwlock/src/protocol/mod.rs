//! The algorithm: words in shared memory and the steps that change them. It calls the system only
//! through [`crate::sys`].

pub(crate) mod admission;
pub(crate) mod gate;
pub(crate) mod reader_bitmap;
pub(crate) mod recovery;
pub(crate) mod slot;
pub(crate) mod state;
pub(crate) mod try_mark;
pub(crate) mod value;
pub(crate) mod wait_queue;
pub(crate) mod wake;
