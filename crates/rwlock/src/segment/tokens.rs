//! Tokens that outlast a loss of power. What a lock in a file handed out may never have reached the disk: then the file is found
//! as it was minutes ago, and would hand out the same tokens again.

use std::sync::atomic::Ordering::Relaxed;

use super::{Place, Segment, unix_nanos};

impl Segment {
    /// Raises the last token to at least the time of day, which is above all that were ever handed out: fewer than one per ns
    /// since the lock was made. The setup byte must be held, so that nobody attaches meanwhile; nothing happens beside others.
    pub fn raise_tokens(&self) {
        step!(raise_look);
        if !matches!(self.place, Place::File { .. }) || !matches!(self.lock.is_in_use(), Ok(false)) {
            return;
        }
        // First, since the lock's last token tells a writer that died inside from one that died beside its hold.
        self.recover_all(usize::MAX);
        step!(raise_gate);
        if self.load_gate().is_free() {
            step!(raise_fence);
            self.gate().fence.fetch_max(unix_nanos(), Relaxed);
        }
    }
}
