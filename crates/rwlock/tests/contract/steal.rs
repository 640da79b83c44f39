//! Steals: requests that go before all others, and holders that give up for them.

use process_rwlock::{Attachment, Doorbell, HoldEnd, Mode, Outcome, RequestId, WaitOptions, now};

use crate::helpers::{TestLock, ms, until};

const FOR_NEWS: WaitOptions = WaitOptions { deadline: u64::MAX, fairness: u64::MAX, in_turn: false };
const MODES: [Mode; 3] = [Mode::Read, Mode::Upgradable, Mode::Write];

fn acquire(attachment: &Attachment, mode: Mode) {
    assert!(match mode {
        Mode::Read => attachment.try_read(),
        Mode::Upgradable => attachment.try_upgradable(),
        Mode::Write => attachment.try_write(),
    });
}

fn give_up(attachment: &Attachment) {
    while attachment.reads() != 0 {
        attachment.release_read();
    }
    attachment.release_exclusive(HoldEnd::Failed).unwrap();
}

fn request(attachment: &Attachment, mode: Mode) -> RequestId {
    let request = attachment.request(mode, FOR_NEWS);
    attachment.poll(now()).unwrap();
    request
}

fn steal(attachment: &Attachment) -> RequestId {
    let request = attachment.request_steal(FOR_NEWS);
    attachment.poll(now()).unwrap();
    request
}

/// The requests that are granted now.
fn granted(attachment: &Attachment) -> Vec<RequestId> {
    attachment.poll(now()).unwrap();
    let settled = attachment.take_settled().into_iter();
    settled.filter(|(_, outcome)| *outcome == Outcome::Granted).map(|(request, _)| request).collect()
}

#[test]
fn a_holder_that_allows_steals_learns_of_one_and_of_nothing_else() {
    let Ok(doorbell) = Doorbell::open() else { return };
    let lock = TestLock::named();
    let own = lock.attach();
    own.set_doorbell(&doorbell, 42);
    own.want_steals(true);
    for held in MODES {
        let [writer, thief] = [lock.attach(), lock.attach()];
        acquire(&own, held);
        own.take_notice();
        request(&writer, Mode::Write);
        assert_eq!((doorbell.next_ring(), own.is_stolen()), (None, false), "{held:?}: a writer waits");
        let stolen = steal(&thief);
        assert_eq!((doorbell.next_ring(), own.is_stolen()), (Some(42), true), "{held:?}: stolen");
        assert_eq!(granted(&thief), [], "exclusion is not broken");
        give_up(&own);
        assert_eq!(granted(&writer), [], "{held:?}: the steal goes first");
        assert_eq!(granted(&thief), [stolen]);
        assert!(!own.is_stolen());
    }
}

#[test]
fn a_steal_takes_the_turn_of_a_writer_that_drains_and_leaves_it_its_place() {
    let lock = TestLock::named();
    let [own, writer, later, thief] = [lock.attach(), lock.attach(), lock.attach(), lock.attach()];
    acquire(&own, Mode::Read);
    let first = request(&writer, Mode::Write);
    let second = request(&later, Mode::Write);
    let stolen = steal(&thief);
    own.release_read();
    assert_eq!((granted(&later), granted(&writer)), (vec![], vec![]));
    assert_eq!(granted(&thief), [stolen]);
    give_up(&thief);
    assert_eq!(granted(&later), []);
    assert_eq!(granted(&writer), [first]);
    give_up(&writer);
    assert_eq!(granted(&later), [second]);
}

#[test]
fn a_writer_whose_turn_was_taken_keeps_its_place_although_it_does_not_come() {
    let lock = TestLock::named();
    let [own, writer, later, thief] = [lock.attach(), lock.attach(), lock.attach(), lock.attach()];
    acquire(&own, Mode::Read);
    let first = request(&writer, Mode::Write);
    let second = request(&later, Mode::Write);
    let stolen = steal(&thief);
    own.release_read();
    assert_eq!(granted(&thief), [stolen]);
    give_up(&thief);
    assert_eq!(granted(&later), []);
    assert_eq!(granted(&writer), [first]);
    give_up(&writer);
    assert_eq!(granted(&later), [second]);
    give_up(&later);
    assert!(own.try_write());
}

#[test]
fn a_writer_whose_turn_was_taken_and_that_gives_up_leaves_the_queue() {
    let lock = TestLock::named();
    let [own, writer, later, thief] = [lock.attach(), lock.attach(), lock.attach(), lock.attach()];
    acquire(&own, Mode::Read);
    let first = request(&writer, Mode::Write);
    let second = request(&later, Mode::Write);
    let stolen = steal(&thief);
    writer.cancel(first);
    own.release_read();
    assert_eq!(granted(&thief), [stolen]);
    writer.poll(now()).unwrap();
    give_up(&thief);
    assert_eq!(granted(&later), [second]);
    give_up(&later);
    assert!(own.inspect().waiters.is_empty());
    assert!(own.try_write());
}

#[test]
fn a_steal_takes_the_turn_of_its_own_drain_and_its_own_requests() {
    let lock = TestLock::named();
    let [own, other] = [lock.attach(), lock.attach()];
    acquire(&other, Mode::Read);
    let (first, second) = (request(&own, Mode::Write), request(&own, Mode::Write));
    let stolen = steal(&own);
    let again = steal(&own);
    other.release_read();
    for expected in [stolen, again, first, second] {
        assert_eq!(granted(&own), [expected]);
        give_up(&own);
    }
}

#[test]
fn a_later_steal_robs_an_earlier_one_and_does_not_overtake_it() {
    let lock = TestLock::named();
    let [own, first, second] = [lock.attach(), lock.attach(), lock.attach()];
    for attachment in [&own, &first, &second] {
        attachment.want_steals(true);
    }
    for held in MODES {
        acquire(&own, held);
        let (one, two) = (steal(&first), steal(&second));
        give_up(&own);
        assert_eq!(granted(&second), []);
        assert_eq!(granted(&first), [one]);
        assert!(first.is_stolen());
        assert_eq!(granted(&second), []);
        give_up(&first);
        assert_eq!(granted(&second), [two]);
        assert!(!second.is_stolen());
        give_up(&second);
    }
}

#[test]
fn newcomers_do_not_overtake_a_steal() {
    let lock = TestLock::named();
    let [own, other, thief] = [lock.attach(), lock.attach(), lock.attach()];
    acquire(&own, Mode::Upgradable);
    steal(&thief);
    assert!(!other.try_read());
    give_up(&own);
    assert!(!other.try_read() && !other.try_write());
    assert_eq!(granted(&thief).len(), 1);
}

#[test]
fn a_steal_that_was_given_up_robs_nobody() {
    let lock = TestLock::named();
    let [own, thief] = [lock.attach(), lock.attach()];
    own.want_steals(true);
    for held in MODES {
        acquire(&own, held);
        let request = steal(&thief);
        assert!(own.is_stolen());
        thief.cancel(request);
        assert!(!own.is_stolen(), "{held:?}: cancelled");
        thief.poll(now()).unwrap();
        assert!(!own.is_stolen());
        // An ordinary request of the same slot is none.
        let waits = self::request(&thief, Mode::Write);
        assert!(!own.is_stolen());
        thief.cancel(waits);
        thief.poll(now()).unwrap();

        thief.request_steal(WaitOptions { deadline: now(), ..FOR_NEWS });
        thief.poll(now() + 1).unwrap();
        assert!(!own.is_stolen(), "{held:?}: timed out");
        give_up(&own);
    }
}

#[test]
fn a_steal_of_a_dead_process_robs_nobody() {
    let lock = TestLock::named();
    let own = lock.attach();
    own.want_steals(true);
    for held in MODES {
        acquire(&own, held);
        let child = lock.child();
        child.tell("steal");
        until("it is stolen", || own.is_stolen());
        child.kill();
        until("the kernel has noticed the death", || !own.is_stolen());
        std::thread::sleep(ms(10));
        assert!(!own.is_stolen(), "{held:?}");
        give_up(&own);
    }
}

#[test]
fn a_later_hold_is_not_robbed_by_an_old_steal_of_its_slot() {
    let lock = TestLock::named();
    let [own, thief] = [lock.attach(), lock.attach()];
    own.want_steals(true);
    let stolen = steal(&thief);
    assert_eq!(granted(&thief), [stolen]);
    give_up(&thief);
    acquire(&own, Mode::Write);
    // The slot of the thief waits again, without a steal.
    let waits = request(&thief, Mode::Write);
    assert!(!own.is_stolen());
    give_up(&own);
    assert_eq!(granted(&thief), [waits]);
}

#[test]
fn the_wish_for_notices_and_the_one_for_steals_are_kept_apart() {
    let Ok(doorbell) = Doorbell::open() else { return };
    let lock = TestLock::named();
    let own = lock.attach();
    own.set_doorbell(&doorbell, 42);
    acquire(&own, Mode::Write);
    own.want_steals(true);
    own.want_notices(&[Mode::Write]);
    own.want_notices(&[]);
    own.take_notice();
    let thief = lock.attach();
    let request = steal(&thief);
    assert_eq!(doorbell.next_ring(), Some(42));
    thief.cancel(request);
    thief.poll(now()).unwrap();
    own.want_notices(&[Mode::Write]);
    own.want_steals(false);
    own.take_notice();
    self::request(&thief, Mode::Read);
    assert_eq!(doorbell.next_ring(), Some(42));
}
