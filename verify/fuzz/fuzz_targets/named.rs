//! A named lock whose record, memory and token floor are not what was written. See the crate.
#![no_main]

use std::cell::OnceCell;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use libfuzzer_sys::fuzz_target;
use process_rwlock::{Attachment, LockRef, Mode, Options, Outcome, WaitOptions, now};
use process_rwlock_fuzz::driver::{Driver, Place};
use process_rwlock_fuzz::image::Damage;
use process_rwlock_fuzz::input::Input;
use process_rwlock_fuzz::world;

const NAME: &str = "fuzzed";
const OTHER: &str = "another";

/// The parts of a named lock.
#[derive(Clone)]
struct Whole {
    record: PathBuf,
    text: Vec<u8>,
    memory: PathBuf,
    bytes: Vec<u8>,
}

impl Whole {
    fn made() -> Self {
        let options = Options { capacity: Some(11), ..Options::default() };
        let lock = Attachment::open(LockRef::Name(NAME), &options).unwrap();
        let records = fs::read_dir(world::directory()).unwrap().map(|entry| entry.unwrap().path());
        let record = { records }.find(|path| !path.ends_with("token-floor")).unwrap().join("record");
        let memory = Place::Name(NAME).memory().unwrap();
        let (text, bytes) = (fs::read(&record).unwrap(), fs::read(&memory).unwrap());
        drop(lock);
        world::clear();
        Self { record, text, memory, bytes }
    }
}

thread_local! {
    static WHOLE: OnceCell<Whole> = const { OnceCell::new() };
}

fuzz_target!(init: world::enter(), |data: &[u8]| {
    let input = &mut Input::new(data);
    let mut whole = WHOLE.with(|whole| whole.get_or_init(Whole::made).clone());
    fs::create_dir(world::directory()).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(world::directory(), mode).unwrap();

    let floor = token_floor(input);
    fs::write(world::directory().join("token-floor"), &floor).unwrap();
    record(input, &mut whole.text);
    memory(input, &mut whole.bytes);
    let folder = whole.record.parent().unwrap();
    match input.below(8) {
        0 => fs::write(folder, &whole.text).unwrap(),
        1 => symlink("/dev/null", folder).unwrap(),
        _ => fs::create_dir(folder).unwrap(),
    }
    if !folder.is_dir() {
        whole.record = world::directory().join("no folder");
    }
    match input.below(16) {
        0 => fs::create_dir(&whole.record).unwrap(),
        1 => symlink("/dev/null", &whole.record).unwrap(),
        2 => symlink("/dev/null", &whole.memory).unwrap(),
        3 => fs::create_dir(&whole.memory).unwrap(),
        4 => fs::write(world::directory().join("stray"), &whole.text).unwrap(),
        5 => {
            let name = OsString::from_vec(input.bytes(12).iter().map(|byte| byte | 0x80).collect());
            fs::create_dir(world::directory().join(name)).unwrap_or_default();
        }
        _ => {}
    }
    // Nothing if a file is already there.
    let _ = fs::OpenOptions::new().write(true).create_new(true).open(&whole.record).and_then(|_| fs::write(&whole.record, &whole.text));
    if input.below(8) != 0 {
        let _ = fs::OpenOptions::new().write(true).create_new(true).open(&whole.memory).and_then(|_| fs::write(&whole.memory, &whole.bytes));
    }

    let before = world::descriptors();
    Driver::new(Place::Name(NAME), true).run(input);
    other_locks_are_untouched(&floor);
    world::leave(before);
});

/// What the file of the token floor says.
fn token_floor(input: &mut Input) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    match input.below(4) {
        // The clock was set back by an hour.
        0 => (now + 3_600_000_000_000).to_le_bytes().to_vec(),
        1 => input.word().to_le_bytes().to_vec(),
        2 => {
            let length = input.below(24);
            input.bytes(length).to_vec()
        }
        _ => vec![],
    }
}

fn record(input: &mut Input, text: &mut Vec<u8>) {
    match input.below(8) {
        0 => {
            let length = input.below(256);
            *text = input.bytes(length).to_vec();
        }
        1 => text.truncate(input.below(text.len())),
        2 => text.resize(usize::from(input.short()) % 2048, input.byte()),
        3 => {
            for _ in 0..=input.below(4) {
                let place = input.below(text.len());
                text[place] = input.byte();
            }
        }
        4 => {
            // Another name, another id: after a valid beginning.
            text.truncate(input.pick(&[17, text.len() - NAME.len() - 17, text.len() - NAME.len()]));
            let length = input.below(64);
            text.extend_from_slice(input.bytes(length));
        }
        _ => {}
    }
}

fn memory(input: &mut Input, bytes: &mut Vec<u8>) {
    match input.below(8) {
        0 => {
            let length = usize::from(input.short()) % 8192;
            *bytes = input.bytes(length).to_vec();
        }
        1 => bytes.resize(usize::from(input.short()) % (bytes.len() + 4096), input.byte()),
        2 => {}
        _ => {
            let length = bytes.len();
            for _ in 0..input.below(12) {
                Damage::any(input, length).of_bytes(bytes);
            }
        }
    }
}

/// Damage is limited to its lock: the tokens of another lock begin above those of all removed locks.
fn other_locks_are_untouched(floor: &[u8]) {
    let now_unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let last = <[u8; 8]>::try_from(floor.get(..8).unwrap_or(&[])).map_or(0, u64::from_le_bytes);
    let other = Attachment::open(LockRef::Name(OTHER), &Options::default()).unwrap();
    let request =
        other.request(Mode::Write, WaitOptions { deadline: now() + 1_000_000_000, fairness: 0, in_turn: false });
    other.poll(now()).unwrap();
    assert_eq!(other.take_settled(), [(request, Outcome::Granted)]);
    let hour_ahead = now_unix + 2 * 3_600_000_000_000;
    assert!(last > hour_ahead || other.token() > last, "token {} after {last}", other.token());
}
