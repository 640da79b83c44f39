//! Outcomes of requests on their way to the copies that asked.
//!
//! One rule: **an outcome is offered to the copy that asked, and a grant that the copy does not claim is given back.** So a
//! grant always has an owner in JavaScript, or is released.

use std::collections::BTreeMap;

use napi::sys;
use process_rwlock::{HoldEnd, Mode, RequestId};

use crate::environment::{Environment, with_environment};
use crate::library_copy::{CopyId, Delivery};

/// The copy that made a request, and what it asked for.
#[derive(Clone, Copy)]
pub(crate) struct RequestOrigin {
    pub copy: CopyId,
    /// What the copy calls the request.
    pub key: f64,
    pub grant: Grant,
}

/// What a grant gives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grant {
    Hold(Mode),
    /// The upgradable hold became the write hold.
    Upgrade,
}

/// Requests of an attachment that wait.
pub(crate) type Requests = BTreeMap<RequestId, RequestOrigin>;

/// A settled request that was not delivered.
pub(crate) struct Outcome {
    pub attachment: u32,
    pub request: RequestId,
    pub origin: RequestOrigin,
    /// As `tryRead` tells it; 0: timed out; NaN: failed.
    pub hold: f64,
}

impl Outcome {
    fn is_grant(&self) -> bool {
        self.hold != 0.0 && !self.hold.is_nan()
    }
}

/// Where a delivery comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeliveredFrom {
    /// A call of JavaScript, which may have little stack left: what cannot be claimed now is offered again by the loop.
    Call,
    /// The event loop.
    Loop,
}

/// Offers every outcome to its copy. Nothing of the thread's state may be borrowed: this runs JavaScript.
pub(crate) fn deliver_outcomes(from: DeliveredFrom) {
    while let Some((outcome, callback)) = with_environment(Environment::next_outcome) {
        let RequestOrigin { key, .. } = outcome.origin;
        let delivery =
            callback.map_or(Delivery::Refused, |copy| copy.offer(key, outcome.hold, from == DeliveredFrom::Loop));
        let again = with_environment(|environment| match delivery {
            Delivery::Threw if from == DeliveredFrom::Call => {
                environment.offer_later(outcome);
                true
            }
            Delivery::Accepted => {
                environment.end_request(outcome.origin.copy);
                false
            }
            Delivery::Refused | Delivery::Threw => {
                environment.end_request(outcome.origin.copy);
                environment.return_grant(&outcome);
                false
            }
        });
        if again {
            return;
        }
    }
}

/// The function of the environment that its loop calls, by way of the doorbell or of another thread.
pub(crate) unsafe extern "C" fn on_ring(_env: sys::napi_env, _info: sys::napi_callback_info) -> sys::napi_value {
    // A panic must not cross into Node. What it leaves undone is offered when the loop comes again.
    let _ = std::panic::catch_unwind(|| {
        with_environment(Environment::poll_rung);
        deliver_outcomes(DeliveredFrom::Loop);
    });
    std::ptr::null_mut()
}

impl Environment {
    /// Ends what a request was granted that nobody claims. No function has run under the hold.
    pub fn return_grant(&mut self, outcome: &Outcome) {
        if outcome.is_grant() {
            self.end_unused(outcome.attachment, outcome.origin.grant);
        }
    }

    /// Ends a hold that nothing has used: a writer repaired nothing, so an earlier writer's death stays reported.
    pub fn end_unused(&mut self, index: u32, grant: Grant) {
        let Some(open) = self.get(index) else { return };
        // A damaged gate is found by whoever asks for the lock next.
        let _ = match grant {
            Grant::Hold(Mode::Read) => {
                open.attachment.release_read();
                Ok(())
            }
            Grant::Hold(_) => open.attachment.release_exclusive(HoldEnd::Failed),
            Grant::Upgrade => open.attachment.undo_upgrade(),
        };
        self.advance(index);
    }
}
