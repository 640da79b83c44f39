//! The rows of an attachment's slot that show its first requests in snapshots. For people: nothing
//! depends on them.

use std::sync::atomic::Ordering::Relaxed;

use super::Attachment;
use super::pending::{Pending, Request, RequestId};
use crate::protocol::slot::Queued;
use crate::shm::layout::REQUEST_ROWS;
use crate::sys::park;

impl Attachment {
    /// Gives a request a label of its own. Call it before [`Attachment::poll`].
    pub fn label_request(&self, id: RequestId, label: &str) {
        self.pending.borrow_mut().labels.insert(id, label.into());
    }

    /// Brings the rows, and the number of requests without one, up to date with the slot's word. A
    /// request keeps its row while it is one of the first, so that most calls write little.
    pub(super) fn show_requests(&self, pending: &mut Pending) {
        self.update_rows(pending, true);
        let count = pending.requests.len() + usize::from(pending.drain.is_some());
        crash_point!(store_pending);
        self.slot().waiting.pending.store(count.saturating_sub(REQUEST_ROWS) as u32, Relaxed);
    }

    /// Writes the rows of the requests that the slot's word is about to announce.
    pub(super) fn prepare_rows(&self, pending: &mut Pending) {
        self.update_rows(pending, false);
    }

    fn update_rows(&self, pending: &mut Pending, hides: bool) {
        let slot = self.slot();
        let Pending { requests, drain, labels, rows, sync, .. } = pending;
        if requests.is_empty() && drain.is_none() && *rows == [None; REQUEST_ROWS] {
            return;
        }
        let drain = drain.as_ref().map(|drain| (&drain.request, drain.claimed));
        let all = drain.into_iter().chain(requests.iter().map(|request| (request, false)));
        let mut first: [Option<(&Request, Queued)>; REQUEST_ROWS] = [None; REQUEST_ROWS]; // no allocation in each poll
        for (place, (request, drains)) in first.iter_mut().zip(all) {
            let word = Queued::new(request.mode, self.generation, request.ticket);
            let word = word.followed(sync.is_some_and(|sync| sync != request.id));
            *place = Some((request, if drains { word.skipped() } else { word }));
        }
        let first = first.iter().flatten();
        for (row, shown) in slot.requests.rows.iter().zip(rows.iter_mut()).filter(|_| hides) {
            if shown.is_some_and(|shown| first.clone().all(|&(request, word)| (request.id, word) != shown)) {
                crash_point!(hide_request);
                row.request.store(Queued::NONE.0, Relaxed);
                *shown = None;
            }
        }
        for &(request, word) in first {
            let shown = Some((request.id, word));
            if !rows.contains(&shown)
                && let Some(free) = rows.iter().position(Option::is_none)
            {
                let label = labels.get(&request.id).map_or("", String::as_str);
                let row = &slot.requests.rows[free];
                crash_point!(show_request);
                row.since.store(park::shared(request.since), Relaxed);
                row.label.store(label);
                row.request.store(word.0, Relaxed);
                rows[free] = shown;
            }
        }
    }
}
