//! What keeps the memory of a lock mapped.

use memmap2::MmapRaw;

#[cfg(all(test, target_os = "linux"))]
use super::heap::Heap;

/// No file descriptor stays open for it.
pub(super) enum Backing {
    #[cfg(unix)]
    Shared(MmapRaw),
    File(MmapRaw),
    #[cfg(all(test, target_os = "linux"))]
    Heap(std::sync::Arc<Heap>),
}

impl Backing {
    pub fn base(&self) -> *mut u8 {
        match self {
            #[cfg(unix)]
            Self::Shared(map) => map.as_mut_ptr(),
            Self::File(map) => map.as_mut_ptr(),
            #[cfg(all(test, target_os = "linux"))]
            Self::Heap(heap) => heap.base(),
        }
    }

    pub fn len(&self) -> usize {
        match self {
            #[cfg(unix)]
            Self::Shared(map) => map.len(),
            Self::File(map) => map.len(),
            #[cfg(all(test, target_os = "linux"))]
            Self::Heap(heap) => heap.len(),
        }
    }

    /// Whether its size is that of a lock.
    pub fn fits(&self, bytes: usize) -> bool {
        match self {
            // The size is in whole pages of 16 KiB at most.
            #[cfg(target_os = "macos")]
            Self::Shared(map) => (bytes..bytes + (16 << 10)).contains(&map.len()),
            _ => self.len() == bytes,
        }
    }
}
