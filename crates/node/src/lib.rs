//! The Node-API binding. It knows no protocol: it keeps the attachments of each JavaScript thread, translates, and wakes
//! the event loop. Private to the npm package, which builds its API on it.
//!
//! - The JavaScript that uses it may be there several times in one thread: each such copy of the library ([`library_copy`]) registers, and is offered the
//!   outcomes of its own requests. [`delivery`] has the rule for what nobody claims.
//! - An attachment is a small integer, its place in the thread's [`environment::Environment`]. The functions of the [`fast_path`] path find
//!   theirs in memory and leave a number there: neither argument, object nor BigInt crosses.
//! - A hold is told as one number: 0 not granted; otherwise 1 + the lock's fencing token less its `tokenBase`, negative if
//!   an earlier writer died inside.
//! - Nothing here waits, but for `wait`, which blocks on purpose.

#![allow(missing_docs)] // the API's own types say what each field is

use std::path::Path;
use std::time::Duration;

use napi::Env;
use napi::bindgen_prelude::{BigInt, Function, Object};
use napi_derive::napi;
use process_rwlock::{Attachment, Error, ErrorKind, HoldEnd, Identity, LockRef, Mode, Options, WaitOptions, now};

mod delivery;
mod environment;
mod fast_path;
mod labels;
mod library_copy;
mod loop_doorbell;
mod notifier;
mod shutdown;
mod snapshot;

use delivery::{DeliveredFrom, Grant, RequestOrigin, deliver_outcomes};
use environment::{with_attachment, with_environment};
use library_copy::LibraryCopy;
use snapshot::{OwnerDied, Snapshot, TimedOut};

/// How long opening may block the event loop, for a process that is stopped while it lays out or removes the same file.
const SETUP_TIMEOUT: Duration = Duration::from_millis(50);

/// The capacity of a lock that is created without one.
#[napi]
pub const DEFAULT_CAPACITY: u32 = process_rwlock::DEFAULT_CAPACITY;
/// The greatest capacity of a lock.
#[napi]
pub const MAX_CAPACITY: u32 = process_rwlock::MAX_CAPACITY;
/// How long a waiter may be overtaken by default, in ms.
#[napi]
pub const DEFAULT_FAIRNESS: f64 = process_rwlock::DEFAULT_FAIRNESS.as_nanos() as f64 / 1e6;
/// The longest name, in bytes of UTF-8.
#[napi]
pub const MAX_NAME_BYTES: u32 = process_rwlock::MAX_NAME as u32;
/// The bytes of UTF-8 that are kept of a label.
#[napi]
pub const MAX_LABEL_BYTES: u32 = process_rwlock::MAX_LABEL as u32;

/// An error whose `code` is the lock's own.
type Result<T> = napi::Result<T, &'static str>;

/// What the system said comes as the cause: errno, its name, the system call, and the text.
fn failed(error: &Error) -> napi::Error<&'static str> {
    let mut failed = napi::Error::new(error.kind().code(), error.to_string());
    if let Some(system) = system_error(error) {
        failed.set_cause(napi::Error::from_reason(system));
    }
    failed
}

fn failure_of(error: &Error) -> environment::Failure {
    (error.kind().code(), error.to_string(), system_error(error))
}

fn system_error(error: &Error) -> Option<String> {
    let (errno, text) = (error.raw_os_error()?, error.os_text()?);
    Some(format!("{errno} {} {} {text}", error.os_code().unwrap_or("UNKNOWN"), error.syscall().unwrap_or("unknown")))
}

fn closed() -> napi::Error<&'static str> {
    napi::Error::new("ERR_LOCK_CLOSED", "the lock is closed")
}

fn mode(code: u32) -> Mode {
    match code {
        1 => Mode::Read,
        2 => Mode::Upgradable,
        _ => Mode::Write,
    }
}

fn lock_ref<'a>(name: Option<&'a str>, path: Option<&'a str>) -> LockRef<'a> {
    match name {
        Some(name) => LockRef::Name(name),
        None => LockRef::Path(Path::new(path.unwrap_or_default())),
    }
}

/// Milliseconds from JavaScript as nanoseconds; `Infinity` and what does not fit: never.
fn nanos(ms: f64) -> u64 {
    (ms * 1e6) as u64
}

fn terms(timeout: f64, fairness: f64) -> WaitOptions {
    WaitOptions { deadline: now().saturating_add(nanos(timeout)), fairness: nanos(fairness) }
}

/// The present hold as one number.
fn hold(attachment: &Attachment) -> f64 {
    let number = 1.0 + attachment.token().wrapping_sub(attachment.token_base()) as f64;
    if attachment.is_poisoned() { -number } else { number }
}

fn end_of_hold(code: u32) -> HoldEnd {
    match code {
        0 => HoldEnd::Consistent,
        1 => HoldEnd::Failed,
        _ => HoldEnd::Abandoned,
    }
}

/// The functions of the hot path.
#[napi(
    catch_unwind,
    ts_return_type = "{
  /** What a call is given, as u32: attachment, end. What it tells, as f64 at 8: the hold. */
  words: ArrayBuffer
  /** A read hold if that needs no waiting, else 0. */
  tryRead(): void
  /** The write hold if that needs no waiting, else 0. */
  tryWrite(): void
  /** Ends one read hold. */
  releaseRead(): void
  /** Ends the exclusive hold. `end`: 0 whole, 1 the holder failed, 2 it went away. */
  releaseExclusive(): void
}"
)]
pub fn fast_path(env: Env) -> napi::Result<Object<'static>> {
    fast_path::functions(env)
}

/// Registers a copy of the package. Keep what it returns as long as the copy can be used: when that is collected, the copy's
/// handles close, and what it holds stays held.
///
/// `onOutcome` is called with the outcome of each request under the key it was made with: `hold` as `tryRead` tells it; 0: timed
/// out; NaN: see `failure`. It returns whether it knows the request: if not, what was granted is given back. It may be called
/// within any other call.
#[napi(catch_unwind, ts_return_type = "{ readonly number: number }")]
pub fn register(
    env: Env,
    #[napi(ts_arg_type = "(key: number, hold: number) => boolean")] on_outcome: Function<'_>,
) -> napi::Result<Object<'static>> {
    with_environment(|environment| environment.register(env, on_outcome))
}

/// An opened lock.
#[napi(object)]
pub struct Opened {
    pub handle: u32,
    pub attachment: u32,
    pub token_base: BigInt,
}

/// How to open a lock.
#[napi(object)]
pub struct Opening {
    pub name: Option<String>,
    pub path: Option<String>,
    pub capacity: Option<u32>,
    pub label: String,
    pub thread: u32,
    /// If the lock is made: false, its last close removes it even if a writer died.
    pub durable: bool,
    /// If the lock is made: its name is random.
    pub anonymous: bool,
    /// Descriptors or memory that run short are an error.
    pub last: bool,
}

/// Opens the lock called `name`, or the one at `path`, for the object `lock`, which is not kept alive. A lock that this thread has
/// open already is opened once more. `null`, and with `last` an error: descriptors or memory ran short, which locks may have that
/// the program has dropped.
#[napi(catch_unwind)]
pub fn open(copy: u32, lock: Object<'_>, opening: Opening) -> Result<Option<Opened>> {
    let reference = lock_ref(opening.name.as_deref(), opening.path.as_deref());
    let options = Options {
        capacity: opening.capacity,
        label: opening.label,
        thread: opening.thread,
        transient: !opening.durable,
        anonymous: opening.anonymous,
        setup_timeout: SETUP_TIMEOUT,
    };
    with_environment(|environment| {
        let (handle, attachment) = match environment.open(copy, &lock, reference, &options) {
            Ok(opened) => opened,
            Err(error) if !opening.last && ran_short(&error) => return Ok(None),
            Err(error) => return Err(failed(&error)),
        };
        let base = environment.get(attachment).ok_or_else(closed)?.attachment.token_base();
        Ok(Some(Opened { handle, attachment, token_base: base.into() }))
    })
}

/// Whether the system had no descriptor, address space or room in memory left.
fn ran_short(error: &Error) -> bool {
    matches!(error.os_code(), Some("ENFILE" | "EMFILE" | "ENOMEM" | "ENOSPC"))
}

/// Closes a handle. The last one of a lock gives the attachment up, unless something is still held: that was lost, and stays held
/// until the thread ends.
#[napi(catch_unwind)]
pub fn close(copy: u32, handle: u32) {
    with_environment(|environment| environment.close(copy, handle));
    deliver_outcomes(DeliveredFrom::Call);
}

/// Handles whose lock object was collected.
#[napi(catch_unwind)]
pub fn collected(copy: u32) -> Vec<u32> {
    with_environment(|environment| environment.copy(copy).map(LibraryCopy::collected_handles).unwrap_or_default())
}

/// Sees to the attachment's requests, and delivers what was settled.
fn settle(attachment: u32) {
    if with_environment(|environment| environment.advance(attachment)) {
        deliver_outcomes(DeliveredFrom::Call);
    }
}

/// The upgradable hold if that needs no waiting, else 0.
#[napi(catch_unwind)]
pub fn try_upgradable(attachment: u32) -> f64 {
    with_attachment(attachment, 0.0, |attachment| if attachment.try_upgradable() { hold(attachment) } else { 0.0 })
}

/// From upgradable, or from the attachment's only read hold, to write if that needs no waiting, else 0.
#[napi(catch_unwind)]
pub fn try_upgrade(attachment: u32) -> f64 {
    with_attachment(attachment, 0.0, |attachment| if attachment.try_upgrade() { hold(attachment) } else { 0.0 })
}

/// From write or upgradable to read, or from write to upgradable.
#[napi(catch_unwind)]
pub fn downgrade(attachment: u32, to: u32) -> Result<()> {
    let result = with_environment(|environment| {
        let attachment = &environment.get(attachment).ok_or_else(closed)?.attachment;
        let result = match mode(to) {
            Mode::Read => attachment.downgrade_to_read(),
            _ => attachment.downgrade_to_upgradable(),
        };
        result.map_err(|error| failed(&error))
    });
    settle(attachment);
    result
}

/// Ends a hold that was granted just now, and that nothing has used.
#[napi(catch_unwind)]
pub fn return_grant(attachment: u32, mode_code: u32) {
    with_environment(|environment| environment.end_unused(attachment, Grant::Hold(mode(mode_code))));
    deliver_outcomes(DeliveredFrom::Call);
}

/// The exclusive hold of the attachment as one number, if it has one.
#[napi(catch_unwind)]
pub fn present_hold(attachment: u32) -> f64 {
    with_attachment(attachment, 0.0, |attachment| attachment.exclusive().map_or(0.0, |_| hold(attachment)))
}

/// Asks for the lock; the outcome is offered to the copy's `onOutcome` under `key`, perhaps before this returns the request's
/// number. Times in ms, `Infinity` for none.
#[napi(catch_unwind)]
pub fn request(copy: u32, key: f64, attachment: u32, mode_code: u32, timeout: f64, fairness: f64) -> Result<u32> {
    let mode = mode(mode_code);
    let request = with_environment(|environment| -> Result<_> {
        let request =
            environment.get(attachment).ok_or_else(closed)?.attachment.request(mode, terms(timeout, fairness));
        environment.begin_request(attachment, request, RequestOrigin { copy, key, grant: Grant::Hold(mode) });
        Ok(request)
    })?;
    settle(attachment);
    Ok(request)
}

/// Asks for the upgradable hold to become the write hold. As `request`; 0 if there is no such hold.
#[napi(catch_unwind)]
pub fn request_upgrade(copy: u32, key: f64, attachment: u32, timeout: f64) -> Result<u32> {
    let request = with_environment(|environment| -> Result<_> {
        let open = &environment.get(attachment).ok_or_else(closed)?.attachment;
        let Some(request) = open.request_upgrade(terms(timeout, 0.0)) else { return Ok(0) };
        environment.begin_request(attachment, request, RequestOrigin { copy, key, grant: Grant::Upgrade });
        Ok(request)
    })?;
    settle(attachment);
    Ok(request)
}

/// Withdraws a request: its outcome is not offered any more, and what it was granted is given back. Follow it with `advance`.
#[napi(catch_unwind)]
pub fn cancel(attachment: u32, request: u32) {
    with_environment(|environment| environment.cancel(attachment, request));
}

/// Sees to the attachment's requests now.
#[napi(catch_unwind)]
pub fn advance(attachment: u32) {
    settle(attachment);
}

/// Takes the lock, blocking this thread. NaN: not in time.
#[napi(catch_unwind)]
pub fn wait(env: Env, attachment: u32, mode_code: u32, timeout: f64, fairness: f64) -> Result<f64> {
    let end = with_environment(|environment| {
        let open = environment.get(attachment).ok_or_else(closed)?;
        let result =
            open.attachment.wait(mode(mode_code), terms(timeout, fairness), || shutdown::is_shutting_down(env));
        let granted = hold(&open.attachment);
        if result.is_ok() && mode(mode_code) == Mode::Read {
            open.attachment.stamp_read();
        }
        match result {
            Ok(()) => Ok(granted),
            // The thread is being terminated: nobody sees the number, and no JavaScript runs after it.
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(0.0),
            Err(error) if error.kind() == ErrorKind::Timeout => Ok(f64::NAN),
            Err(error) => Err(failed(&error)),
        }
    });
    // What was settled on the way.
    settle(attachment);
    end
}

/// Names the attachment, for whoever inspects the lock.
#[napi(catch_unwind)]
pub fn set_label(attachment: u32, label: String) {
    with_attachment(attachment, (), |attachment| attachment.set_label(&label));
}

/// Names the latest read hold or the exclusive hold, for whoever inspects the lock. Returns what `dropLabel` takes.
#[napi(catch_unwind)]
pub fn label_hold(attachment: u32, label: String, of_read: bool) -> f64 {
    with_environment(|environment| {
        let add = |open: &mut environment::Open| open.labels.add(&open.attachment, of_read, label) as f64;
        environment.get_mut(attachment).map_or(0.0, add)
    })
}

/// The hold of that name has ended, or has changed its mode.
#[napi(catch_unwind)]
pub fn drop_label(attachment: u32, number: f64, of_read: bool) {
    with_environment(|environment| {
        if let Some(open) = environment.get_mut(attachment) {
            open.labels.drop(&open.attachment, of_read, number as u64);
        }
    });
}

/// The writer that died inside, if none has ended whole since.
#[napi(catch_unwind)]
pub fn owner_died(attachment: u32) -> Option<OwnerDied> {
    with_attachment(attachment, None, |attachment| attachment.owner_died().map(Into::into))
}

/// The lock at this moment.
#[napi(catch_unwind)]
pub fn inspect(attachment: u32) -> Result<Snapshot> {
    with_environment(|environment| Ok(environment.get(attachment).ok_or_else(closed)?.attachment.inspect().into()))
}

/// The identity of the lock: the same text in every process of this machine, and another one for any other lock.
#[napi(catch_unwind)]
pub fn identity(attachment: u32) -> Result<String> {
    with_environment(|environment| match environment.get(attachment).ok_or_else(closed)?.attachment.identity() {
        Identity::Name(name) => Ok(format!("name:{name}")),
        Identity::File(device, number) => Ok(format!("file:{device}:{number}")),
    })
}

/// What to say to a request, or the upgrade of a hold, that was not granted in time (ms). Of one look at the lock.
#[napi(catch_unwind)]
pub fn explain_timeout(attachment: u32, mode_code: u32, is_upgrade: bool, timeout: f64) -> Result<TimedOut> {
    with_environment(|environment| {
        let attachment = &environment.get(attachment).ok_or_else(closed)?.attachment;
        let (message, seen) = attachment.explain_timeout(mode(mode_code), is_upgrade, nanos(timeout));
        Ok(TimedOut { message, holders: seen.holders.into_iter().map(Into::into).collect() })
    })
}

/// An error of the API.
#[napi(object)]
pub struct Failure {
    pub code: String,
    pub message: String,
    pub cause: Option<String>,
}

/// Why every request of the attachment failed.
#[napi(catch_unwind)]
pub fn failure(attachment: u32) -> Failure {
    with_environment(|environment| {
        let failure = environment.get(attachment).and_then(|open| open.failure.clone());
        let (code, message, cause) = failure.unwrap_or_else(|| ("ERR_LOCK_CLOSED", "the lock is closed".into(), None));
        Failure { code: code.into(), message, cause }
    })
}

/// Every named lock of this user.
#[napi(catch_unwind)]
pub fn list() -> Result<Vec<Snapshot>> {
    let seen = process_rwlock::list().map_err(|error| failed(&error))?;
    Ok(seen.into_iter().map(Into::into).collect())
}

/// Removes the named locks that dead processes left and nobody has open; those whose writer died only if `owner_died`. Returns
/// how many there were.
#[napi(catch_unwind)]
pub fn prune(owner_died: bool) -> Result<u32> {
    let removed = process_rwlock::prune(owner_died).map_err(|error| failed(&error))?;
    Ok(u32::try_from(removed).unwrap_or(u32::MAX))
}

/// Removes the lock called `name`, or the one at `path`; false if there is none.
#[napi(catch_unwind)]
pub fn remove(name: Option<String>, path: Option<String>) -> Result<bool> {
    process_rwlock::remove(lock_ref(name.as_deref(), path.as_deref())).map_err(|error| failed(&error))
}

/// Threads that sleep on behalf of waiting requests, in this process.
#[napi(catch_unwind)]
pub fn watcher_threads() -> u32 {
    u32::try_from(environment::watcher().threads()).unwrap_or(u32::MAX)
}
