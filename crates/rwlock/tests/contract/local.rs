//! Values of one thread of one process.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread;

use process_rwlock::Local;

/// Counts its drops.
struct Counted(&'static AtomicU32);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[test]
fn each_thread_has_its_own_value() {
    static NUMBER: Local<Cell<u32>> = Local::new();
    assert!(NUMBER.get().is_none());
    NUMBER.get_or_init(|| Cell::new(7)).set(8);
    assert_eq!(NUMBER.get().unwrap().get(), 8);
    let other = || {
        assert!(NUMBER.get().is_none());
        assert!(NUMBER.set(Cell::new(1)).is_none());
        NUMBER.get().unwrap().get()
    };
    assert_eq!(thread::spawn(other).join().unwrap(), 1);
    assert_eq!(NUMBER.get().unwrap().get(), 8);
}

#[test]
fn each_local_has_its_own_value() {
    let locals: Vec<Local<usize>> = (0..100).map(|_| Local::new()).collect();
    for (number, local) in locals.iter().enumerate() {
        local.set(number);
    }
    for (number, local) in locals.iter().enumerate() {
        assert_eq!(local.get().as_deref(), Some(&number));
    }
    let (text, none) = (Local::<String>::default(), Local::<String>::new());
    text.set("a".into());
    assert_eq!((text.get().as_deref(), none.get()), (Some(&"a".into()), None));
}

#[test]
fn a_value_is_set_replaced_and_taken() {
    let local = Local::new();
    assert!(local.take().is_none());
    assert!(local.set("one").is_none());
    assert_eq!(local.set("two").as_deref(), Some(&"one"));
    assert_eq!(*local.get_or_init(|| unreachable!()), "two");
    assert_eq!(local.take().as_deref(), Some(&"two"));
    assert!(local.get().is_none() && local.take().is_none());
    assert_eq!(*local.get_or_init(|| "three"), "three");
    assert_eq!(format!("{local:?}"), "Local { value: Some(\"three\") }");
}

#[test]
fn a_value_that_cannot_be_made_stays_unset() {
    let local = Local::new();
    assert_eq!(local.get_or_try_init(|| Err("no")), Err("no"));
    assert!(local.get().is_none());
    assert_eq!(local.get_or_try_init(|| Ok::<_, ()>(5)).as_deref(), Ok(&5));
    assert_eq!(local.get_or_try_init(|| Err("no")).as_deref(), Ok(&5));
}

#[test]
fn an_init_that_uses_the_same_local_does_not_replace_its_value() {
    let local = Local::new();
    let value = local.get_or_init(|| {
        local.set(1);
        2
    });
    assert_eq!((*value, local.get().as_deref().copied()), (1, Some(1)));
}

#[test]
fn values_are_dropped_with_their_thread_or_their_local() {
    static DROPS: AtomicU32 = AtomicU32::new(0);
    let local = Local::new();
    local.set(Counted(&DROPS));
    thread::scope(|scope| {
        let other = scope.spawn(|| drop(local.set(Counted(&DROPS))));
        other.join().unwrap();
    });
    crate::helpers::until("the thread is over", || DROPS.load(SeqCst) == 1);
    assert!(local.get().is_some());
    local.set(Counted(&DROPS));
    assert_eq!(DROPS.load(SeqCst), 2);
    let kept = local.get();
    drop(local);
    assert_eq!(DROPS.load(SeqCst), 2, "it is still referred to");
    drop(kept);
    assert_eq!(DROPS.load(SeqCst), 3);
}

#[test]
fn the_values_of_locals_that_another_thread_dropped_do_not_accumulate() {
    static DROPS: AtomicU32 = AtomicU32::new(0);
    let made = Local::new();
    for number in 0..1000 {
        let local = Local::new();
        local.set(Counted(&DROPS));
        thread::spawn(move || drop(local)).join().unwrap();
        made.set(number);
        assert!(number - DROPS.load(SeqCst) < 40, "{} of {number} were dropped", DROPS.load(SeqCst));
    }
}

/// What a value does with a `Local` when it is dropped.
#[test]
fn a_value_may_use_locals_while_it_is_dropped() {
    struct Uses(Rc<Local<u32>>);
    impl Drop for Uses {
        fn drop(&mut self) {
            self.0.set(self.0.get().map_or(0, |value| *value) + 1);
        }
    }
    let other = Rc::new(Local::new());
    let local = Local::new();
    local.set(Uses(other.clone()));
    local.set(Uses(other.clone()));
    assert_eq!(other.get().as_deref(), Some(&1));
    drop(local);
    assert_eq!(other.get().as_deref(), Some(&2));
}

#[test]
fn a_local_that_is_used_when_its_thread_ends_is_unset_or_whole() {
    static SEEN: AtomicU32 = AtomicU32::new(0);
    static LOCAL: Local<u32> = Local::new();
    struct Looks;
    impl Drop for Looks {
        fn drop(&mut self) {
            let value = LOCAL.get();
            assert!(value.is_none_or(|value| *value == 3));
            assert!([3, 4].contains(&*LOCAL.get_or_init(|| 4)));
            let _ = LOCAL.set(3);
            let _ = LOCAL.take();
            SEEN.fetch_add(1, SeqCst);
        }
    }
    thread_local! {
        static BEFORE: RefCell<Option<Looks>> = const { RefCell::new(None) };
        static AFTER: RefCell<Option<Looks>> = const { RefCell::new(None) };
    }
    thread::spawn(|| {
        BEFORE.with(|looks| *looks.borrow_mut() = Some(Looks));
        LOCAL.set(3);
        AFTER.with(|looks| *looks.borrow_mut() = Some(Looks));
    })
    .join()
    .unwrap();
    assert_eq!(SEEN.load(SeqCst), 2);
}
