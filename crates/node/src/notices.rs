//! Notices to holders: `guard.whenContended()`. A notice is delivered like the outcome of a request,
//! once, but it keeps neither the event loop nor the library copy alive.

use process_rwlock::{Mode, now};

use crate::delivery::{Outcome, RequestOrigin, Requested};
use crate::environment::{Environment, Open};
use crate::library_copy::CopyId;

/// A call of `whenContended()` that waits.
pub(crate) struct Notice {
    copy: CopyId,
    /// The copy's name of it.
    key: f64,
    /// The mode of the hold that it is about.
    held: Mode,
}

/// The grant of a delivered notice: it is no grant, but must not look like a timeout.
const NOTICED: f64 = 1.0;

impl Open {
    /// Lets the other processes know which requests are of interest.
    fn want_notices(&self) {
        let held: Vec<_> = self.notices.iter().map(|notice| notice.held).collect();
        self.attachment.want_notices(&held);
    }
}

impl Environment {
    /// Delivers a notice to the copy as soon as a request waits that a hold with mode `held` keeps
    /// out.
    pub fn begin_notice(&mut self, index: u32, copy: CopyId, key: f64, held: Mode) {
        let Some(open) = self.get_mut(index) else { return };
        open.notices.push(Notice { copy, key, held });
        open.want_notices();
        self.prepare_wakeup(index);
        self.deliver_notices(index);
    }

    /// The notice is not wanted any more.
    pub fn end_notice(&mut self, index: u32, copy: CopyId, key: f64) {
        self.end_notices(index, |notice| notice.copy == copy && notice.key == key);
        let is_it = |outcome: &Outcome| {
            let RequestOrigin { requested, .. } = outcome.origin;
            requested == Requested::Notice && outcome.origin.copy == copy && outcome.origin.key == key
        };
        if let Some(position) = self.outcomes.iter().position(is_it) {
            self.outcomes.remove(position);
            self.count_busy(-1);
        }
    }

    pub fn end_notices(&mut self, index: u32, ended: impl Fn(&Notice) -> bool) {
        let Some(open) = self.get_mut(index) else { return };
        let before = open.notices.len();
        open.notices.retain(|notice| !ended(notice));
        if open.notices.len() < before {
            open.want_notices();
            open.rest();
        }
    }

    pub fn end_notices_of(&mut self, index: u32, copy: CopyId) {
        self.end_notices(index, |notice| notice.copy == copy);
    }

    /// Called after news. Passes on the notices of holds that keep a request out.
    pub fn deliver_notices(&mut self, index: u32) {
        let has_doorbell = self.has_loop_doorbell();
        let Some(open) = self.get_mut(index) else { return };
        if open.notices.is_empty() {
            return;
        }
        if !open.waiting {
            open.attachment.take_notice(); // otherwise the poll has taken it
        }
        let attachment = &open.attachment;
        let due: Vec<_> = open.notices.extract_if(.., |notice| attachment.is_contended(notice.held)).collect();
        if !due.is_empty() {
            open.want_notices();
        }
        open.rest();
        if !open.notices.is_empty() && !open.waiting && !has_doorbell {
            // Without a thread, the notice comes when the loop has something else to do.
            let _ = open.watch.listen(now());
        }
        self.count_busy(due.len() as isize);
        self.outcomes.extend(due.into_iter().map(|Notice { copy, key, .. }| Outcome {
            attachment: index,
            request: 0,
            origin: RequestOrigin { copy, key, requested: Requested::Notice },
            grant: NOTICED,
        }));
    }
}
