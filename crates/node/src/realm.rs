//! What belongs to one JavaScript thread: its attachments, and what was settled for it.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use napi::Env;
use napi::bindgen_prelude::Function;
use process_rwlock::{
    Attachment, Error, HoldEnd, Identity, LockRef, Options, Outcome, RequestId, Watch, Watcher, is_process_ending, now,
};

use crate::door::Door;
use crate::signal::{Callback, Signal};

pub(crate) struct Realm {
    attachments: Vec<Option<Open>>,
    by_identity: BTreeMap<Identity, u32>,
    pub events: Vec<Event>,
    /// Attachments with pending requests: while there are any, the event loop stays alive.
    waiting: usize,
    thread: Option<Thread>,
}

/// What wakes the event loop.
struct Thread {
    env: Env,
    signal: Arc<Signal>,
    callback: Callback,
    /// Made at the first wait. `None` in it: this loop can have none.
    door: OnceCell<Option<Door>>,
}

pub(crate) struct Open {
    pub attachment: Attachment,
    watch: Watch,
    handles: u32,
    waiting: bool,
    /// Others know where to ring for it.
    answers: bool,
    /// Why its requests failed, if they did.
    pub failure: Option<Failure>,
}

/// A code, a message, and what the system said.
pub(crate) type Failure = (&'static str, String, Option<String>);

/// A settled request.
pub(crate) struct Event {
    pub attachment: u32,
    pub request: RequestId,
    /// As `tryRead` gives it; 0: timed out; NaN: failed.
    pub hold: f64,
}

thread_local! {
    static REALM: RefCell<Realm> = const { RefCell::new(Realm::new()) };
}

pub(crate) fn with_realm<T>(act: impl FnOnce(&mut Realm) -> T) -> T {
    REALM.with_borrow_mut(act)
}

/// The fast paths: no bookkeeping follows.
pub(crate) fn with_attachment<T>(index: u32, missing: T, act: impl FnOnce(&Attachment) -> T) -> T {
    REALM.with_borrow(|realm| match realm.attachments.get(index as usize) {
        Some(Some(open)) => act(&open.attachment),
        _ => missing,
    })
}

/// One for all threads of the process.
pub(crate) fn watcher() -> &'static Arc<Watcher> {
    static WATCHER: OnceLock<Arc<Watcher>> = OnceLock::new();
    WATCHER.get_or_init(Watcher::new)
}

pub(crate) fn start(env: Env, ring: Function<'_, (), ()>) -> napi::Result<()> {
    let callback = Callback::new(env, &ring)?;
    let signal = Arc::new(Signal::new(ring)?);
    // Runs when the thread ends by itself or is terminated.
    env.add_env_cleanup_hook((), |()| {
        let mut realm = REALM.replace(Realm::new());
        realm.thread = None;
    })?;
    with_realm(|realm| realm.thread = Some(Thread { env, signal, callback, door: OnceCell::new() }));
    Ok(())
}

/// When the thread ends or the process exits, but not when it is killed, which the kernel tells the others. A hold that is
/// still there was not released.
impl Drop for Realm {
    fn drop(&mut self) {
        if is_process_ending() {
            std::mem::forget(std::mem::take(&mut self.attachments));
        }
        for open in self.attachments.drain(..).flatten() {
            let Open { attachment, watch, .. } = open;
            drop(watch);
            attachment.close(HoldEnd::Abandoned);
        }
        // Where the environment's own hook did not run (`process.exit()`), Node can no longer be called.
        std::mem::forget(self.thread.take());
    }
}

impl Realm {
    const fn new() -> Self {
        Self { attachments: Vec::new(), by_identity: BTreeMap::new(), events: Vec::new(), waiting: 0, thread: None }
    }

    pub fn get(&self, index: u32) -> Option<&Open> {
        self.attachments.get(index as usize)?.as_ref()
    }

    pub fn open(&mut self, lock: LockRef<'_>, options: &Options) -> Result<u32, Error> {
        if let Some(identity) = lock.identity()
            && let Some(&index) = self.by_identity.get(&identity)
            && let Some(Some(open)) = self.attachments.get_mut(index as usize)
        {
            open.attachment.check_capacity(options.capacity)?;
            open.handles += 1;
            return Ok(index);
        }
        let attachment = Attachment::open(lock, options)?;
        let free = self.attachments.iter().position(Option::is_none);
        let index = free.unwrap_or(self.attachments.len());
        let number = u32::try_from(index).expect("fewer attachments than memory");
        self.by_identity.insert(attachment.identity(), number);
        let signal = self.thread.as_ref().map(|thread| thread.signal.clone());
        let watch = watcher().watch(&attachment, move || {
            if let Some(signal) = &signal {
                signal.ring(number);
            }
        });
        let open = Open { attachment, watch, handles: 1, waiting: false, answers: false, failure: None };
        if free.is_none() {
            self.attachments.push(None);
        }
        self.attachments[index] = Some(open);
        Ok(number)
    }

    pub fn close(&mut self, index: u32) {
        let Some(place) = self.attachments.get_mut(index as usize) else { return };
        let Some(open) = place else { return };
        open.handles -= 1;
        if open.handles == 0 {
            let was_waiting = open.waiting;
            self.by_identity.remove(&open.attachment.identity());
            *place = None;
            if was_waiting {
                self.count_waiting(false);
            }
        }
    }

    /// After a step that may have let a request of this thread go on: sees to it at once. Returns whether there are events.
    pub fn has_events_after(&mut self, index: u32) -> bool {
        if self.get(index).is_some_and(|open| open.waiting || open.attachment.pending() != 0) {
            self.see_to(index);
        }
        !self.events.is_empty()
    }

    pub fn poll_rung(&mut self) -> bool {
        let rung = self.thread.as_ref().map(|thread| thread.signal.take()).unwrap_or_default();
        for index in rung {
            // It may have been closed, and even opened anew, since: then this finds nothing to do.
            self.see_to(index);
        }
        !self.events.is_empty()
    }

    /// Somebody rang at the door, or pretends that there are news of this attachment. Returns whether there are events.
    pub fn answer(&mut self, index: u32) -> bool {
        if self.get(index).is_some_and(|open| open.waiting) {
            self.see_to(index);
        }
        !self.events.is_empty()
    }

    pub fn forget_door(&mut self) {
        if let Some(thread) = &mut self.thread {
            thread.door = OnceCell::from(None);
        }
    }

    fn see_to(&mut self, index: u32) {
        let Some(Some(open)) = self.attachments.get_mut(index as usize) else { return };
        if !open.answers
            && open.attachment.pending() != 0
            && let Some(thread) = &self.thread
        {
            open.answers = true;
            if let Some(door) = thread.door.get_or_init(|| Door::open(thread.env, thread.callback)) {
                open.attachment.answer(door.doorbell(), index);
            }
        }
        let time = now();
        let attachment = &open.attachment;
        let mut result = attachment.poll(time).map_err(|error| crate::failure_of(&error));
        let pending = attachment.pending() != 0;
        if result.is_ok() && pending {
            let due = attachment.next_poll(time);
            result = open.watch.begin(time, due).map_err(no_thread);
        } else {
            open.watch.end();
        }
        for (request, outcome) in attachment.take_settled() {
            let hold = if outcome == Outcome::Granted { crate::hold(attachment) } else { 0.0 };
            self.events.push(Event { attachment: index, request, hold });
        }
        if let Err(failure) = result {
            open.watch.end();
            for request in attachment.withdraw_all() {
                self.events.push(Event { attachment: index, request, hold: f64::NAN });
            }
            open.failure = Some(failure);
        }
        let waiting = attachment.pending() != 0;
        if open.waiting != waiting {
            open.waiting = waiting;
            self.count_waiting(waiting);
        }
    }

    fn count_waiting(&mut self, more: bool) {
        let before = self.waiting;
        self.waiting = if more { before + 1 } else { before - 1 };
        if (before == 0) != (self.waiting == 0)
            && let Some(thread) = &self.thread
        {
            thread.signal.keep_alive(thread.env, self.waiting != 0);
        }
    }
}

fn no_thread(error: std::io::Error) -> Failure {
    crate::failure_of(&Error::without_thread(error))
}
