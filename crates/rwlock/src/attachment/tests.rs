use super::requests::Outcome;
use super::{Attachment, HoldEnd};
use crate::options::{LockRef, Options, WaitOptions};
use crate::protocol::gate::{Gate, Hold};
use crate::protocol::slot::Mode;
use crate::protocol::try_mark::TryMark;
use crate::sys::park;

#[test]
fn an_upgrader_that_was_skipped_before_it_gives_up_stays_upgradable() {
    let path = std::env::temp_dir().join(format!("skipped-upgrader-{}", std::process::id()));
    let open = || Attachment::open(LockRef::Path(&path), &Options::default()).unwrap();
    let (upgrader, other) = (open(), open());
    assert!(upgrader.try_upgradable());
    upgrader.claim_upgrade();
    // What another process does that waited too long for the stopped upgrader.
    other.segment.change_gate(|gate| Some(gate.with_drain_aborted()));
    assert!(other.try_read());
    upgrader.abort_drain();
    let granted_to_both = other.try_upgradable();
    drop((upgrader, other));
    std::fs::remove_file(&path).unwrap();
    assert!(!granted_to_both, "two upgradable holds at once");
}

/// A writer was skipped and does not know it yet; another task of its thread takes the lock
/// meanwhile.
#[test]
fn an_upgrade_can_be_requested_after_a_write_was_skipped() {
    let path = std::env::temp_dir().join(format!("skipped-writer-{}", std::process::id()));
    let open = || Attachment::open(LockRef::Path(&path), &Options::default()).unwrap();
    let (late, reader) = (open(), open());
    let options = WaitOptions { deadline: u64::MAX, fairness: u64::MAX, in_turn: false };
    assert!(reader.try_read());
    let write = late.request(Mode::Write, options);
    late.poll(park::now()).unwrap();
    reader.segment.change_gate(|gate| Some(gate.with_drain_aborted()));
    assert!(late.try_upgradable());
    let upgrade = late.request_upgrade(options);
    reader.release_read();
    late.poll(park::now()).unwrap();
    let first = late.take_settled();
    late.release_exclusive(HoldEnd::Consistent).unwrap();
    late.poll(park::now()).unwrap();
    let second = late.take_settled();
    drop((late, reader));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(first, [(upgrade.expect("it is upgradable"), Outcome::Granted)]);
    assert_eq!(second, [(write, Outcome::Granted)]);
}

/// A blocking write that was skipped while it drained, beside an earlier request of its thread.
#[test]
fn a_skipped_write_that_blocks_its_thread_stays_before_the_others() {
    let path = std::env::temp_dir().join(format!("skipped-sync-{}", std::process::id()));
    let open = || Attachment::open(LockRef::Path(&path), &Options::default()).unwrap();
    let (late, reader, writer) = (open(), open(), open());
    let options = WaitOptions { deadline: u64::MAX, fairness: 0, in_turn: false };
    assert!(reader.try_read());
    let write = writer.request(Mode::Write, options);
    writer.poll(park::now()).unwrap();
    late.request(Mode::Read, options);
    late.poll(park::now()).unwrap();
    let blocking = late.request_first(Mode::Write, options);
    late.poll(park::now()).unwrap();
    assert!(writer.cancel(write));
    writer.poll(park::now()).unwrap();
    late.poll(park::now()).unwrap();
    assert!(late.load_gate().is_drained_by(late.index));
    reader.segment.change_gate(|gate| Some(gate.with_drain_aborted()));
    late.poll(park::now()).unwrap();
    reader.release_read();
    late.poll(park::now()).unwrap();
    let outcome = late.take_outcome(blocking);
    drop((late, reader, writer));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(outcome, Some(Outcome::Granted));
}

/// The same, but that writer ends its wait.
#[test]
fn a_hold_outlasts_the_wait_of_a_skipped_write() {
    let path = std::env::temp_dir().join(format!("skipped-wait-{}", std::process::id()));
    let open = || Attachment::open(LockRef::Path(&path), &Options::default()).unwrap();
    let granted = [Mode::Write, Mode::Upgradable].map(|mode| {
        let (late, reader) = (open(), open());
        assert!(reader.try_read());
        let write = late.request(Mode::Write, WaitOptions { deadline: u64::MAX, fairness: u64::MAX, in_turn: false });
        late.poll(park::now()).unwrap();
        reader.segment.change_gate(|gate| Some(gate.with_drain_aborted()));
        reader.release_read();
        assert!(if mode == Mode::Write { late.try_write() } else { late.try_upgradable() });
        assert!(late.cancel(write));
        let granted = reader.try_upgradable();
        late.release_exclusive(HoldEnd::Consistent).unwrap();
        granted
    });
    std::fs::remove_file(&path).unwrap();
    assert_eq!(granted, [false, false], "two exclusive holds at once");
}

#[test]
fn a_try_that_fails_because_of_a_reader_does_not_change_the_gate() {
    let path = std::env::temp_dir().join(format!("refused-try-{}", std::process::id()));
    let open = || Attachment::open(LockRef::Path(&path), &Options::default()).unwrap();
    let (reader, tries) = (open(), open());
    assert!(reader.try_read());
    let gate = tries.load_gate();
    let refused = !tries.try_write() && !tries.try_write();
    let untouched = tries.load_gate() == gate;
    drop((reader, tries));
    std::fs::remove_file(&path).unwrap();
    assert!(refused && untouched);
}

/// The state that a process leaves if it is stopped in a try, between its claim of the gate and its
/// second scan of the readers.
#[test]
fn a_stopped_try_is_skipped_even_if_another_attachment_reads() {
    let path = std::env::temp_dir().join(format!("stopped-try-{}", std::process::id()));
    let open = || Attachment::open(LockRef::Path(&path), &Options::default()).unwrap();
    let (reader, stopped, other) = (open(), open(), open());
    assert!(reader.try_read() && stopped.try_read());
    stopped.release_read();
    let options = || WaitOptions { deadline: park::now() + 5_000_000_000, fairness: 0, in_turn: false };
    let mut let_in = Vec::new();
    std::mem::forget(TryMark::of(stopped.slot()));
    assert!(stopped.claim_gate(Hold::Draining, Gate::admits_exclusive));
    let_in.push(other.wait(Mode::Read, options(), || false).is_ok());
    other.release_read();
    assert!(stopped.try_upgradable());
    stopped.claim_upgrade();
    let_in.push(other.wait(Mode::Read, options(), || false).is_ok());
    other.release_read();
    let upgradable = stopped.release_exclusive(HoldEnd::Consistent).is_ok();
    drop((reader, stopped, other));
    std::fs::remove_file(&path).unwrap();
    assert_eq!((let_in, upgradable), (vec![true, true], true));
}

/// A claim for writing that finds no registered reader depends on this.
#[test]
fn the_first_read_of_an_attachment_changes_the_gate() {
    let path = std::env::temp_dir().join(format!("first-read-{}", std::process::id()));
    let open = || Attachment::open(LockRef::Path(&path), &Options::default()).unwrap();
    let other = open();
    let changes = |reader: &Attachment| {
        let seen = other.load_gate();
        assert!(reader.try_read());
        reader.release_read();
        other.load_gate() != seen
    };
    let first = open();
    let mut seen = vec![changes(&first), changes(&first)];
    drop(first); // and stays registered
    seen.push(changes(&open()));
    drop(other);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(seen, [true, false, true]);
}

/// What others find if a writer dies between its claim of the gate and its hold, or between its
/// release and the effect of it.
#[test]
fn a_writer_that_died_before_or_after_its_hold_is_not_reported() {
    let path = std::env::temp_dir().join(format!("died-outside-hold-{}", std::process::id()));
    let open = || Attachment::open(LockRef::Path(&path), &Options::default()).unwrap();
    let (victim, other) = (open(), open());
    let dies = || {
        other.segment.recovery().repair(victim.index, || true);
        other.owner_died().is_some()
    };
    let mut reported = Vec::new();
    for _ in 0..2 {
        assert!(victim.claim_gate(Hold::Writing, Gate::admits_exclusive));
        reported.push(dies());
        // The second time, its last token is also the lock's last token.
        assert!(victim.try_write() && victim.release_exclusive(HoldEnd::Consistent).is_ok());
    }
    assert!(victim.try_write() && victim.downgrade_to_upgradable().is_ok());
    victim.claim_upgrade();
    assert!(victim.claim_drained());
    reported.push(dies());
    victim.exclusive.set(None);
    assert!(victim.try_write());
    victim.end_write();
    reported.push(dies());
    victim.exclusive.set(None);
    assert!(victim.try_write());
    let inside = dies();
    drop((victim, other));
    std::fs::remove_file(&path).unwrap();
    assert_eq!((reported, inside), (vec![false; 4], true));
}
