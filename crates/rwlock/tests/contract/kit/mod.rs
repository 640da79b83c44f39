//! What the tests share: locks that are removed, child processes that are killed, and waiting that ends.

mod child;
mod lock;
mod page;
mod system;
mod time;
mod workload;

pub use child::Child;
pub use lock::TestLock;
pub use page::Page;
#[cfg(any(target_os = "linux", windows))]
pub use system::records_and_memories;
pub use time::{PATIENCE, ms, timed, until, within};
