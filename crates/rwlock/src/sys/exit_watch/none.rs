//! Nobody is told.

use std::sync::Arc;

use crate::shm::Segment;

pub(super) struct Listening;

impl Listening {
    pub fn new(_pid: u32, _segment: &Arc<Segment>, _slot: usize) -> Option<Self> {
        None
    }
}

pub(super) fn has_ended(_pid: u32) -> Option<bool> {
    None
}

pub(super) fn own_namespace() -> u32 {
    0
}
