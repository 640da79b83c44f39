//! The Node-API binding. It contains no protocol: it keeps the attachments of each JavaScript
//! thread, converts arguments and results, and wakes the event loop. Private to the npm package,
//! which builds its API on it.
//!
//! - A thread may load the JavaScript of the package several times. Each such [`library_copy`]
//!   registers, and receives the outcomes of its own requests. [`delivery`] has the rule for
//!   outcomes that no copy takes.
//! - An attachment is a small integer, its index in the thread's [`environment::Environment`]. The
//!   functions of the [`fast_path`] read it from shared memory and write their result there: no
//!   argument, object or BigInt is passed.
//! - A grant is one number: 0 is no grant; otherwise it is 1 + the fencing token less the lock's
//!   `tokenBase`, negative if an earlier writer died during its hold.
//! - Nothing here waits, except `wait` and `wait_upgrade`, which block on purpose.

#![allow(missing_docs)] // the types of the API document each field

use std::path::Path;
use std::time::Duration;

use napi::Env;
use napi::bindgen_prelude::{BigInt, Function, Object, Uint8Array};
use napi_derive::napi;
use process_rwlock::{Attachment, Error, ErrorKind, HoldEnd, LockRef, Mode, Options, WaitOptions, now};

#[cfg(unix)]
pub mod command;
mod delivery;
mod environment;
mod fast_path;
mod labels;
mod library_copy;
mod loop_doorbell;
mod notices;
mod notifier;
mod shutdown;
mod snapshot;
pub mod survey;
pub mod wait_graph;

use delivery::{DeliveredFrom, RequestOrigin, Requested, deliver_outcomes};
use environment::{with_attachment, with_environment};
use library_copy::LibraryCopy;
use notices::Subject;
use snapshot::{OwnerDied, Snapshot, TimeoutDetails};

/// How long opening may block the event loop, if a stopped process is creating or removing the same
/// file.
const SETUP_TIMEOUT: Duration = Duration::from_millis(50);

/// The capacity of a lock that is created without one.
#[napi]
pub const DEFAULT_CAPACITY: u32 = process_rwlock::DEFAULT_CAPACITY;
/// The greatest capacity of a lock.
#[napi]
pub const MAX_CAPACITY: u32 = process_rwlock::MAX_CAPACITY;
/// The greatest limit on the read holds of a lock.
#[napi]
pub const MAX_READERS: u32 = process_rwlock::MAX_READERS;
/// How long newcomers may overtake a waiter by default, in ms.
#[napi]
pub const DEFAULT_FAIRNESS: f64 = process_rwlock::DEFAULT_FAIRNESS.as_nanos() as f64 / 1e6;
/// The longest name, in bytes of UTF-8.
#[napi]
pub const MAX_NAME_BYTES: u32 = process_rwlock::MAX_NAME as u32;
/// The length to which a label is cut, in bytes of UTF-8.
#[napi]
pub const MAX_LABEL_BYTES: u32 = process_rwlock::MAX_LABEL as u32;
/// The greatest length of a lock's value, in bytes.
#[napi]
pub const MAX_VALUE_BYTES: u32 = process_rwlock::MAX_VALUE as u32;

/// With an error whose `code` is one of the lock's.
type Result<T> = napi::Result<T, &'static str>;

/// The operating system's error becomes the cause, as text: errno, its name, the system call, the
/// message.
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

/// Milliseconds of JavaScript in nanoseconds. `Infinity`, and what does not fit, is the greatest
/// number: never.
fn nanos(ms: f64) -> u64 {
    (ms * 1e6) as u64
}

fn wait_options(timeout: f64, fairness: f64, in_turn: bool) -> WaitOptions {
    WaitOptions { deadline: now().saturating_add(nanos(timeout)), fairness: nanos(fairness), in_turn }
}

/// The present hold as a grant.
fn grant_of(attachment: &Attachment) -> f64 {
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

/// The functions of the fast path.
#[napi(
    catch_unwind,
    ts_return_type = "{
  /**
   * The arguments, as u32: the attachment at byte 0, the end or the mode at byte 4. The result, as
   * f64 at byte 8: the grant.
   */
  words: ArrayBuffer
  /** Acquires a read hold if no wait is needed. Writes its grant, or else 0. */
  tryRead(): void
  /** Acquires the write hold if no wait is needed. Writes its grant, or else 0. */
  tryWrite(): void
  /** Whether a request waits that a hold with the mode at byte 4 keeps out. Writes 1, or else 0. */
  isContended(): void
  /** Ends one read hold. */
  releaseRead(): void
  /** Ends the exclusive hold. `end`: 0 consistent, 1 the holder failed, 2 the holder is gone. */
  releaseExclusive(): void
}"
)]
pub fn fast_path(env: Env) -> napi::Result<Object<'static>> {
    fast_path::functions(env)
}

/// Registers a copy of the library. Keep the result as long as the copy can be used: when it is
/// collected, the copy's handles close, and what it holds stays held.
///
/// `onOutcome` is called with the outcome of each request, under the key that the request was made
/// with: a grant, 0 for a timeout, NaN for an error, which `failure` returns. It returns whether it
/// takes the grant; if not, the grant is returned. It may be called during any other call.
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
    /// For a lock that is created: the most read holds of all processes.
    pub max_readers: Option<u32>,
    pub label: String,
    pub thread: u32,
    /// For a lock that is created. `false`: its last close removes it even if a writer died.
    pub durable: bool,
    /// For a lock that is created: its name is random.
    pub anonymous: bool,
    /// For a lock that is created: a request keeps its turn as long as its process lives.
    pub keeps_turns: Option<bool>,
    /// For a named lock that is created: what `note` returns.
    pub note: Option<Uint8Array>,
    /// A lack of descriptors or memory is an error.
    pub last: bool,
}

/// Opens the lock with that name or path for the object `lock`, which this does not keep alive. If
/// this thread has the lock open, its attachment gets another handle. Without `last`, returns
/// `null` if descriptors or memory ran short: locks that the program has dropped may have them.
#[napi(catch_unwind)]
pub fn open(copy: u32, lock: Object<'_>, opening: Opening) -> Result<Option<Opened>> {
    let reference = lock_ref(opening.name.as_deref(), opening.path.as_deref());
    let options = Options {
        capacity: opening.capacity,
        max_readers: opening.max_readers,
        label: opening.label,
        thread: opening.thread,
        transient: !opening.durable,
        anonymous: opening.anonymous,
        keeps_turns: opening.keeps_turns.unwrap_or_default(),
        note: opening.note.map(|note| note.to_vec()),
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

/// Whether the system had no descriptor, address space or memory left.
fn ran_short(error: &Error) -> bool {
    matches!(error.os_code(), Some("ENFILE" | "EMFILE" | "ENOMEM" | "ENOSPC"))
}

/// Closes a handle. The last one of an attachment closes it, unless it still has holds: their
/// guards were lost, and they stay until the thread ends.
#[napi(catch_unwind)]
pub fn close(copy: u32, handle: u32) {
    with_environment(|environment| environment.close(copy, handle));
    deliver_outcomes(DeliveredFrom::Call);
}

/// The handles of the copy whose lock object was collected.
#[napi(catch_unwind)]
pub fn collected(copy: u32) -> Vec<u32> {
    with_environment(|environment| environment.copy(copy).map(LibraryCopy::collected_handles).unwrap_or_default())
}

/// Advances the attachment's requests, and delivers the outcomes.
fn settle(attachment: u32) {
    if with_environment(|environment| environment.advance(attachment)) {
        deliver_outcomes(DeliveredFrom::Call);
    }
}

/// Acquires the upgradable hold if no wait is needed. Returns its grant, or else 0.
#[napi(catch_unwind)]
pub fn try_upgradable(attachment: u32) -> f64 {
    with_attachment(attachment, 0.0, |attachment| if attachment.try_upgradable() { grant_of(attachment) } else { 0.0 })
}

/// Turns the upgradable hold, or the attachment's only read hold, into the write hold if no wait is
/// needed. Returns its grant, or else 0.
#[napi(catch_unwind)]
pub fn try_upgrade(attachment: u32) -> f64 {
    with_attachment(attachment, 0.0, |attachment| if attachment.try_upgrade() { grant_of(attachment) } else { 0.0 })
}

/// Turns the exclusive hold into a read hold (`to` = 1), or the write hold into the upgradable one
/// (`to` = 2).
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

/// Returns a grant: ends a hold that nothing has used.
#[napi(catch_unwind)]
pub fn return_grant(attachment: u32, mode_code: u32) {
    with_environment(|environment| environment.end_unused(attachment, Requested::Hold(mode(mode_code))));
    deliver_outcomes(DeliveredFrom::Call);
}

/// The grant of the attachment's exclusive hold, or 0.
#[napi(catch_unwind)]
pub fn present_hold(attachment: u32) -> f64 {
    with_attachment(attachment, 0.0, |attachment| attachment.exclusive().map_or(0.0, |_| grant_of(attachment)))
}

/// Requests the lock. The outcome is passed to the copy's `onOutcome` under `key`, perhaps before
/// this returns the number of the request. Times in ms, `Infinity` for none. `inTurn`: a nested read
/// is not let in. `label`: shown while the request waits.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments)] // an object would cost more than the call
pub fn request(
    copy: u32,
    key: f64,
    attachment: u32,
    mode_code: u32,
    timeout: f64,
    fairness: f64,
    in_turn: bool,
    label: Option<String>,
) -> Result<u32> {
    let mode = mode(mode_code);
    let (request, is_behind) = with_environment(|environment| -> Result<_> {
        let open = &environment.get(attachment).ok_or_else(closed)?.attachment;
        let options = wait_options(timeout, fairness, in_turn);
        let behind = open.request_behind(mode, options);
        let request = behind.unwrap_or_else(|| open.request(mode, options));
        if let Some(label) = label {
            open.label_request(request, &label);
        }
        environment.begin_request(attachment, request, RequestOrigin { copy, key, requested: Requested::Hold(mode) });
        Ok((request, behind.is_some()))
    })?;
    if !is_behind {
        settle(attachment);
    }
    Ok(request)
}

/// Requests that the upgradable hold becomes the write hold. Like `request`; 0 if there is no
/// upgradable hold.
#[napi(catch_unwind)]
pub fn request_upgrade(copy: u32, key: f64, attachment: u32, timeout: f64, label: Option<String>) -> Result<u32> {
    let request = with_environment(|environment| -> Result<_> {
        let open = &environment.get(attachment).ok_or_else(closed)?.attachment;
        let Some(request) = open.request_upgrade(wait_options(timeout, 0.0, false)) else { return Ok(0) };
        if let Some(label) = label {
            open.label_request(request, &label);
        }
        environment.begin_request(attachment, request, RequestOrigin { copy, key, requested: Requested::Upgrade });
        Ok(request)
    })?;
    settle(attachment);
    Ok(request)
}

/// Ends a hold, and requests it again, behind those that wait now. Otherwise like `request`.
#[napi(catch_unwind)]
#[allow(clippy::too_many_arguments)] // as for `request`
pub fn yield_hold(
    copy: u32,
    key: f64,
    attachment: u32,
    mode_code: u32,
    timeout: f64,
    fairness: f64,
    in_turn: bool,
    label: Option<String>,
) -> Result<u32> {
    let mode = mode(mode_code);
    let request = with_environment(|environment| -> Result<_> {
        let open = &environment.get(attachment).ok_or_else(closed)?.attachment;
        // Before the release: its ticket is its place in the queue.
        let request = open.request(mode, wait_options(timeout, fairness, in_turn));
        if let Some(label) = label {
            open.label_request(request, &label);
        }
        let released = match mode {
            Mode::Read => {
                open.release_read();
                Ok(())
            }
            _ => open.release_exclusive(HoldEnd::Consistent),
        };
        if let Err(error) = released {
            open.cancel(request);
            return Err(failed(&error));
        }
        environment.begin_request(attachment, request, RequestOrigin { copy, key, requested: Requested::Hold(mode) });
        Ok(request)
    });
    settle(attachment);
    request
}

/// Asks for a notice, once: as soon as a request waits that a hold with that mode keeps out,
/// `onOutcome` is called with `key` and a number that has no meaning. It keeps no process alive.
#[napi(catch_unwind)]
pub fn want_notice(copy: u32, key: f64, attachment: u32, mode_code: u32) {
    let subject = Subject::Contention(mode(mode_code));
    with_environment(|environment| environment.begin_notice(attachment, copy, key, subject));
    deliver_outcomes(DeliveredFrom::Call);
}

/// Asks for a notice, once: as soon as a request wants to steal what the attachment holds. Otherwise
/// like `wantNotice`, but delivered by the event loop alone.
#[napi(catch_unwind)]
pub fn want_steal_notice(copy: u32, key: f64, attachment: u32) {
    with_environment(|environment| environment.begin_notice(attachment, copy, key, Subject::Steal));
    deliver_outcomes(DeliveredFrom::Call);
}

/// Called after a hold has begun, if a notice of a steal was asked for before: the request may have
/// come in between.
#[napi(catch_unwind)]
pub fn look_for_steal(attachment: u32) {
    with_environment(|environment| environment.deliver_notices(attachment, DeliveredFrom::Call));
    deliver_outcomes(DeliveredFrom::Call);
}

/// Requests the write hold before all other requests, and asks the holders that allow it to give up.
/// Otherwise like `request`.
#[napi(catch_unwind)]
pub fn request_steal(copy: u32, key: f64, attachment: u32, timeout: f64, label: Option<String>) -> Result<u32> {
    let request = with_environment(|environment| -> Result<_> {
        let open = &environment.get(attachment).ok_or_else(closed)?.attachment;
        let request = open.request_steal(wait_options(timeout, 0.0, false));
        if let Some(label) = label {
            open.label_request(request, &label);
        }
        let requested = Requested::Hold(Mode::Write);
        environment.begin_request(attachment, request, RequestOrigin { copy, key, requested });
        Ok(request)
    })?;
    settle(attachment);
    Ok(request)
}

/// Withdraws the wish for a notice.
#[napi(catch_unwind)]
pub fn drop_notice(copy: u32, key: f64, attachment: u32) {
    with_environment(|environment| environment.end_notice(attachment, copy, key));
}

/// Withdraws a request: its outcome is not delivered, and its grant is returned. Call `advance`
/// after it.
#[napi(catch_unwind)]
pub fn cancel(attachment: u32, request: u32) {
    with_environment(|environment| environment.cancel(attachment, request));
}

/// Advances the attachment's requests, and delivers the outcomes.
#[napi(catch_unwind)]
pub fn advance(attachment: u32) {
    settle(attachment);
}

/// Acquires the lock, blocking this thread. Returns the grant, or NaN if the timeout has passed.
/// Times in ms; `inTurn` and `label` as for `request`.
#[napi(catch_unwind)]
pub fn wait(
    env: Env,
    attachment: u32,
    mode_code: u32,
    timeout: f64,
    fairness: f64,
    in_turn: bool,
    label: Option<String>,
) -> Result<f64> {
    let options = wait_options(timeout, fairness, in_turn);
    block(env, attachment, |attachment, interrupted| {
        let mode = mode(mode_code);
        let result = attachment.wait_labelled(mode, options, label.as_deref(), interrupted);
        if result.is_ok() && mode == Mode::Read {
            attachment.stamp_read();
        }
        result
    })
}

/// Makes the upgradable hold the write hold, blocking this thread. Otherwise like `wait`.
#[napi(catch_unwind)]
pub fn wait_upgrade(env: Env, attachment: u32, timeout: f64) -> Result<f64> {
    let options = wait_options(timeout, 0.0, false);
    block(env, attachment, |attachment, interrupted| attachment.wait_upgrade(options, interrupted))
}

fn block(
    env: Env,
    attachment: u32,
    wait: impl FnOnce(&Attachment, &mut dyn FnMut() -> bool) -> std::result::Result<(), Error>,
) -> Result<f64> {
    let end = with_environment(|environment| {
        let open = environment.get(attachment).ok_or_else(closed)?;
        let result = wait(&open.attachment, &mut || shutdown::is_shutting_down(env));
        match result {
            Ok(()) => Ok(grant_of(&open.attachment)),
            // The thread is being terminated: no JavaScript runs after this call.
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(0.0),
            Err(error) if error.kind() == ErrorKind::Timeout => Ok(f64::NAN),
            Err(error) => Err(failed(&error)),
        }
    });
    // The call may have settled requests.
    settle(attachment);
    end
}

/// Sets the label of the attachment.
#[napi(catch_unwind)]
pub fn set_label(attachment: u32, label: String) {
    with_attachment(attachment, (), |attachment| attachment.set_label(&label));
}

/// Labels the latest read hold, or the exclusive hold. Returns the number that `dropLabel` takes.
#[napi(catch_unwind)]
pub fn label_hold(attachment: u32, label: String, of_read: bool) -> f64 {
    with_environment(|environment| {
        let add = |open: &mut environment::Open| open.labels.add(&open.attachment, of_read, label) as f64;
        environment.get_mut(attachment).map_or(0.0, add)
    })
}

/// Drops a label: its hold has ended or has changed its mode.
#[napi(catch_unwind)]
pub fn drop_label(attachment: u32, number: f64, of_read: bool) {
    with_environment(|environment| {
        if let Some(open) = environment.get_mut(attachment) {
            open.labels.drop(&open.attachment, of_read, number as u64);
        }
    });
}

/// The last writer that died during its hold, until a write hold ends normally.
#[napi(catch_unwind)]
pub fn owner_died(attachment: u32) -> Option<OwnerDied> {
    with_attachment(attachment, None, |attachment| attachment.owner_died().map(Into::into))
}

/// The lock's value. For holders.
#[napi(catch_unwind)]
pub fn value(attachment: u32) -> Option<Uint8Array> {
    with_attachment(attachment, None, |attachment| attachment.value().map(Into::into))
}

/// Replaces the lock's value, under the attachment's write hold.
#[napi(catch_unwind)]
pub fn set_value(attachment: u32, value: Option<Uint8Array>) -> Result<()> {
    with_environment(|environment| {
        let attachment = &environment.get(attachment).ok_or_else(closed)?.attachment;
        attachment.set_value(value.as_deref()).map_err(|error| failed(&error))
    })
}

/// The state of the lock at this moment.
#[napi(catch_unwind)]
pub fn inspect(attachment: u32) -> Result<Snapshot> {
    with_environment(|environment| Ok(environment.get(attachment).ok_or_else(closed)?.attachment.inspect().into()))
}

/// The identity of the lock: the same text in every process of this machine, and another one for
/// any other lock.
#[napi(catch_unwind)]
pub fn identity(attachment: u32) -> Result<String> {
    with_environment(|environment| {
        Ok(wait_graph::identity_text(environment.get(attachment).ok_or_else(closed)?.attachment.identity()))
    })
}

/// Why a request, or the upgrade of a hold, was not granted within `timeout` ms. Message and
/// holders are of one snapshot.
#[napi(catch_unwind)]
pub fn explain_timeout(attachment: u32, mode_code: u32, is_upgrade: bool, timeout: f64) -> Result<TimeoutDetails> {
    with_environment(|environment| {
        let attachment = &environment.get(attachment).ok_or_else(closed)?.attachment;
        let (message, seen) = attachment.explain_timeout(mode(mode_code), is_upgrade, nanos(timeout));
        Ok(TimeoutDetails { message, holders: seen.holders.into_iter().map(Into::into).collect() })
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

/// All named locks of this user.
#[napi(catch_unwind)]
pub fn list() -> Result<Vec<Snapshot>> {
    let seen = process_rwlock::list().map_err(|error| failed(&error))?;
    Ok(seen.into_iter().map(Into::into).collect())
}

/// The lock with that name or path; nothing if there is none. It is not attached.
#[napi(catch_unwind)]
pub fn look(name: Option<String>, path: Option<String>) -> Result<Option<Snapshot>> {
    let seen = process_rwlock::inspect(lock_ref(name.as_deref(), path.as_deref())).map_err(|error| failed(&error))?;
    Ok(seen.map(Into::into))
}

/// The note that the lock with that name was created with; nothing if it has none.
#[napi(catch_unwind)]
pub fn note(name: String) -> Result<Option<Uint8Array>> {
    let note = process_rwlock::note(&name).map_err(|error| failed(&error))?;
    Ok(note.map(Into::into))
}

/// Removes the named locks that dead processes left and no process has open. Those whose writer
/// died stay unless `owner_died`. Returns their number.
#[napi(catch_unwind)]
pub fn prune(owner_died: bool) -> Result<u32> {
    let removed = process_rwlock::prune(owner_died).map_err(|error| failed(&error))?;
    Ok(u32::try_from(removed).unwrap_or(u32::MAX))
}

/// Removes the lock with that name or path; `false` if there is none.
#[napi(catch_unwind)]
pub fn remove(name: Option<String>, path: Option<String>) -> Result<bool> {
    process_rwlock::remove(lock_ref(name.as_deref(), path.as_deref())).map_err(|error| failed(&error))
}

/// The threads of this process that sleep on behalf of pending requests.
#[napi(catch_unwind)]
pub fn watcher_threads() -> u32 {
    u32::try_from(environment::watcher().threads()).unwrap_or(u32::MAX)
}
