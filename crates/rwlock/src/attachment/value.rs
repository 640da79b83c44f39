//! The lock's value: reading it, and replacing it in a write hold.

use std::sync::atomic::Ordering::Relaxed;

use super::Attachment;
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::slot::Mode;
use crate::shm::layout::VALUE_BYTES;

impl Attachment {
    /// The lock's value, as it was set last; `None` if there is none. Needs no hold, and never
    /// waits. A process that holds the lock in any mode but write finds the value that the last
    /// write hold left. `None` also if damaged memory contains no valid value.
    #[must_use]
    pub fn value(&self) -> Option<Vec<u8>> {
        self.segment.value().get().map(|(value, _)| value)
    }

    /// Replaces the lock's value, of up to [`crate::MAX_VALUE`] bytes; `None` removes it. Other
    /// processes see the new value at once, while the write hold lasts. If this process dies, they
    /// see the old value or the new one.
    ///
    /// # Errors
    /// [`ErrorKind::Mode`] without a write hold; [`ErrorKind::InvalidArgument`] for a longer value,
    /// and in a lock that keeps turns; [`ErrorKind::Forked`].
    pub fn set_value(&self, value: Option<&[u8]>) -> Result<()> {
        self.segment.check_not_forked()?;
        if self.exclusive.get() != Some(Mode::Write) {
            return Err(Error::new(
                ErrorKind::Mode,
                format!("the value of {} can only be set in a write hold", self.segment.location),
            ));
        }
        if self.segment.keeps_turns() {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                format!("{} has no value: it was created as a lock that keeps turns", self.segment.location),
            ));
        }
        let length = value.map_or(0, <[u8]>::len);
        if length > VALUE_BYTES {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                format!(
                    "the value of {} must have at most {VALUE_BYTES} bytes, not {length}: store more in a file, and its \
                     path or version here",
                    self.segment.location
                ),
            ));
        }
        self.segment.value().set(value, self.slot().token.load(Relaxed));
        Ok(())
    }
}
