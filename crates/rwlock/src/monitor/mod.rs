//! What watches over waits: the thread that sleeps for event loops.

pub(crate) mod watcher;
