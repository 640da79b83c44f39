//! Changing the mode of a hold.

use process_rwlock::ErrorKind;

use crate::fairness::{attempts, granted};
use crate::helpers::{TEST_TIMEOUT, TestLock, ms, until, within};

#[test]
fn an_upgrade_waits_for_the_readers_inside_and_admits_no_more() {
    let lock = TestLock::named();
    let own = lock.open();
    let (reader, upgrader) = (lock.child(), lock.child());
    reader.hold("read");
    upgrader.hold("upgradable");
    assert!(own.try_read().is_some(), "readers come in beside an upgradable hold");
    upgrader.tell("upgrade");
    until("readers stay out", || own.try_read().is_none());
    assert_eq!(upgrader.answer_within(ms(50)), None);
    reader.release();
    assert_eq!(upgrader.answer(), "granted");
    assert!(own.try_read().is_none());
    upgrader.release();
    assert!(own.try_write().is_some());
}

#[test]
fn an_upgrade_that_times_out_leaves_the_hold_upgradable() {
    let lock = TestLock::named();
    let (own, other) = (lock.open(), lock.open());
    let reading = other.read().unwrap();
    let mut upgradable = own.upgradable().unwrap();
    for timeout in [ms(0), ms(300)] {
        let result = within(timeout..=timeout + ms(2000), || upgradable.upgrade(Some(timeout)));
        let Err((back, error)) = result else { panic!("upgraded beside a reader") };
        assert_eq!(error.kind(), ErrorKind::Timeout);
        upgradable = back;
        let third = lock.open();
        assert!(third.try_read().is_some(), "readers come in again");
        assert!(third.try_upgradable().is_none());
    }
    drop(reading);
    let writing = upgradable.upgrade(Some(ms(0))).map_err(|(_, error)| error).unwrap();
    assert!(other.try_read().is_none());
    drop(writing);
    assert!(other.try_write().is_some());
}

#[test]
fn a_reader_that_waits_during_an_upgrade_is_granted_when_the_upgrade_is_abandoned() {
    let lock = TestLock::named();
    let own = lock.open();
    let (inside, upgrader, late) = (lock.child(), lock.child(), lock.child());
    inside.hold("read");
    upgrader.hold("upgradable");
    upgrader.tell("upgrade 500");
    until("readers stay out", || own.try_read().is_none());
    late.tell("read");
    assert_eq!(upgrader.answer(), "Timeout");
    assert_eq!(late.answer(), "granted");
}

#[test]
fn try_upgrade_fails_while_another_attachment_reads() {
    let lock = TestLock::named();
    let (own, other) = (lock.open(), lock.open());
    let reading = other.read().unwrap();
    let Err(upgradable) = own.upgradable().unwrap().try_upgrade() else { panic!("upgraded beside a reader") };
    assert!(other.try_upgradable().is_none(), "it is upgradable still");
    drop(reading);
    let writing = upgradable.try_upgrade().map_err(drop).unwrap();
    assert!(other.try_read().is_none());
    drop(writing);
    assert!(other.try_write().is_some());
}

#[test]
fn the_only_reader_can_become_the_writer() {
    let lock = TestLock::named();
    let (own, other) = (lock.open(), lock.open());
    let writing = own.read().unwrap().try_upgrade().map_err(drop).unwrap();
    assert!(other.try_read().is_none());
    drop(writing);
    assert!(other.try_write().is_some());
}

#[test]
fn a_reader_that_cannot_upgrade_continues_to_read() {
    let lock = TestLock::named();
    let (own, other) = (lock.open(), lock.open());
    {
        let _beside = other.read().unwrap();
        let Err(reading) = own.read().unwrap().try_upgrade() else { panic!("upgraded beside a reader") };
        assert!(lock.open().try_write().is_none());
        drop(reading);
    }
    {
        let _outer = own.read().unwrap();
        let Err(_inner) = own.read().unwrap().try_upgrade() else { panic!("upgraded inside another read hold") };
    }
    {
        let _beside = other.upgradable().unwrap();
        let Err(_reading) = own.read().unwrap().try_upgrade() else { panic!("upgraded beside an upgradable hold") };
    }
    assert!(other.try_write().is_some());
}

#[test]
fn no_writer_gets_in_between_a_downgrade() {
    let lock = TestLock::named();
    let own = lock.open();
    let waiters = [lock.child(), lock.child()];
    attempts(|| {
        let writing = own.write().unwrap();
        for (index, mode) in ["write", "read"].into_iter().enumerate() {
            waiters[index].tell(mode);
            until("it waits", || own.inspect().waiters.len() == index + 1);
        }
        let reading = writing.downgrade().unwrap();
        assert_eq!(waiters[0].answer_within(ms(50)), None, "we read");
        assert_eq!(own.inspect().holders.len(), 1, "and the reader comes after the writer");
        drop(reading);
        let order = [0; 2].map(|_| {
            let next = granted(&waiters, 1, TEST_TIMEOUT)[0];
            waiters[next].release();
            next
        });
        order == [0, 1]
    });
}

#[test]
fn a_downgrade_lets_waiting_readers_in() {
    let lock = TestLock::named();
    let own = lock.open();
    let readers = [lock.child(), lock.child()];
    for upgradable in [false, true] {
        let writing = own.write().unwrap();
        readers.iter().for_each(|reader| reader.tell("read"));
        until("they wait", || own.inspect().waiters.len() == 2);
        if upgradable {
            let _upgradable = writing.downgrade_to_upgradable().unwrap();
            readers.iter().for_each(|reader| assert_eq!(reader.answer(), "granted"));
        } else {
            let _reading = writing.downgrade().unwrap();
            readers.iter().for_each(|reader| assert_eq!(reader.answer(), "granted"));
        }
        readers.iter().for_each(crate::helpers::Child::release);
    }
}

#[test]
fn a_downgraded_hold_has_its_new_mode() {
    let lock = TestLock::named();
    let (own, other) = (lock.open(), lock.open());
    {
        let _reading = own.write().unwrap().downgrade().unwrap();
        assert!(other.try_upgradable().is_some());
        assert!(other.try_write().is_none());
    }
    {
        let _reading = own.upgradable().unwrap().downgrade().map_err(|(_, error)| error).unwrap();
        assert!(other.try_upgradable().is_some());
        assert!(other.try_write().is_none());
    }
    {
        let upgradable = own.write().unwrap().downgrade_to_upgradable().unwrap();
        assert!(other.try_read().is_some());
        assert!(other.try_upgradable().is_none());
        let writing = upgradable.upgrade(None).map_err(|(_, error)| error).unwrap();
        assert!(other.try_read().is_none());
        let reading = writing.downgrade().unwrap();
        assert!(other.try_read().is_some());
        drop(reading);
    }
    assert!(other.try_write().is_some());
}
