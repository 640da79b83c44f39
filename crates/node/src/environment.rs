//! The state of one JavaScript thread: its attachments, the library copies that use them, and the
//! outcomes to deliver.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, OnceLock};

use napi::bindgen_prelude::{Function, Object};
use napi::{Env, sys};
use process_rwlock::{
    Attachment, Error, ErrorKind, HoldEnd, Identity, LockRef, Options, RequestId, Watch, Watcher, is_process_ending,
    now,
};

use crate::delivery::{DeliveredFrom, Outcome, RequestOrigin, Requests};
use crate::labels::HoldLabels;
use crate::library_copy::{CopyId, HandleId, LibraryCopy, OutcomeCallback};
use crate::loop_doorbell::LoopDoorbell;
use crate::notices::Notice;
use crate::notifier::{Notifier, RingQueue};

/// The state of one JavaScript thread.
pub(crate) struct Environment {
    attachments: Vec<Option<Open>>,
    by_identity: BTreeMap<Identity, u32>,
    copies: BTreeMap<CopyId, LibraryCopy>,
    last_copy: CopyId,
    last_handle: HandleId,
    pub outcomes: VecDeque<Outcome>,
    pub is_delivering: bool,
    /// Attachments with pending requests, plus outcomes not delivered. While it is not 0, the event
    /// loop stays alive.
    busy: usize,
    /// Node creates one for each file from which the addon is loaded. They end together, with the
    /// thread.
    instances: Vec<AddonInstance>,
    event_loop: Option<EventLoop>,
    /// Stays when `event_loop` is replaced: the watcher refers to it.
    rings: Option<Arc<RingQueue>>,
}

/// A `napi_env`.
struct AddonInstance {
    env: sys::napi_env,
    /// The functions of the fast path, for all copies.
    fast_path: Option<sys::napi_ref>,
}

/// What wakes the event loop.
struct EventLoop {
    env: Env,
    notifier: Notifier,
    /// Opened at the first wait. It has `None` if this loop cannot have a doorbell.
    doorbell: OnceCell<Option<LoopDoorbell>>,
}

/// An open attachment.
pub(crate) struct Open {
    pub attachment: Attachment,
    pub requests: Requests,
    pub labels: HoldLabels,
    /// Wishes of holders to know that somebody waits.
    pub notices: Vec<Notice>,
    pub watch: Watch,
    /// Those of all copies.
    handles: u32,
    /// It has pending requests.
    pub waiting: bool,
    /// It has pending requests, or holders that want notices: news is of interest.
    attentive: bool,
    /// Its doorbell is published: other processes can ring.
    has_doorbell: bool,
    /// Why its requests failed.
    pub failure: Option<Failure>,
}

/// A code, a message, and the operating system's error.
pub(crate) type Failure = (&'static str, String, Option<String>);

thread_local! {
    static ENVIRONMENT: RefCell<Environment> = const { RefCell::new(Environment::new()) };
}

pub(crate) fn with_environment<T>(act: impl FnOnce(&mut Environment) -> T) -> T {
    ENVIRONMENT.with_borrow_mut(act)
}

/// For calls that settle no request.
pub(crate) fn with_attachment<T>(index: u32, missing: T, act: impl FnOnce(&Attachment) -> T) -> T {
    ENVIRONMENT.with_borrow(|environment| match environment.attachments.get(index as usize) {
        Some(Some(open)) => act(&open.attachment),
        _ => missing,
    })
}

/// The watcher that all threads of the process share.
pub(crate) fn watcher() -> &'static Arc<Watcher> {
    static WATCHER: OnceLock<Arc<Watcher>> = OnceLock::new();
    WATCHER.get_or_init(Watcher::new)
}

/// Runs when the thread ends or the process exits, but not when it is killed: the other processes
/// detect that. A remaining hold was not released.
impl Drop for Environment {
    fn drop(&mut self) {
        if is_process_ending() {
            std::mem::forget(std::mem::take(&mut self.attachments));
        }
        for open in self.attachments.drain(..).flatten() {
            open.abandon();
        }
        // If the cleanup hook did not run (`process.exit()`), Node can no longer be called.
        std::mem::forget((self.event_loop.take(), self.rings.take()));
    }
}

impl Open {
    /// Called after a change of its requests or notices: nothing more is listened for than needed.
    pub fn rest(&mut self) {
        self.attentive = self.waiting || !self.notices.is_empty();
        if !self.attentive {
            self.watch.end();
        }
    }

    pub fn holds_something(&self) -> bool {
        self.attachment.reads() != 0 || self.attachment.exclusive().is_some()
    }

    /// Closes the attachment as if its process had been killed.
    fn abandon(self) {
        let Self { attachment, watch, .. } = self;
        drop(watch);
        attachment.close(HoldEnd::Abandoned);
    }
}

impl Environment {
    const fn new() -> Self {
        Self {
            attachments: Vec::new(),
            by_identity: BTreeMap::new(),
            copies: BTreeMap::new(),
            last_copy: 0,
            last_handle: 0,
            outcomes: VecDeque::new(),
            is_delivering: false,
            busy: 0,
            instances: Vec::new(),
            event_loop: None,
            rings: None,
        }
    }

    /// For callbacks that may come after the end of the thread, or during another call.
    pub fn try_with(act: impl FnOnce(&mut Self)) {
        let _ = ENVIRONMENT
            .try_with(|environment| environment.try_borrow_mut().map(|mut environment| act(&mut environment)));
    }

    pub fn get(&self, index: u32) -> Option<&Open> {
        self.attachments.get(index as usize)?.as_ref()
    }

    pub fn get_mut(&mut self, index: u32) -> Option<&mut Open> {
        self.attachments.get_mut(index as usize)?.as_mut()
    }

    pub fn open_attachments(&self) -> impl Iterator<Item = &Open> {
        self.attachments.iter().flatten()
    }

    // ---- environments

    fn instance(&mut self, env: Env) -> napi::Result<&mut AddonInstance> {
        let index = match self.instances.iter().position(|instance| instance.env == env.raw()) {
            Some(index) => index,
            None => {
                // Runs when the thread ends or is terminated.
                env.add_env_cleanup_hook(env, |env| Self::try_with(|environment| environment.end_instance(env)))?;
                self.instances.push(AddonInstance { env: env.raw(), fast_path: None });
                self.instances.len() - 1
            }
        };
        Ok(&mut self.instances[index])
    }

    /// Where the functions of the fast path are kept for this instance. All copies use the same.
    pub fn fast_path(&mut self, env: Env) -> napi::Result<&mut Option<sys::napi_ref>> {
        Ok(&mut self.instance(env)?.fast_path)
    }

    /// Ends the copies of an instance, and closes what they have open. Other instances of this
    /// thread keep theirs.
    fn end_instance(&mut self, env: Env) {
        let ended = |copy: &LibraryCopy| copy.env().raw() == env.raw();
        for (id, copy) in self.copies.extract_if(.., |_, copy| ended(copy)).collect::<Vec<_>>() {
            self.end_requests(id);
            for handle in copy.handles.values() {
                self.drop_handle(handle.attachment);
            }
        }
        if let Some(event_loop) = self.event_loop.take_if(|event_loop| event_loop.env.raw() == env.raw()) {
            if let Some(rings) = &self.rings {
                rings.set_notifier(None);
            }
            drop(event_loop);
        }
        self.instances.retain(|instance| instance.env != env.raw());
        // Lost holds end here, too: no guard of them is left.
        for index in 0..self.attachments.len() {
            if let Some(open) = self.attachments[index].take_if(|open| open.handles == 0) {
                self.by_identity.remove(&open.attachment.identity());
                self.forget_waiting(&open);
                open.abandon();
            }
        }
    }

    /// What wakes the loop. Created by the first copy, and again if the instance of that copy has
    /// ended.
    fn event_loop(&mut self) -> Option<&EventLoop> {
        if self.event_loop.is_none() {
            let env = self.copies.values().next()?.env();
            let notifier = Notifier::new(env).ok()?;
            self.rings().set_notifier(Some(notifier.ring()));
            notifier.keep_alive(self.busy != 0);
            self.event_loop = Some(EventLoop { env, notifier, doorbell: OnceCell::new() });
        }
        self.event_loop.as_ref()
    }

    pub fn rings(&mut self) -> &Arc<RingQueue> {
        self.rings.get_or_insert_default()
    }

    pub fn forget_loop_doorbell(&mut self) {
        if let Some(event_loop) = &mut self.event_loop {
            event_loop.doorbell = OnceCell::from(None);
        }
    }

    // ---- copies and their handles

    pub fn register(&mut self, env: Env, on_outcome: Function<'_>) -> napi::Result<Object<'static>> {
        self.instance(env)?;
        self.last_copy += 1;
        let (copy, object) = LibraryCopy::new(env, self.last_copy, on_outcome)?;
        self.copies.insert(self.last_copy, copy);
        self.event_loop(); // early, while descriptors are available
        Ok(object)
    }

    pub fn copy(&self, id: CopyId) -> Option<&LibraryCopy> {
        self.copies.get(&id)
    }

    /// A copy was collected. What it holds stays held.
    pub fn forget_copy(&mut self, id: CopyId) {
        let Some(copy) = self.copies.remove(&id) else { return };
        self.end_requests(id);
        let attachments: Vec<_> = copy.handles.values().map(|handle| handle.attachment).collect();
        copy.delete();
        for attachment in attachments {
            self.drop_handle(attachment);
        }
    }

    /// Withdraws the requests of a copy, and returns their grants.
    fn end_requests(&mut self, id: CopyId) {
        let outcomes = std::mem::take(&mut self.outcomes).into_iter();
        let (unclaimed, others): (VecDeque<_>, _) = outcomes.partition(|outcome| outcome.origin.copy == id);
        self.outcomes = others;
        self.count_busy(-(unclaimed.len() as isize));
        for outcome in &unclaimed {
            self.return_grant(outcome);
        }
        for index in 0..self.attachments.len() as u32 {
            self.end_notices_of(index, id);
            let Some(open) = self.get_mut(index) else { continue };
            let ended: Vec<_> = open.requests.extract_if(.., |_, origin| origin.copy == id).collect();
            for (request, _) in &ended {
                open.attachment.cancel(*request);
            }
            if !ended.is_empty() {
                self.advance(index);
            }
        }
    }

    /// Opens `lock` for the object `object` of a copy. An attachment that this thread already has
    /// gets another handle.
    pub fn open(
        &mut self,
        copy: CopyId,
        object: &Object<'_>,
        lock: LockRef<'_>,
        options: &Options,
    ) -> Result<(HandleId, u32), Error> {
        let known = lock.identity().and_then(|identity| self.by_identity.get(&identity).copied());
        let index = match known.filter(|&index| self.get(index).is_some_and(|open| !open.attachment.is_forked())) {
            Some(index) => index,
            None => self.attach(lock, options)?,
        };
        if let Some(open) = self.get_mut(index) {
            open.attachment.check_capacity(options.capacity)?;
            open.handles += 1;
        }
        self.last_handle += 1;
        let id = self.last_handle;
        if let Some(copy) = self.copies.get_mut(&copy) {
            // This fails only without memory, and then Node ends.
            let _ = copy.add_handle(id, index, object);
        }
        Ok((id, index))
    }

    fn attach(&mut self, lock: LockRef<'_>, options: &Options) -> Result<u32, Error> {
        let attachment = Attachment::open(lock, options)?;
        let free = self.attachments.iter().position(Option::is_none);
        let index = free.unwrap_or(self.attachments.len());
        let number = u32::try_from(index).expect("fewer attachments than memory");
        self.by_identity.insert(attachment.identity(), number);
        let rings = self.rings().clone();
        let watch = watcher().watch(&attachment, move || rings.ring(number));
        self.report_memory(attachment.mapped_bytes() as i64);
        let open = Open {
            attachment,
            requests: Requests::new(),
            labels: HoldLabels::default(),
            watch,
            notices: Vec::new(),
            handles: 0,
            waiting: false,
            attentive: false,
            has_doorbell: false,
            failure: None,
        };
        if free.is_none() {
            self.attachments.push(None);
        }
        self.attachments[index] = Some(open);
        Ok(number)
    }

    /// Closes one handle.
    pub fn close(&mut self, copy: CopyId, handle: HandleId) {
        if let Some(index) = self.copies.get_mut(&copy).and_then(|copy| copy.remove_handle(handle)) {
            self.drop_handle(index);
        }
    }

    /// Drops a handle of an attachment. Without handles, an attachment that still has holds has
    /// lost their guards: it stays until its thread ends.
    fn drop_handle(&mut self, index: u32) {
        let Some(place) = self.attachments.get_mut(index as usize) else { return };
        let Some(open) = place else { return };
        open.handles -= 1;
        if open.handles == 0
            && !open.holds_something()
            && let Some(open) = place.take()
        {
            let identity = open.attachment.identity();
            // After a fork, another attachment of that lock may have this identity.
            if self.by_identity.get(&identity) == Some(&index) {
                self.by_identity.remove(&identity);
            }
            self.forget_waiting(&open);
            self.report_memory(-(open.attachment.mapped_bytes() as i64));
        }
    }

    fn forget_waiting(&mut self, open: &Open) {
        for origin in open.requests.values() {
            self.end_request(origin.copy);
        }
        if open.waiting {
            self.count_busy(-1);
        }
    }

    /// Tells the garbage collector how much memory a dropped lock would free.
    fn report_memory(&self, bytes: i64) {
        if let Some(copy) = self.copies.values().next() {
            let _ = copy.env().adjust_external_memory(bytes);
        }
    }

    // ---- requests

    /// Records which copy made a request.
    pub fn begin_request(&mut self, index: u32, request: RequestId, origin: RequestOrigin) {
        if let Some(open) = self.get_mut(index) {
            open.requests.insert(request, origin);
        }
        if let Some(copy) = self.copies.get_mut(&origin.copy) {
            copy.begin_request();
        }
    }

    pub fn end_request(&mut self, copy: CopyId) {
        if let Some(copy) = self.copies.get_mut(&copy) {
            copy.end_request();
        }
    }

    /// Withdraws a request. If it has an outcome that was not delivered, the grant is returned.
    pub fn cancel(&mut self, index: u32, request: RequestId) {
        let Some(open) = self.get_mut(index) else { return };
        if let Some(origin) = open.requests.remove(&request) {
            open.attachment.cancel(request);
            self.end_request(origin.copy);
            return;
        }
        let of_it = |outcome: &Outcome| (outcome.attachment, outcome.request) == (index, request);
        if let Some(outcome) = self.outcomes.iter().position(of_it).and_then(|position| self.outcomes.remove(position))
        {
            self.count_busy(-1);
            self.end_request(outcome.origin.copy);
            self.return_grant(&outcome);
        }
    }

    /// The next outcome, and the function that takes it unless the copy is gone.
    pub fn next_outcome(&mut self) -> Option<(Outcome, Option<OutcomeCallback>)> {
        let outcome = self.outcomes.pop_front()?;
        self.count_busy(-1);
        let callback = self.copies.get(&outcome.origin.copy).map(LibraryCopy::outcome_callback);
        Some((outcome, callback))
    }

    /// Lets the event loop deliver an outcome.
    pub fn offer_later(&mut self, outcome: Outcome) {
        self.outcomes.push_front(outcome);
        self.count_busy(1);
        self.rings().ring_loop();
    }

    /// Called after a step that may have unblocked a request of this thread. Returns whether there
    /// are outcomes to deliver.
    pub fn advance(&mut self, index: u32) -> bool {
        if self.get(index).is_some_and(|open| open.attentive || open.attachment.pending() != 0) {
            self.on_news(index, DeliveredFrom::Call);
        }
        !self.outcomes.is_empty()
    }

    fn on_news(&mut self, index: u32, from: DeliveredFrom) {
        if self.get(index).is_some_and(|open| open.waiting || open.attachment.pending() != 0) {
            self.poll_requests(index);
        }
        self.deliver_notices(index, from);
    }

    /// Polls the requests of every attachment that rang.
    pub fn poll_rung(&mut self) {
        let rung = self.rings.as_ref().map(|rings| rings.take()).unwrap_or_default();
        for index in rung {
            // The attachment may have been closed and opened again: then there is nothing to do.
            self.on_news(index, DeliveredFrom::Loop);
        }
    }

    /// Called for each ring, which may be spurious. Returns whether there are outcomes to deliver.
    pub fn on_ring(&mut self, index: u32) -> bool {
        if self.get(index).is_some_and(|open| open.attentive) {
            self.on_news(index, DeliveredFrom::Loop);
        }
        !self.outcomes.is_empty()
    }

    fn poll_requests(&mut self, index: u32) {
        let notified = self.prepare_wakeup(index);
        let Some(Some(open)) = self.attachments.get_mut(index as usize) else { return };
        let time = now();
        let attachment = &open.attachment;
        let mut result = attachment.poll(time).map_err(|error| crate::failure_of(&error));
        let pending = attachment.pending() != 0;
        if result.is_ok() && pending {
            let due = attachment.next_poll(time);
            result = if notified { open.watch.begin(time, due).map_err(no_thread) } else { Err(no_notifier()) };
        } else {
            open.watch.end();
        }
        let settled = attachment.take_settled();
        let mut settled: Vec<_> = settled
            .into_iter()
            .map(|(request, outcome)| {
                let granted = outcome == process_rwlock::Outcome::Granted;
                (request, if granted { crate::grant_of(attachment) } else { 0.0 })
            })
            .collect();
        if let Err(failure) = result {
            open.watch.end();
            settled.extend(attachment.withdraw_all().into_iter().map(|request| (request, f64::NAN)));
            open.failure = Some(failure);
        }
        let waiting = attachment.pending() != 0;
        let change = isize::from(waiting) - isize::from(std::mem::replace(&mut open.waiting, waiting));
        let before = self.outcomes.len();
        for (request, grant) in settled {
            // A request without an origin is that of a synchronous call, and was not granted.
            if let Some(origin) = open.requests.remove(&request) {
                self.outcomes.push_back(Outcome { attachment: index, request, origin, grant });
            }
        }
        self.count_busy(change + (self.outcomes.len() - before) as isize);
        if let Some(open) = self.get_mut(index) {
            open.rest();
        }
    }

    /// Makes the loop of an attachment that waits, or wants notices, wakeable, by this process and by others. Returns
    /// whether it is.
    pub fn prepare_wakeup(&mut self, index: u32) -> bool {
        let is_idle = |open: &Open| open.attachment.pending() == 0 && open.notices.is_empty();
        if self.get(index).is_none_or(is_idle) || self.event_loop().is_none() {
            return false;
        }
        let (Some(event_loop), Some(Some(open))) = (&self.event_loop, self.attachments.get_mut(index as usize)) else {
            return false;
        };
        if !std::mem::replace(&mut open.has_doorbell, true)
            && let Some(doorbell) =
                event_loop.doorbell.get_or_init(|| LoopDoorbell::open(event_loop.env, event_loop.notifier.on_ring()))
        {
            open.attachment.set_doorbell(doorbell.core(), index);
        }
        true
    }

    /// Whether other processes can ring for this loop.
    pub fn has_loop_doorbell(&self) -> bool {
        self.event_loop.as_ref().is_some_and(|event_loop| matches!(event_loop.doorbell.get(), Some(Some(_))))
    }

    pub fn count_busy(&mut self, change: isize) {
        let before = self.busy;
        self.busy = before.saturating_add_signed(change);
        if (before == 0) != (self.busy == 0)
            && let Some(event_loop) = &self.event_loop
        {
            event_loop.notifier.keep_alive(self.busy != 0);
        }
    }
}

fn no_notifier() -> Failure {
    (ErrorKind::Access.code(), "cannot wait for the lock: this event loop cannot be woken".into(), None)
}

fn no_thread(error: std::io::Error) -> Failure {
    crate::failure_of(&Error::without_thread(error))
}
