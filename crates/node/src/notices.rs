//! Notices to holders: of a request that they keep out (`guard.whenContended()`), and of a steal. A
//! notice is delivered like the outcome of a request, once, but it keeps neither the event loop nor
//! the library copy alive. That of a steal is delivered by the event loop only: no call that a
//! holder makes on its lock ends its hold.

use process_rwlock::{Mode, now};

use crate::delivery::{DeliveredFrom, Outcome, RequestOrigin, Requested};
use crate::environment::{Environment, Open};
use crate::library_copy::CopyId;

/// What a holder wants to learn of.
#[derive(Clone, Copy)]
pub(crate) enum Subject {
    /// A request that a hold with this mode keeps out.
    Contention(Mode),
    /// A steal.
    Steal,
}

/// A wish to be told, once.
pub(crate) struct Notice {
    copy: CopyId,
    /// The copy's name of it.
    key: f64,
    subject: Subject,
}

impl Notice {
    fn held(&self) -> Option<Mode> {
        match self.subject {
            Subject::Contention(held) => Some(held),
            Subject::Steal => None,
        }
    }

    fn outcome(self, attachment: u32) -> Outcome {
        let Self { copy, key, .. } = self;
        let origin = RequestOrigin { copy, key, requested: Requested::Notice };
        Outcome { attachment, request: 0, origin, grant: NOTICED }
    }
}

/// The grant of a delivered notice: it is no grant, but must not look like a timeout.
const NOTICED: f64 = 1.0;

impl Open {
    /// Lets the other processes know which requests are of interest.
    fn want_notices(&self) {
        let held: Vec<_> = self.notices.iter().filter_map(Notice::held).collect();
        self.attachment.want_notices(&held);
        self.attachment.want_steals(self.notices.iter().any(|notice| matches!(notice.subject, Subject::Steal)));
    }
}

impl Environment {
    /// Delivers a notice to the copy as soon as there is what it is about.
    pub fn begin_notice(&mut self, index: u32, copy: CopyId, key: f64, subject: Subject) {
        let Some(open) = self.get_mut(index) else { return };
        open.notices.push(Notice { copy, key, subject });
        open.want_notices();
        self.prepare_wakeup(index);
        self.deliver_notices(index, DeliveredFrom::Call);
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
    ///
    /// A call leaves a steal to the event loop, which looks again: it may be given up before.
    pub fn deliver_notices(&mut self, index: u32, from: DeliveredFrom) {
        let has_doorbell = self.has_loop_doorbell();
        let Some(open) = self.get_mut(index) else { return };
        if open.notices.is_empty() {
            return;
        }
        if !open.waiting {
            open.attachment.take_notice(); // otherwise the poll has taken it
        }
        let attachment = &open.attachment;
        let mut stolen = None;
        let is_due = |notice: &mut Notice| match notice.subject {
            Subject::Contention(held) => attachment.is_contended(held),
            Subject::Steal => *stolen.get_or_insert_with(|| attachment.is_stolen()) && from == DeliveredFrom::Loop,
        };
        let due: Vec<_> = open.notices.extract_if(.., is_due).collect();
        if !due.is_empty() {
            open.want_notices();
        }
        open.rest();
        if !open.notices.is_empty() && !open.waiting && !has_doorbell {
            // Without a thread, the notice comes when the loop has something else to do.
            let _ = open.watch.listen(now());
        }
        self.count_busy(due.len() as isize);
        self.outcomes.extend(due.into_iter().map(|notice| notice.outcome(index)));
        if stolen == Some(true) && from == DeliveredFrom::Call {
            self.rings().ring(index);
        }
    }
}
