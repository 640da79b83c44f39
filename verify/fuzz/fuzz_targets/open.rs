//! A lock file of arbitrary bytes is opened and used. See the crate.
#![no_main]

use std::cell::OnceCell;
use std::fs;

use libfuzzer_sys::fuzz_target;
use process_rwlock_fuzz::driver::{Driver, Place};
use process_rwlock_fuzz::image::{Damage, whole};
use process_rwlock_fuzz::input::Input;
use process_rwlock_fuzz::world::{self, LOCK};

/// With 11 the lock ends where its page ends.
const CAPACITIES: [u32; 3] = [11, 1, 27];

thread_local! {
    static WHOLE: [OnceCell<Vec<u8>>; CAPACITIES.len()] = const { [const { OnceCell::new() }; CAPACITIES.len()] };
}

fuzz_target!(init: world::enter(), |data: &[u8]| {
    let input = &mut Input::new(data);
    let which = input.below(CAPACITIES.len());
    let mut bytes = WHOLE.with(|all| all[which].get_or_init(|| whole(LOCK, CAPACITIES[which])).clone());
    match input.below(8) {
        0 => {
            let length = usize::from(input.short()) % 8192;
            bytes = input.bytes(length).to_vec();
        }
        1 => bytes.resize(usize::from(input.short()) % (bytes.len() + 4096), input.byte()),
        2 => {
            let (place, length) = (usize::from(input.short()) % bytes.len(), input.below(256));
            bytes.iter_mut().skip(place).zip(input.bytes(length)).for_each(|(old, new)| *old = *new);
        }
        _ => {
            let length = bytes.len();
            for _ in 0..input.below(16) {
                Damage::any(input, length).of_bytes(&mut bytes);
            }
        }
    }
    fs::write(LOCK, bytes).unwrap();
    let before = world::descriptors();
    Driver::new(Place::Path(LOCK), true).run(input);
    world::leave(before);
});
