//! The rows of an attachment's slot that show its first requests in snapshots. For people: nothing
//! depends on them.

use std::sync::atomic::Ordering::Relaxed;

use super::Attachment;
use super::pending::{Pending, Request, RequestId};
use crate::protocol::slot::Queued;
use crate::shm::layout::{REQUEST_ROWS, RequestRow};
use crate::sys::park;

impl Attachment {
    /// Gives a request a label of its own. Call it before [`Attachment::poll`].
    pub fn label_request(&self, id: RequestId, label: &str) {
        self.pending.borrow_mut().labels.insert(id, label.into());
    }

    /// Brings the rows and the number of requests up to date. A request keeps its row while it is
    /// one of the first, so that most calls write nothing.
    pub(super) fn show_requests(&self, pending: &mut Pending) {
        let slot = self.slot();
        let count = pending.requests.len() + usize::from(pending.drain.is_some());
        crash_point!(store_pending);
        slot.waiting.pending.store(count as u32, Relaxed);
        let Pending { requests, drain, labels, rows, .. } = pending;
        if count == 0 && *rows == [None; REQUEST_ROWS] {
            return;
        }
        let drain = drain.as_ref().map(|drain| (&drain.request, drain.claimed));
        let first = drain.into_iter().chain(requests.iter().map(|request| (request, false))).take(REQUEST_ROWS);
        let first: Vec<(&Request, bool)> = first.collect();
        for (row, shown) in slot.requests.rows.iter().zip(rows.iter_mut()) {
            if shown.is_some_and(|shown| first.iter().all(|&(request, drains)| (request.id, drains) != shown)) {
                crash_point!(hide_request);
                row.request.store(Queued::NONE.0, Relaxed);
                *shown = None;
            }
        }
        for (request, drains) in first {
            let shown = Some((request.id, drains));
            if !rows.contains(&shown)
                && let Some(free) = rows.iter().position(Option::is_none)
            {
                let label = labels.get(&request.id).map_or("", String::as_str);
                self.show_request(&slot.requests.rows[free], request, drains, label);
                rows[free] = shown;
            }
        }
    }

    fn show_request(&self, row: &RequestRow, request: &Request, drains: bool, label: &str) {
        crash_point!(show_request);
        row.since.store(park::shared(request.since), Relaxed);
        row.label.store(label);
        let shown = Queued::new(request.mode, self.generation, request.ticket);
        row.request.store(if drains { shown.skipped().0 } else { shown.0 }, Relaxed);
    }
}
