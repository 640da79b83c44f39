//! The Node-API binding. It knows no protocol: it keeps the attachments of each JavaScript thread, translates, and wakes
//! the event loop. Private to the npm package, which builds its API on it.
//!
//! - An attachment is a small integer, its place in the thread's [`realm::Realm`]. The functions of the [`hot`] path find
//!   theirs in memory and leave a number there: neither argument, object nor BigInt crosses.
//! - A hold is told as one number: 0 not granted; otherwise 1 + the lock's fencing token less its `tokenBase`, negative if
//!   an earlier writer died inside.
//! - Nothing here waits, but for `wait`, which blocks on purpose.

#![allow(missing_docs)] // the API's own types say what each field is

use std::path::Path;

use napi::Env;
use napi::bindgen_prelude::{BigInt, Function, Object};
use napi_derive::napi;
use process_rwlock::{Attachment, Error, ErrorKind, HoldEnd, LockRef, Mode, Options, Terms, now};

mod door;
mod hot;
mod realm;
mod seen;
mod signal;

use realm::{Event, with_attachment, with_realm};
use seen::{OwnerDied, Seen};

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

fn failure_of(error: &Error) -> realm::Failure {
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

fn terms(timeout: f64, fairness: f64) -> Terms {
    Terms { deadline: now().saturating_add(nanos(timeout)), fairness: nanos(fairness) }
}

/// The present hold as one number.
fn hold(attachment: &Attachment) -> f64 {
    let number = 1.0 + attachment.token().wrapping_sub(attachment.token_base()) as f64;
    if attachment.is_poisoned() { -number } else { number }
}

fn end_of_hold(code: u32) -> HoldEnd {
    match code {
        0 => HoldEnd::Whole,
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
  /** Ends one read hold. True if `takeEvents` has something now: requests of this thread may have been granted. */
  releaseRead(): true | undefined
  /** Ends the exclusive hold. `end`: 0 whole, 1 the holder failed, 2 it went away. Returns as `releaseRead`. */
  releaseExclusive(): true | undefined
}"
)]
pub fn hot(env: Env) -> napi::Result<Object<'static>> {
    hot::functions(env)
}

/// Prepares this thread: `ring` is called on it when `poll` has something to do.
#[napi(catch_unwind)]
pub fn start(env: Env, ring: Function<'_, (), ()>) -> napi::Result<()> {
    realm::start(env, ring)
}

/// An opened lock.
#[napi(object)]
pub struct Opened {
    pub attachment: u32,
    pub token_base: BigInt,
}

/// Opens the lock called `name`, or the one at `path`. A lock that this thread has open already is opened once more.
#[napi(catch_unwind)]
pub fn open(
    name: Option<String>,
    path: Option<String>,
    capacity: Option<u32>,
    label: String,
    thread: u32,
) -> Result<Opened> {
    let lock = lock_ref(name.as_deref(), path.as_deref());
    with_realm(|realm| {
        let index = realm.open(lock, &Options { capacity, label, thread }).map_err(|error| failed(&error))?;
        let base = realm.get(index).ok_or_else(closed)?.attachment.token_base();
        Ok(Opened { attachment: index, token_base: base.into() })
    })
}

/// Closes one opening of the attachment; the last one gives it up.
#[napi(catch_unwind)]
pub fn close(attachment: u32) {
    with_realm(|realm| realm.close(attachment));
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

/// From write or upgradable to read, or from write to upgradable. Returns as `releaseRead`.
#[napi(catch_unwind)]
pub fn downgrade(attachment: u32, to: u32) -> Result<bool> {
    with_realm(|realm| {
        let Some(open) = realm.get(attachment) else { return Err(closed()) };
        let result = match mode(to) {
            Mode::Read => open.attachment.downgrade_to_read(),
            _ => open.attachment.downgrade_to_upgradable(),
        };
        let events = realm.has_events_after(attachment);
        result.map(|()| events).map_err(|error| failed(&error))
    })
}

/// Asks for the lock; `takeEvents` tells the outcome under the number returned, which is negative if it has something now.
/// Times in ms, `Infinity` for none.
#[napi(catch_unwind)]
pub fn request(attachment: u32, mode_code: u32, timeout: f64, fairness: f64) -> Result<f64> {
    with_realm(|realm| {
        let open = realm.get(attachment).ok_or_else(closed)?;
        let id = open.attachment.request(mode(mode_code), terms(timeout, fairness));
        Ok(if realm.has_events_after(attachment) { -f64::from(id) } else { f64::from(id) })
    })
}

/// Asks for the upgradable hold to become the write hold. As `request`; 0 if there is no such hold.
#[napi(catch_unwind)]
pub fn request_upgrade(attachment: u32, timeout: f64) -> Result<f64> {
    with_realm(|realm| {
        let open = realm.get(attachment).ok_or_else(closed)?;
        let Some(id) = open.attachment.request_upgrade(terms(timeout, 0.0)) else { return Ok(0.0) };
        Ok(if realm.has_events_after(attachment) { -f64::from(id) } else { f64::from(id) })
    })
}

/// Withdraws a request. Follow it with `advance`. Returns whether it was still waiting.
#[napi(catch_unwind)]
pub fn cancel(attachment: u32, request: u32) -> bool {
    with_attachment(attachment, false, |attachment| attachment.cancel(request))
}

/// Sees to the attachment's requests now. Returns as `releaseRead`.
#[napi(catch_unwind)]
pub fn advance(attachment: u32) -> bool {
    with_realm(|realm| realm.has_events_after(attachment))
}

/// Sees to every attachment that rang. Returns as `releaseRead`.
#[napi(catch_unwind)]
pub fn poll() -> bool {
    with_realm(realm::Realm::poll_rung)
}

/// What was settled since the last call, in threes: attachment, request, hold (0: timed out; NaN: see `failure`).
#[napi(catch_unwind)]
pub fn take_events() -> Vec<f64> {
    with_realm(|realm| {
        let tell = |event: Event| [f64::from(event.attachment), f64::from(event.request), event.hold];
        std::mem::take(&mut realm.events).into_iter().flat_map(tell).collect()
    })
}

/// Takes the lock, blocking this thread.
#[napi(catch_unwind)]
pub fn wait(env: Env, attachment: u32, mode_code: u32, timeout: f64, fairness: f64) -> Result<f64> {
    with_realm(|realm| {
        let open = realm.get(attachment).ok_or_else(closed)?;
        let result = open.attachment.wait(mode(mode_code), terms(timeout, fairness), || signal::must_stop(env));
        let told = hold(&open.attachment);
        if result.is_ok() && mode(mode_code) == Mode::Read {
            open.attachment.stamp_read();
        }
        realm.has_events_after(attachment);
        match result {
            Ok(()) => Ok(told),
            // The thread is being terminated: nobody sees the number, and no JavaScript runs after it.
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(0.0),
            Err(error) => Err(failed(&error)),
        }
    })
}

/// Whether `takeEvents` has something.
#[napi(catch_unwind)]
pub fn has_events() -> bool {
    with_realm(|realm| !realm.events.is_empty())
}

/// Names the attachment (`of` 0), its present read hold (1) or exclusive hold (2), for whoever inspects the lock.
#[napi(catch_unwind)]
pub fn set_label(attachment: u32, label: String, of: u32) {
    with_attachment(attachment, (), |attachment| match of {
        0 => attachment.set_label(&label),
        of => attachment.set_hold_label(of == 1, &label),
    });
}

/// The writer that died inside, if none has ended whole since.
#[napi(catch_unwind)]
pub fn owner_died(attachment: u32) -> Option<OwnerDied> {
    with_attachment(attachment, None, |attachment| attachment.owner_died().map(Into::into))
}

/// The lock at this moment.
#[napi(catch_unwind)]
pub fn inspect(attachment: u32) -> Result<Seen> {
    with_realm(|realm| Ok(realm.get(attachment).ok_or_else(closed)?.attachment.inspect().into()))
}

/// What to say to a request that was not granted in time (ms).
#[napi(catch_unwind)]
pub fn timeout_message(attachment: u32, mode_code: u32, timeout: f64) -> String {
    with_attachment(attachment, String::new(), |attachment| attachment.timeout_message(mode(mode_code), nanos(timeout)))
}

/// An error of the API.
#[napi(object)]
pub struct Failure {
    pub code: String,
    pub message: String,
    pub cause: Option<String>,
}

/// Why every request of the attachment failed (NaN in `takeEvents`).
#[napi(catch_unwind)]
pub fn failure(attachment: u32) -> Failure {
    with_realm(|realm| {
        let failure = realm.get(attachment).and_then(|open| open.failure.clone());
        let (code, message, cause) = failure.unwrap_or_else(|| ("ERR_LOCK_CLOSED", "the lock is closed".into(), None));
        Failure { code: code.into(), message, cause }
    })
}

/// Every named lock of this user.
#[napi(catch_unwind)]
pub fn list() -> Vec<Seen> {
    process_rwlock::list().into_iter().map(Into::into).collect()
}

/// Removes the lock called `name`, or the one at `path`; false if there is none.
#[napi(catch_unwind)]
pub fn remove(name: Option<String>, path: Option<String>) -> Result<bool> {
    process_rwlock::remove(lock_ref(name.as_deref(), path.as_deref())).map_err(|error| failed(&error))
}

/// Threads that sleep on behalf of waiting requests, in this process.
#[napi(catch_unwind)]
pub fn watcher_threads() -> u32 {
    u32::try_from(realm::watcher().threads()).unwrap_or(u32::MAX)
}
