//! Delivery of outcomes to the library copies that made the requests.
//!
//! One rule: **an outcome is passed to the copy that made the request, and a grant that the copy
//! does not take is returned.** So a grant always has an owner in JavaScript, or is released.

use std::collections::BTreeMap;

use napi::sys;
use process_rwlock::{HoldEnd, Mode, RequestId};

use crate::environment::{Environment, with_environment};
use crate::library_copy::{CopyId, Delivery};

/// Which copy made a request, and for what.
#[derive(Clone, Copy)]
pub(crate) struct RequestOrigin {
    pub copy: CopyId,
    /// The copy's name of the request.
    pub key: f64,
    pub requested: Requested,
}

/// What a granted request gives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Requested {
    Hold(Mode),
    /// The upgradable hold became the write hold.
    Upgrade,
    /// Nothing: it says that somebody waits. See [`crate::notices`].
    Notice,
}

/// The pending requests of an attachment.
pub(crate) type Requests = BTreeMap<RequestId, RequestOrigin>;

/// The outcome of a request, not yet delivered.
pub(crate) struct Outcome {
    pub attachment: u32,
    pub request: RequestId,
    pub origin: RequestOrigin,
    /// A grant, as the head of the crate describes it; 0: timed out; NaN: failed.
    pub grant: f64,
}

impl Outcome {
    fn is_grant(&self) -> bool {
        self.grant != 0.0 && !self.grant.is_nan()
    }
}

/// What delivers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeliveredFrom {
    /// A call from JavaScript, which may have little stack left. If the copy's function throws, the
    /// loop delivers again.
    Call,
    /// The event loop.
    Loop,
}

/// Passes every outcome to its copy, in their order. This runs JavaScript, so no state of the thread
/// may be borrowed. What that calls leaves its outcomes to the delivery that runs: otherwise a
/// request would settle before an earlier one, whose copy is still busy with the grant.
pub(crate) fn deliver_outcomes(from: DeliveredFrom) {
    if let Some(_running) = Running::begin() {
        deliver_each(from);
    }
}

/// The delivery that runs; also ended by a panic.
struct Running;

impl Running {
    fn begin() -> Option<Self> {
        let is_first = with_environment(|environment| !std::mem::replace(&mut environment.is_delivering, true));
        is_first.then(|| Self) // not `then_some`, which would drop one
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        with_environment(|environment| environment.is_delivering = false);
    }
}

fn deliver_each(from: DeliveredFrom) {
    while let Some((outcome, callback)) = with_environment(Environment::next_outcome) {
        let RequestOrigin { key, .. } = outcome.origin;
        let delivery =
            callback.map_or(Delivery::Refused, |copy| copy.offer(key, outcome.grant, from == DeliveredFrom::Loop));
        let again = with_environment(|environment| match delivery {
            Delivery::Threw if from == DeliveredFrom::Call => {
                environment.offer_later(outcome);
                true
            }
            Delivery::Accepted => {
                environment.end_delivery(&outcome);
                false
            }
            Delivery::Refused | Delivery::Threw => {
                environment.end_delivery(&outcome);
                environment.return_grant(&outcome);
                false
            }
        });
        if again {
            return;
        }
    }
}

/// The function that the event loop calls, because of the doorbell or of another thread.
pub(crate) unsafe extern "C" fn on_ring(_env: sys::napi_env, _info: sys::napi_callback_info) -> sys::napi_value {
    // A panic must not unwind into Node. The outcomes that it leaves are delivered at the next
    // call.
    let _ = std::panic::catch_unwind(|| {
        with_environment(Environment::poll_rung);
        deliver_outcomes(DeliveredFrom::Loop);
    });
    std::ptr::null_mut()
}

impl Environment {
    /// The request is settled. (A notice has none.)
    fn end_delivery(&mut self, outcome: &Outcome) {
        if outcome.origin.requested != Requested::Notice {
            self.end_request(outcome.origin.copy);
        }
    }

    /// Returns the grant of a request that no copy takes. No function has run under the hold.
    pub fn return_grant(&mut self, outcome: &Outcome) {
        if outcome.is_grant() {
            self.end_unused(outcome.attachment, outcome.origin.requested);
        }
    }

    /// Ends a hold that nothing has used. Such a writer has repaired nothing, so an earlier
    /// writer's death stays reported.
    pub fn end_unused(&mut self, index: u32, requested: Requested) {
        let Some(open) = self.get(index) else { return };
        // The next request detects a corrupted gate.
        let _ = match requested {
            Requested::Hold(Mode::Read) => {
                open.attachment.release_read();
                Ok(())
            }
            Requested::Hold(_) => open.attachment.release_exclusive(HoldEnd::Failed),
            Requested::Upgrade => open.attachment.undo_upgrade(),
            Requested::Notice => return,
        };
        self.advance(index);
    }
}
