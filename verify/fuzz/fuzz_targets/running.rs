//! A lock in use by two threads while a third writes into its memory. See the crate.
#![no_main]

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use process_rwlock::{Attachment, LockRef, Options};
use process_rwlock_fuzz::driver::{Driver, Place};
use process_rwlock_fuzz::image::Damage;
use process_rwlock_fuzz::input::Input;
use process_rwlock_fuzz::world::{self, LOCK};

/// All writes of the scribbler: each may wake a wait.
const WRITES: usize = 4000;

fuzz_target!(init: world::enter(), |data: &[u8]| {
    let input = &mut Input::new(data);
    let options = Options { capacity: Some(11), ..Options::default() };
    drop(Attachment::open(LockRef::Path(Path::new(LOCK)), &options).unwrap());
    let length = fs::metadata(LOCK).unwrap().len() as usize;
    let before = world::descriptors();
    // Without threads, the input's damage comes between the steps, so that each run is the same.
    let together = input.byte() & 3 != 0;
    if together {
        let pause = Duration::from_micros(input.pick(&[0, 1, 10, 100, 1000]));
        let count = 1 + input.below(16);
        let damage: Vec<Damage> = (0..count).map(|_| Damage::any(input, length)).collect();
        let mut first = input.half();
        let ended = AtomicBool::new(false);
        thread::scope(|scope| {
            let scribbler = scope.spawn(|| {
                for damage in damage.iter().cycle().take(WRITES) {
                    if ended.load(Relaxed) {
                        break;
                    }
                    damage.of_file(Path::new(LOCK));
                    thread::sleep(pause);
                }
            });
            let other = scope.spawn(|| Driver::new(Place::Path(LOCK), false).run(&mut first));
            Driver::new(Place::Path(LOCK), false).run(input);
            other.join().unwrap();
            ended.store(true, Relaxed);
            // A scope does not wait until a thread has freed its last memory.
            scribbler.join().unwrap();
        });
    }
    // One attachment uses what they left behind.
    Driver::new(Place::Path(LOCK), true).run(input);
    world::leave(before);
});
