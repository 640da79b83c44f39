//! The bytes of a lock, and damage to them. Damage knows where the words lie and what they mean, so that most of it gets
//! past the checks of opening.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use process_rwlock::{Attachment, LockRef, Options, now};

use crate::input::Input;

/// `layout.rs` defines the offsets; changing it changes this number.
const LAYOUT_HASH: u64 = 0xf7c4_2e59_bc5a_9d21;

const SLOTS: usize = 3328;
const SLOT: usize = 384;

const GATE: (usize, usize) = (384, 8);
const FENCE: (usize, usize) = (392, 8);
const TICKET: (usize, usize) = (512, 8);
const READER_BITMAP: (usize, usize) = (640, 8);
/// Offset and size. The gate comes more often: most depends on it.
const HEAD: [(usize, usize); 27] = [
    GATE,
    GATE,
    GATE,
    GATE,
    READER_BITMAP,
    FENCE,
    TICKET,
    (304, 8), // high_water
    (304, 8),
    (312, 8),  // removal
    (40, 4),   // flags
    (32, 8),   // created
    (20, 4),   // capacity
    (320, 4),  // max_readers
    (520, 8),  // admission
    (24, 8),   // bytes
    (0, 8),    // magic
    (44, 4),   // name_bytes
    (1152, 8), // the stamp of the value
    (1152, 8),
    (1152, 2), // its length
    (1160, 8), // the stamp of each buffer
    (1168, 8),
    (1176, 8), // a checksum
    (1192, 8), // a token
    (1280, 8), // a word of each buffer
    (2304, 8),
];
/// The same within a slot.
const OF_SLOT: [(usize, usize); 28] = [
    (0, 8), // reads
    (0, 8),
    (128, 8), // queued
    (128, 8),
    (128, 8),
    (136, 4), // wake
    (136, 4),
    (156, 4), // skip_count
    (156, 4),
    (152, 4), // namespace
    (232, 8), // doorbell
    (240, 8), // doorbell_key
    (160, 4), // overdue
    (164, 4), // in_try
    (248, 4), // upgradable
    (252, 4), // notices
    (176, 4), // pid
    (8, 8),   // token
    (16, 8),  // read_since
    (24, 8),  // exclusive_since
    (148, 4), // pending
    (168, 8), // since
    (184, 8), // label
    (256, 8), // requests: request
    (264, 8), // since
    (272, 8), // label
    (296, 8), // the next request
    (376, 4), // steals
];

/// The bytes of a new lock at `lock`, which is not in use when this returns.
pub fn whole(lock: &str, capacity: u32) -> Vec<u8> {
    let options = Options { capacity: Some(capacity), ..Options::default() };
    drop(Attachment::open(LockRef::Path(Path::new(lock)), &options).unwrap());
    let bytes = fs::read(lock).unwrap();
    fs::remove_file(lock).unwrap();
    let hash = u64::from_le_bytes(bytes[8..16].try_into().unwrap());
    assert_eq!(hash, LAYOUT_HASH, "the layout has changed: update the offsets in {} ({hash:#x})", file!());
    bytes
}

/// One write of a few bytes.
pub struct Damage {
    place: usize,
    size: usize,
    value: Value,
}

enum Value {
    Set(u64),
    Flip(u32),
}

impl Damage {
    /// Any write, anywhere in a lock of `length` bytes.
    pub fn any(input: &mut Input, length: usize) -> Self {
        let (place, size) = match input.below(8) {
            0 => (usize::from(input.short()) % length, 1),
            1..4 => input.pick(&HEAD),
            _ => {
                let slots = (length.saturating_sub(SLOTS) / SLOT).max(1); // a file may be cut to less
                let slot = [0, 1, 2, 3, slots - 1, input.below(256)][input.below(6)] % slots;
                let (place, size) = input.pick(&OF_SLOT);
                (SLOTS + slot * SLOT + place, size)
            }
        };
        Self { place, size, value: value(input) }
    }

    /// To the gate, or to one of the first slots.
    pub fn near(input: &mut Input, slots: usize) -> Self {
        let slot = input.below(slots + 1);
        let (place, size) = if slot == slots { GATE } else { input.pick(&OF_SLOT) };
        let start = if slot == slots { 0 } else { SLOTS + slot * SLOT };
        Self { place: start + place, size, value: value(input) }
    }

    pub fn of_bytes(&self, bytes: &mut [u8]) {
        let Some(word) = bytes.get_mut(self.place..self.place + self.size) else { return };
        let mut old = [0; 8];
        old[..self.size].copy_from_slice(word);
        word.copy_from_slice(&self.changed(old)[..self.size]);
    }

    /// Damages memory that may be in use, through its file. Never makes it longer.
    pub fn of_file(&self, path: &Path) {
        let Ok(file) = OpenOptions::new().read(true).write(true).open(path) else { return };
        let mut old = [0; 8];
        if file.read_exact_at(&mut old[..self.size], self.place as u64).is_ok() {
            let _ = file.write_all_at(&self.changed(old)[..self.size], self.place as u64);
        }
    }

    fn changed(&self, old: [u8; 8]) -> [u8; 8] {
        match self.value {
            Value::Set(new) => new,
            Value::Flip(bit) => u64::from_le_bytes(old) ^ 1 << (bit as usize % (8 * self.size)),
        }
        .to_le_bytes()
    }
}

fn value(input: &mut Input) -> Value {
    Value::Set(match input.below(13) {
        0 => input.word(),
        1 => 0,
        2 => u64::MAX,
        3 | 4 => return Value::Flip(u32::from(input.byte())),
        5 | 6 => gate(input),
        7 | 8 => queued(input),
        9 => u64::from(input.byte()) << 32 | u64::from(input.pick(&[0, 1, 2, u32::MAX])), // reads
        // The same with a claim, or an admission.
        11 => u64::from(input.byte()) << 32 | 1 << 31 | u64::from(input.byte()) << 16 | u64::from(input.byte() & 3),
        10 => match input.below(4) {
            0 => now(),
            1 => now() + 5_000_000,
            2 => now().wrapping_sub(5_000_000),
            _ => u64::MAX - u64::from(input.byte()),
        },
        _ => u64::from(input.byte()),
    })
}

fn slot(input: &mut Input) -> u64 {
    input.pick(&[0, 1, 2, 3, 11, 12, 129, 4094, 4095])
}

fn gate(input: &mut Input) -> u64 {
    let state = u64::from(input.byte() & 0x3f); // mode, waiting, closed, poisoned
    state | slot(input) << 6 | slot(input) << 18 | u64::from(input.byte()) << 30 | u64::from(input.byte()) << 42
}

fn queued(input: &mut Input) -> u64 {
    let state = u64::from(input.byte() & 0x3f); // mode, skipped, skip_count
    let ticket = input.pick(&[0, 1, 2, 3, 1 << 43, (1 << 44) - 1]);
    state | u64::from(input.byte()) << 6 | ticket << 20
}
